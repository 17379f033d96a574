# Signals that announce the end of the process: the exit status of a script whose training stopped at one, and
# R's own handlers afterwards. Python handles the signals themselves.

# In R, Python's SystemExit is an error like any other, and an uncaught error ends a script with status 1.
# Python calls this function when fit() begins, with the exit code of a preemption, and when fit() is
# complete, with NULL. Python does not call it when the signal arrives: a second signal ends training from
# inside a signal handler, and a signal handler must not call R.
watch_uncaught <- function(code) {
  watched <- as.call(list(end_as_preempted))
  now <- getOption("error")
  if (!is.null(code) && is.null(now) && !interactive()) {
    options(error = watched)
  } else if (is.null(code) && identical(now, watched)) {
    options(error = NULL)
  }
}

# R's own signal handlers must also be restored when fit() ended with an error. Python keeps its frames for as
# long as reticulate keeps the error, and Python does not see a signal while R runs. So R restores the
# handlers after the top-level command. R does not do it when fit() exits: an interrupt may be in progress
# then, and R must not call Python during an interrupt.
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

# Ends a script after an uncaught error. If the option `error` is set, R continues after an error. So this
# function ends the script after every error, as R itself does, and not only after a preemption. Before an
# error of another kind, a signal may have arrived too late for fit() to handle it. Then that signal ends the
# script.
end_as_preempted <- function() {
  try(r_door(convert = FALSE)$send_signals_again(), silent = TRUE)
  status <- tryCatch(status_of_error(geterrmessage()), error = function(cnd) 1L)
  if (status == 1L) {
    cat(gettext("Execution halted\n", domain = "R"), file = stderr())
  }
  quit("no", status = status, runLast = FALSE)
}

# The exit code of the last preemption, if the uncaught error is that preemption or has it as its parent. The
# status is 1 if the script caught the preemption and this is another error.
status_of_error <- function(text) {
  exception <- last_exception()
  if (!inherits(exception, "rekindle.TrainingPreempted")) {
    return(1L)
  }
  # Compare only the beginning: R truncates long messages, and may print the letters of a path differently.
  said <- substr(text_of(exception), 1, 30)
  if (grepl(said, gsub("[[:space:]]+", " ", text), fixed = TRUE)) data_of(exception)$code else 1L
}
