#' Choose which checkpoints to keep
#'
#' @description
#' A rule for the argument `retention` of [callback_backup_and_restore()]. Without a rule, rekindle keeps the
#' last checkpoint, or the last two with `double_checkpoint = TRUE`.
#'
#' rekindle removes the other checkpoints after each save. A resumed run continues from the newest checkpoint,
#' not from the best one. When training completes, rekindle removes all checkpoints, unless you give
#' `delete_checkpoint = FALSE`.
#'
#' @param last How many of the newest checkpoints to keep: a whole number >= 1. `NULL` keeps all.
#' @param best `NULL`, or `list(metric, mode, n)`, such as `list("val_loss", "min", 2)`. Beside the newest
#'   checkpoints, rekindle keeps the `n` checkpoints whose metric is the lowest (`"min"`) or the highest
#'   (`"max"`). rekindle looks for the metric in the logs that Keras gives when the checkpoint is taken.
#'   Validation metrics are there only at the end of an epoch.
#' @param every_hours `NULL`, or a number of hours above 0. A checkpoint that rekindle would remove stays for
#'   good if it was taken at least that many hours after the last checkpoint that stayed in this way.
#'
#' @returns An object of class `rekindle_retention`, which you can print: a list with the three arguments.
#' @section Conditions:
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`, which has the
#' class `rekindle_error`.
#'
#' @family functions for training with fit()
#' @export
#' @examples
#' retention(last = 3, best = list("val_loss", "min", 1), every_hours = 24)
retention <- function(last = 1, best = NULL, every_hours = NULL) {
  check_max_to_keep(last)
  check_keep_best(best, where = "the logs of the checkpoint")
  check_hours(every_hours)
  new_option("rekindle_retention", list(last = last, best = best, every_hours = every_hours))
}

#' @export
print.rekindle_retention <- function(x, ...) {
  print_option(x, rules_text(x$last, x$every_hours, x$best))
}

check_retention <- function(x, double_checkpoint, arg = caller_arg(x), call = caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  if (!inherits(x, "rekindle_retention")) {
    abort_argument(
      c(
        paste0("`", arg, "` must be NULL or a `retention()`, not ", describe(x), "."),
        i = "For instance: `retention(last = 3, best = list(\"val_loss\", \"min\", 1))`."
      ),
      x, arg, call
    )
  }
  if (double_checkpoint && !isTRUE(x$last == 2)) {
    abort_argument(
      c(
        paste0(
          "`double_checkpoint = TRUE` keeps 2 checkpoints, and `", arg, "` keeps ", kept_text(x$last), "."
        ),
        i = "Leave one of them out."
      ),
      x, arg, call
    )
  }
}

kept_text <- function(last) {
  if (is.null(last)) "all" else format_plain(last)
}

as_python_retention <- function(x) {
  if (!is.null(x)) {
    rekindle_module()$Retention(
      last = as_python_int(x$last),
      best = as_python_keep_best(x$best),
      every_hours = as_python_float(x$every_hours)
    )
  }
}
