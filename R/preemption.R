#' Choose how to answer a preemption
#'
#' @description
#' Options for the argument `save_before_preemption` of [callback_backup_and_restore()]. Many schedulers and
#' clouds send a signal some time before they kill a process. rekindle answers it with a checkpoint at the end
#' of the current batch or validation step. `save_before_preemption = TRUE` means `preemption()`.
#'
#' @param signals Names of the signals, such as `"SIGTERM"`. rekindle ignores signals that the system lacks.
#'   SIGKILL and SIGSTOP cannot be handled, and SIGINT is R's interrupt.
#' @param then What to do after the checkpoint. `"stop"` ends training with the condition
#'   `rekindle_preempted`. `"continue"` continues training: it is for signals that come as an early warning.
#' @param exit_code The exit status of a script that ends in this way, from 1 to 255. Unix calls 75 a
#'   temporary failure, and [run_with_restarts()] treats it so.
#' @param grace Seconds between such a signal and the kill that follows it. If rekindle is writing a
#'   checkpoint when the signal comes, and could not finish another checkpoint in time, it relies on that
#'   checkpoint and begins no other.
#'
#' @returns An object of class `rekindle_preemption`, which you can print: a list with the four arguments.
#' @inheritSection retention Conditions
#'
#' @family functions for training with fit()
#' @export
#' @examples
#' # Slurm sends SIGUSR1 two minutes before the time limit: `#SBATCH --signal=USR1@120`
#' preemption("SIGUSR1", grace = 120)
preemption <- function(signals = c("SIGTERM", "SIGUSR1", "SIGUSR2"),
                       then = "stop",
                       exit_code = 75,
                       grace = 30) {
  check_signals(signals)
  check_one_of(then, c("stop", "continue"))
  check_exit_code(exit_code)
  check_seconds(grace)
  new_option(
    "rekindle_preemption",
    list(signals = unname(signals), then = then, exit_code = exit_code, grace = grace)
  )
}

#' @export
print.rekindle_preemption <- function(x, ...) {
  print_option(x, c(
    paste("answers", if (length(x$signals)) toString(x$signals) else "no signal", "with a checkpoint"),
    if (x$then == "stop") {
      paste("then stops training, with exit status", format_plain(x$exit_code))
    } else {
      "then continues training"
    },
    paste("expects the kill", format_plain(x$grace), "seconds after the signal")
  ))
}

check_save_before_preemption <- function(x, save_freq, arg = caller_arg(x), call = caller_env()) {
  if (inherits(x, "rekindle_preemption")) {
    return(invisible())
  }
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be TRUE, FALSE or a `preemption()`, not ", describe(x), "."),
        i = "For instance: `preemption(\"SIGUSR1\", then = \"continue\")`."
      ),
      x, arg, call
    )
  }
  if (!x && isFALSE(save_freq)) {
    abort_argument(
      c(
        paste0("With `save_freq = FALSE` and `", arg, " = FALSE` nothing would ever be saved."),
        i = "`save_freq = FALSE` saves before a preemption only. Change one of them."
      ),
      x, arg, call
    )
  }
}

# The signals of POSIX and Linux that a program can handle, without R's interrupt. On a system that lacks one,
# Python refuses it.
known_signals <- paste0("SIG", c(
  "HUP", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS", "USR1", "USR2", "PIPE", "ALRM", "TERM",
  "STKFLT", "CHLD", "CONT", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
  "POLL", "PWR", "INFO", "EMT", "BREAK", "RTMIN", "RTMAX"
))

check_signals <- function(x, arg = caller_arg(x), call = caller_env()) {
  wrong <- if (is.character(x)) setdiff(x, known_signals) else x
  if (!is.character(x) || length(wrong)) {
    wrong <- if (is.character(x)) wrong[[1]] else x
    abort_argument(
      c(
        paste0("`", arg, "` must be names of signals, not ", describe(wrong), "."),
        i = "They are spelled such as \"SIGTERM\".",
        i = "SIGKILL and SIGSTOP cannot be handled, and SIGINT is R's interrupt."
      ),
      x, arg, call
    )
  }
}

check_exit_code <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is_count(x) || x > 255) {
    abort_argument(
      paste0("`", arg, "` must be a whole number from 1 to 255, not ", describe(x), "."),
      x, arg, call
    )
  }
}

as_python_preemption <- function(x) {
  if (is.logical(x)) {
    return(x)
  }
  rekindle_module()$Preemption(
    signals = as.list(x$signals),
    then = x$then,
    exit_code = as.integer(x$exit_code),
    grace = as.double(x$grace)
  )
}
