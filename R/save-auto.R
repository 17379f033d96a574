#' Choose the bounds of automatic saving
#'
#' @description
#' Options for the argument `save_freq` of [callback_backup_and_restore()]. `save_freq = "auto"` means
#' `save_auto()`: rekindle chooses the interval between checkpoints during training. The section "How does
#' rekindle choose intervals?" of [callback_backup_and_restore()] explains how.
#'
#' @param max_overhead How much longer saving may make training, as a share: 0.035 is 3.5 %.
#' @param mean_time_between_failures How long such a run lasts on average until it is killed: a number of
#'   seconds, a time such as `"6 h"` or a difftime, or `NULL` if you do not know it.
#'
#' @returns An object of class `rekindle_save_auto`, which you can print: a list with the two arguments.
#' @inheritSection retention Conditions
#'
#' @family functions for training with fit()
#' @export
#' @examples
#' save_auto(max_overhead = 0.01, mean_time_between_failures = "6 h")
save_auto <- function(max_overhead = 0.035, mean_time_between_failures = NULL) {
  check_max_overhead(max_overhead)
  check_between_failures(mean_time_between_failures)
  new_option(
    "rekindle_save_auto",
    list(max_overhead = max_overhead, mean_time_between_failures = mean_time_between_failures)
  )
}

#' @export
print.rekindle_save_auto <- function(x, ...) {
  failures <- x$mean_time_between_failures
  print_option(x, c(
    paste0("makes training at most ", format_plain(100 * x$max_overhead), " % longer"),
    if (is.numeric(failures) && !is.object(failures)) {
      paste("expects a failure every", format_plain(failures), "seconds")
    } else if (!is.null(failures)) {
      paste("expects a failure every", format(failures))
    }
  ))
}

check_max_overhead <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!(is_number(x) && x > 0 && x <= 1)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be a number above 0 and up to 1, not ", describe(x), "."),
        i = "0.035 is 3.5 % of the time that training takes."
      ),
      x, arg, call
    )
  }
}

check_between_failures <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && !(is_number(x) && x > 0) && !is_time(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be NULL, a number of seconds above 0 or a time, not ", describe(x), "."),
        i = "A time is a difftime, or a string such as \"6 h\" or \"1 day\".",
        i = hint_at_difftime(x)
      ),
      x, arg, call
    )
  }
}

# What save_auto(), preemption() and retention() return: a list with a class.
new_option <- function(class, fields) {
  structure(fields, class = class)
}

print_option <- function(x, lines) {
  cat("<", class(x)[[1]], ">\n", paste0("  ", lines, "\n"), sep = "")
  invisible(x)
}
