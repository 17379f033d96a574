#' The history of a run, from its backup
#'
#' @description
#' Returns the history that `fit()` would return, for a run that died, or that still continues in another
#' session: every epoch up to the last checkpoint, over all calls of `fit()` that it took. `backup_history()`
#' does not lock the folder and changes nothing in it.
#'
#' @inheritParams backup_info
#' @param which Which checkpoint to take: `"latest"`, or a number or a name as [backup_info()] shows them.
#'
#' @returns With keras3 installed, a `keras_training_history`, the class that its `fit()` returns: it prints
#'   the last epoch, and [as.data.frame()] takes it. Without keras3, the data frame that as.data.frame() would
#'   return: a row for each metric and epoch, with the columns `epoch` (counted from 1), `value`, `metric`,
#'   and `data`, which is `"training"` or `"validation"`.
#'
#' [plot()] draws both. It draws a panel for each metric, with `ggplot2` if it is installed (then it returns
#' the plot), or else with base graphics. Its arguments are `metrics`, the names of the metrics to draw, and
#' `method`, `"auto"`, `"ggplot2"` or `"base"`. If the run had several attempts, a dashed line marks where
#' each attempt ended, and a gray area what the next attempt trained again. With `ggplot2`, `autoplot()`
#' returns the same plot.
#'
#' The attribute `"attempts"` is a data frame with a row for each attempt of the run: its `number`; when it
#' `began`; the number of the `checkpoint` that it resumed from, or `NA`; `from`, how many epochs were done
#' then, with a fraction for batches; `to`, how many epochs were done where the attempt was last seen;
#' `until`, when that was; and how it `ended`: `"complete"`, `"preempted"`, `"stopped"`, `"died"`,
#' `"running"` or `"unknown"`. It has no rows if an earlier version of rekindle wrote the checkpoint.
#'
#' If some epochs did not report a metric, as with `validation_freq`, the metric is `NA` there. Earlier
#' versions of rekindle did not save which epochs these were. In a checkpoint of such a version, a metric with
#' fewer values than there are epochs is `NA` everywhere, and a message says so.
#'
#' @section Conditions:
#' A folder without a checkpoint, or without the checkpoint that you asked for, gives an error of class
#' `rekindle_restore`. A damaged checkpoint gives an error of class `rekindle_damage`. A checkpoint that is
#' not of a `fit()` gives an error of class `rekindle_mismatch`. An argument that is not of the accepted form
#' gives an error of class `rekindle_argument`.
#'
#' @seealso [callback_backup_and_restore()], which writes it. The same from a shell: `python -m rekindle
#'   history`.
#' @family functions that look into a backup
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse", metrics = list("mae"))
#'
#' # The run dies in its sixth epoch ...
#' interrupt <- keras$callbacks$LambdaCallback(
#'   on_epoch_begin = function(epoch, logs) if (epoch == 5) stop("Interrupting!")
#' )
#' try(silent = TRUE, model$fit(
#'   np$ones(c(20L, 4L)), np$zeros(c(20L, 1L)),
#'   epochs = 10L, verbose = 0L,
#'   callbacks = list(callback_backup_and_restore(backup_dir), interrupt)
#' ))
#'
#' # ... and this is how far it came.
#' history <- backup_history(backup_dir)
#' as.data.frame(history)
#' plot(history)
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_history <- function(backup_dir, which = "latest", ..., storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_history)))
  check_folder(backup_dir)
  check_which(which)
  check_storage_options(storage_options)
  found <- convert_exceptions(
    as_r_list(inspection()$history(
      as_python_path(backup_dir), as_python_which(which),
      storage_options = as_python_storage_options(storage_options)
    )),
    call = current_env()
  )
  last <- max(0, unlist(found$epoch) + 1)
  check_table(length(found$metrics), last, sum(lengths(found$metrics)))
  metrics <- Map(on_epochs, found$metrics, found$epochs[names(found$metrics)], last)
  tell_unknown_epochs(found)
  attempts <- attempts_frame(found$attempts, found$batches)
  # The methods of keras and keras3 for their history class exist only when the namespace is loaded. keras3
  # would replace those of keras.
  if (!isNamespaceLoaded("keras") && !requireNamespace("keras3", quietly = TRUE)) {
    return(structure(
      history_frame(metrics),
      class = c("rekindle_history", "data.frame"), attempts = attempts
    ))
  }
  structure(
    list(params = list(epochs = as.integer(last)), metrics = metrics),
    class = c("rekindle_history", "keras_training_history"), attempts = attempts
  )
}

# One value for each epoch from the first to the last. An epoch without a value has NA.
on_epochs <- function(values, epochs, last) {
  values <- vapply(values, function(value) if (is.numeric(value)) value else NA_real_, 0)
  epochs <- vapply(epochs, value_or_na, 0, type = "double") + 1
  known <- !is.na(epochs) & epochs >= 1 & epochs <= last
  filled <- rep(NA_real_, last)
  filled[epochs[known]] <- values[known]
  filled
}

# A forged folder may name an epoch so late that the rows for all epochs before it do not fit into memory. Or
# it may name thousands of metrics with one epoch each.
check_table <- function(metrics, last, values, call = caller_env()) {
  cells <- max(1, metrics) * last
  if (cells > 1e6 && cells > 10 * values) {
    abort(
      c(
        paste0("The history has too many epochs for a table: ", format(last), " of ", metrics, " metrics."),
        i = "From a shell, `python -m rekindle history --json` writes its values."
      ),
      class = c("rekindle_damage", "rekindle_error"),
      call = call
    )
  }
}

tell_unknown_epochs <- function(found) {
  unknown <- names(Filter(function(epochs) any(lengths(epochs) == 0), found$epochs))
  if (length(unknown)) {
    inform(c(i = paste0(
      "An earlier version of rekindle wrote this checkpoint and did not record which epochs reported ",
      toString(dQuote(printable(unknown), FALSE)), ". These epochs are NA."
    )))
  }
}

# The same data frame as keras3's as.data.frame() makes of a history.
history_frame <- function(metrics) {
  names <- names(metrics)
  epochs <- max(0, lengths(metrics))
  plain <- sub("^val_", "", names)
  data.frame(
    epoch = rep(seq_len(epochs), length(metrics)),
    value = as.numeric(unlist(metrics)),
    metric = factor(rep(plain, each = epochs), unique(plain)),
    data = factor(
      rep(startsWith(as.character(names), "val_"), each = epochs),
      c(FALSE, TRUE), c("training", "validation")
    )
  )
}

#' @export
print.rekindle_history <- function(x, ...) {
  if (is.data.frame(x) || length(x$metrics)) {
    shown <- all_printable(x)
    class(shown) <- setdiff(class(shown), "rekindle_history")
    if (is.data.frame(shown)) levels(shown$metric) <- printable(levels(shown$metric))
    print(shown, ...)
  } else {
    cat("No epoch has ended yet.\n")
  }
  invisible(x)
}
