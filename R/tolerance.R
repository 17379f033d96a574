#' Choose how exactly a resumed run must repeat the interrupted run
#'
#' @description
#' Options for the argument `on_difference` of [callback_backup_and_restore()] and [checkpoint_manager()]. A
#' resumed run is compared with the interrupted run, batch by batch and loss by loss. `on_difference = "warn"`
#' means `tolerance()`.
#'
#' @param relative The largest relative difference of two losses that count as equal, from 0 up. On a GPU,
#'   sums may come in another order each time; 1e-5 suits single precision. Batches of data are always
#'   compared bit for bit.
#' @param then What to do at the first difference. `"warn"` gives a warning, once. `"raise"` ends training
#'   with an error of class `rekindle_mismatch`; the checkpoints stay. `"ignore"` only notes the difference in
#'   `resume_report`.
#'
#' @returns An object of class `rekindle_tolerance`, which you can print: a list with the two arguments.
#' @inheritSection retention Conditions
#'
#' @section Is the resumed run the same?:
#' After a kill, the resumed run trains the batches again that the killed run had trained after its last
#' checkpoint. rekindle compares the two: while training runs, it notes a digest of each batch, the loss after
#' it, and the metrics of each epoch in the file `ckpt.witness` of the backup. It looks at fewer batches if
#' looking would cost more than a thousandth of the time of a step. With TensorFlow, batches stay inside
#' TensorFlow, and losses are compared.
#'
#' `resume_report$evidence` is the result: `"verified"` if everything compared so far was the same;
#' `"unverified"` if there was no loss to compare, because the kill came right after the checkpoint;
#' `"changed"` if the set-up was changed, so that another result is expected; `"differs"` from the first
#' difference on. `resume_report$compared` counts the `batches`, `losses` and `epochs` that were the same, and
#' has the `largest` relative difference of a loss. Later checkpoints keep the result, and [backup_info()]
#' shows it. With `verbose = 1`, `fit()` reports it.
#'
#' @section What may I change between two runs?:
#' You may freely change `verbose`, the validation data and `epochs`, you may add callbacks, and you may leave
#' out callbacks of Keras that only watch, such as `callback_csv_logger()`. `fit()` refuses a backup if
#' another setting differs, unless `allow_changes` names it:
#'
#' * `"learning_rate"`, `"weight_decay"`; `"optimizer"` stands for every setting of the optimizer.
#' * `"loss"`: the loss, or `class_weight`.
#' * `"batch_size"`; `"steps"`: `steps_per_epoch` or `steps_per_execution`.
#' * `"data"`: other data, another number of samples, `shuffle`, a vocabulary or bins that a layer was adapted
#'   to.
#' * `"epochs"`: an `initial_epoch` that is lower than that of the backup.
#' * `"callbacks"`: callbacks that you left out, added or gave other arguments.
#' * `"language_models"`: those of a program of Synalinks.
#' * `"backend"`, such as JAX in place of PyTorch.
#' * `"devices"`: their number, their kind or their mesh.
#' * `"versions"` of Python, NumPy, Keras and the backend.
#' * `"all"`: everything above, with a warning for each difference.
#'
#' A change that you name gives no warning. `resume_report` has it in `notes`; `exact` is `FALSE` and
#' `evidence` is `"changed"`. The next checkpoint is of the new set-up, so you may then remove the name. Other
#' devices, other versions and callbacks that you left out are not refused if you do not name them: a warning
#' reports them. If you name `"data"`, `"loss"`, `"optimizer"`, `"learning_rate"` or `"callbacks"` and
#' rekindle finds no change there, it compares the runs as always, and takes a difference for the change that
#' you mean.
#'
#' @family functions for training with fit()
#' @export
#' @examples
#' tolerance(1e-5, then = "raise")
tolerance <- function(relative = 0, then = "warn") {
  if (!is_number(relative) || relative < 0) {
    abort_argument(
      paste0("`relative` must be a number from 0 up, such as 1e-5, not ", describe(relative), "."),
      relative, "relative", current_env()
    )
  }
  check_one_of(then, c("warn", "raise", "ignore"))
  new_option("rekindle_tolerance", list(relative = relative, then = then))
}

#' @export
print.rekindle_tolerance <- function(x, ...) {
  print_option(x, c(
    if (x$relative == 0) {
      "losses must be equal, bit for bit"
    } else {
      paste("losses may differ by", format(x$relative), "of their value")
    },
    switch(x$then,
      warn = "then warns, once",
      raise = "then ends training",
      ignore = "then only notes it in resume_report"
    )
  ))
}

check_on_difference <- function(x, arg = caller_arg(x), call = caller_env()) {
  is_choice <- is.character(x) && length(x) == 1 && x %in% c("warn", "raise", "ignore")
  if (!inherits(x, "rekindle_tolerance") && !is_choice) {
    abort_argument(
      c(
        paste0(
          "`", arg, "` must be \"warn\", \"raise\", \"ignore\" or a `tolerance()`, not ", describe(x), "."
        ),
        i = "For instance: `tolerance(1e-5)`."
      ),
      x, arg, call
    )
  }
}

as_python_difference <- function(x) {
  if (is.character(x)) {
    return(x)
  }
  rekindle_module()$Tolerance(relative = as.double(x$relative), then = x$then)
}
