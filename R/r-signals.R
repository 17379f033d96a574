# Signals that announce the end of the process: the checks of the arguments about them, and the exit status of
# a script that training stopped in. The signals themselves are Python's to handle.

# Python's SystemExit is an error like any other in R, and an uncaught error ends a script with status 1. This
# is told when fit() begins, with the exit code of a preemption; and when it is complete, with none. Not when
# the signal comes: a second one ends training from within a signal handler, which is no place to call R.
watch_uncaught <- function(code) {
  watched <- as.call(list(end_as_preempted))
  now <- getOption("error")
  if (!is.null(code) && is.null(now) && !interactive()) {
    options(error = watched)
  } else if (is.null(code) && identical(now, watched)) {
    options(error = NULL)
  }
}

# R's own handlers of the signals are to be back when fit() has ended by an error, too. Python keeps its
# frames for as long as reticulate keeps the error, and, while R runs, does not even see a signal. So it is
# done after the command at top level: not on the way out of fit(), where an interrupt may be under way that
# Python must not be called in.
restore_handlers_after_fit <- function() {
  removeTaskCallback("rekindle_handlers")
  addTaskCallback(
    function(...) {
      r_door(convert = FALSE)$restore_handlers()
      FALSE
    },
    name = "rekindle_handlers"
  )
}

# What an uncaught error does in a script. With an option `error` R would go on after it: so this also ends it
# for errors that are no preemption, as R itself does. Before an error of another kind, a signal may have come
# that fit() could not answer any more: it ends the script, then.
end_as_preempted <- function() {
  try(r_door(convert = FALSE)$send_signals_again(), silent = TRUE)
  status <- tryCatch(status_of_error(geterrmessage()), error = function(cnd) 1L)
  if (status == 1L) {
    cat(gettext("Execution halted\n", domain = "R"), file = stderr())
  }
  quit("no", status = status, runLast = FALSE)
}

# The exit code of the last preemption if the error is that one, as it was raised or as the parent of another;
# not if it was caught, and this is another error.
status_of_error <- function(text) {
  exception <- last_exception()
  if (!inherits(exception, "rekindle.TrainingPreempted")) {
    return(1L)
  }
  # The beginning: R cuts off long messages, and may spell a path's letters otherwise.
  said <- substr(text_of(exception), 1, 30)
  if (grepl(said, gsub("[[:space:]]+", " ", text), fixed = TRUE)) data_of(exception)$code else 1L
}
