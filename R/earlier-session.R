# Objects that hold a Python object do not survive the R session: saveRDS(), the workspace that RStudio
# restores, and a cached chunk of knitr keep only their R part. These functions recognise such an object.

# Whether the object was made in an earlier session, or in another process.
is_of_earlier_session <- function(x) {
  reticulate::py_is_null_xptr(.subset2(x, "py"))
}

# Raises the error about an object of an earlier session. `make` is the code that makes the object again.
check_session <- function(x, what, make, call) {
  if (is_of_earlier_session(x)) {
    abort(
      c(
        paste0("This ", what, " was made in an earlier R session, and its Python part is gone."),
        i = paste0("Make it again in this session: ", make, "."),
        i = "`$restore_or_initialize()` of a checkpoint manager then restores the saved values."
      ),
      class = c("rekindle_earlier_session", "rekindle_error"),
      call = call
    )
  }
}

check_checkpoint_session <- function(x, call) {
  check_session(x, "checkpoint", "`checkpoint(...)`", call)
}

check_manager_session <- function(x, call) {
  check_session(x, "checkpoint manager", "`checkpoint_manager(checkpoint(...), directory, ...)`", call)
}
