# Helpers for all functions that inspect a backup.

# The Python module that inspects backups. It does not import Keras.
inspection <- function(call = caller_env()) {
  rekindle_module("inspection", call = call)
}

# Converts a Python result to R lists. All numbers become doubles, because a Python integer may be too large
# for an R integer.
as_r_list <- function(x) {
  force(x) # evaluate it here, so that an error names the caller's call
  r_door()$as_lists(x)
}

check_which <- function(x, arg = caller_arg(x), call = caller_env()) {
  # No name of a checkpoint is a number only.
  name <- is.character(x) && length(x) == 1 && !is.na(x) && nzchar(x) && !grepl("^[0-9]+$", x)
  number <- is_whole(x, 0, .Machine$integer.max)
  if (!name && !number) {
    abort_argument(
      c(
        paste0(
          "`", arg, "` must be \"latest\", or the number or the name of a checkpoint, not ", describe(x), "."
        ),
        i = "`backup_info()` lists the checkpoints."
      ),
      x, arg, call
    )
  }
}

as_python_which <- function(which) {
  if (is.numeric(which)) as.integer(which) else which
}

as_time <- function(x) {
  structure(x, class = c("POSIXct", "POSIXt"))
}

# A NULL from Python means that the value is missing.
value_or_na <- function(x, type) {
  if (is.null(x)) as.vector(NA, type) else as.vector(x, type)
}

# What backup_info() says about a folder without a checkpoint of rekindle.
without_saves_text <- function(x) {
  if (x$of_keras) {
    return(paste(
      "There is no checkpoint of rekindle, but a backup by the callback of keras3.",
      "callback_backup_and_restore() resumes from it."
    ))
  }
  if (x$of_keras_2) {
    return(paste(
      "There is no checkpoint of rekindle, but a backup by the callback of keras (Keras 2).",
      "callback_backup_and_restore() resumes from it in fit() of keras."
    ))
  }
  if (length(x$foreign)) {
    shown <- toString(utils::head(x$foreign, 5))
    more <- if (length(x$foreign) > 5) ", ..."
    return(paste0("There is no checkpoint. Files that rekindle did not write: ", shown, more, "."))
  }
  if (isTRUE(x$held)) "There is no checkpoint yet." else "There is no checkpoint."
}
