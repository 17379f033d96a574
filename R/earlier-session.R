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

# --- the callback -----------------------------------------------------------------------------------------

# The callback is a Python object. reticulate prints one of an earlier session as an address, and its `$`
# gives NULL for every name. The class is that of all front ends.

check_callback_session <- function(x, call) {
  if (reticulate::py_is_null_xptr(x)) {
    abort(
      c(
        "This callback was made in an earlier R session, and its Python part is gone.",
        i = "Make it again in this session: `callback_backup_and_restore(backup_dir, ...)`.",
        i = "With the same `backup_dir`, `fit()` then resumes the run."
      ),
      class = c("rekindle_earlier_session", "rekindle_error"),
      call = call
    )
  }
}

# nolint start: object_name_linter, object_length_linter. The names of R and of the Python class.

#' @export
`$.rekindle._training.backup_hooks.BackupHooks` <- function(x, name) {
  check_callback_session(x, caller_env())
  NextMethod()
}

#' @export
`[[.rekindle._training.backup_hooks.BackupHooks` <- function(x, ...) {
  check_callback_session(x, caller_env())
  NextMethod()
}

#' @export
`$<-.rekindle._training.backup_hooks.BackupHooks` <- function(x, name, value) {
  check_callback_session(x, caller_env())
  NextMethod()
}

#' @export
`[[<-.rekindle._training.backup_hooks.BackupHooks` <- function(x, ..., value) {
  check_callback_session(x, caller_env())
  NextMethod()
}

#' @export
format.rekindle._training.backup_hooks.BackupHooks <- function(x, ...) {
  if (reticulate::py_is_null_xptr(x)) {
    return("Callback of an earlier R session: make it again with `callback_backup_and_restore()`.")
  }
  NextMethod()
}

#' @export
print.rekindle._training.backup_hooks.BackupHooks <- function(x, ...) {
  if (!reticulate::py_is_null_xptr(x)) {
    return(NextMethod())
  }
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
summary.rekindle._training.backup_hooks.BackupHooks <- function(object, ...) {
  if (!reticulate::py_is_null_xptr(object)) {
    return(NextMethod())
  }
  print(object)
}

#' @importFrom utils str
#' @export
str.rekindle._training.backup_hooks.BackupHooks <- function(object, ...) {
  if (!reticulate::py_is_null_xptr(object)) {
    return(NextMethod())
  }
  cat(format(object), "\n", sep = "")
}
# nolint end
