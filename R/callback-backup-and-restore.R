#' Back up a training run, and go on with it after it was killed
#'
#' @description
#' A callback for `fit()` of a Keras 3 model. While training goes on it keeps a backup of it in `backup_dir`.
#' When the process dies, however it dies, run the same script again: `fit()` then begins by restoring the
#' last save, and goes on from there. When training completes, the backup is deleted.
#'
#' A save holds the model, the optimizer, the place in the data, the random states of R, Python, NumPy and
#' the backend, the state of the other callbacks, and the history. A resumed run therefore ends with the
#' weights of the run that was never interrupted; where something cannot be brought back exactly, a warning
#' says what. What a callback remembers outside of itself is not seen: see "State kept in R", below.
#'
#' It takes the arguments of the function of the same name in keras3, with the same meaning, and can stand in
#' its place. What differs is what a crash leaves behind: a save is written beside the one before and becomes
#' valid in a single step, with checksums, so that a kill, a power cut or a full disk at any instant leaves
#' the last good save readable; and nothing in the folder that rekindle did not write is ever touched.
#'
#' @param backup_dir Path of the folder for the backup. Created when it does not exist. It belongs to this
#'   training run alone: a second run that tries to use it at the same time is refused.
#' @param save_freq When to save: `"epoch"`, at the end of every epoch; a whole number, every so many
#'   batches, counted across epochs; `FALSE`, never by itself.
#' @param double_checkpoint `TRUE` keeps the last two saves instead of one. While a save is being written the
#'   one before it always stays, whatever is chosen here.
#' @param delete_checkpoint `FALSE` keeps the backup after training completed.
#' @param ... Must be empty: the arguments after it must be named.
#' @param restore_history `TRUE` gives the `history` of a resumed run all epochs from the first one on, each
#'   under its own number. `FALSE` gives only the epochs that this call of `fit()` ran, as Keras does.
#' @param on_mismatch What to do when the optimizer, the loss, the batch size, the shuffling, the steps or the
#'   length of the data are not those of the backup: `"error"` stops, `"warn"` goes on. A backup of another
#'   model is always an error.
#' @param on_save_error What to do when a save cannot be written, because the disk is full, say: `"warn"` goes
#'   on training on the strength of the save before, `"raise"` stops.
#' @param extra_state `NULL`, or a named list of what else belongs to the run. Each element is either a Python
#'   object that has a state (one with the methods `state_dict()` and `load_state_dict()`, or a Keras
#'   variable, layer, optimizer or metric, or a random generator of Python, NumPy or PyTorch), or a pair of R
#'   functions: `list(take = function() ..., put = function(value) ...)`.
#' @param verbose `0` is silent, `1` says what was restored, `2` also says each save.
#'
#' @returns A Python callback object for the `callbacks` argument of `fit()`. It can stand there beside other
#'   Python and R callbacks. After `fit()` has begun, its field `resume_report` is `NULL` when nothing was
#'   restored. Otherwise it is a list with `epoch` (counted from 0) and `batch`, the place that training goes
#'   on from; `step`, the training steps done so far; `number` and `time` of the restored save, the time in
#'   seconds since 1970; `exact`, whether everything could be brought back as it was; and `notes`, what could
#'   not.
#'
#' @section State kept in R:
#' R's random state, `.Random.seed`, is saved and put back: the next [runif()] after a resumed `fit()` is that
#' of the run never killed.
#'
#' Of a callback made with keras3's `Callback()` or `new_callback_class()`, what it assigns to `self` is saved
#' by itself: numbers, strings, lists. What it keeps in `private`, in an environment, or in variables of an
#' enclosing function stays in R, where nobody sees it. Either give the callback the methods `state_dict()`,
#' which returns its state as a list, and `load_state_dict(state)`, which takes such a list; what is saved of
#' the callback is then that list alone. Or let `extra_state` see the variables:
#'
#' ```r
#' seen <- 0
#' count <- callback_lambda(on_epoch_end = function(epoch, logs) seen <<- seen + 1)
#' backup <- callback_backup_and_restore(
#'   "backup",
#'   extra_state = list(
#'     seen = list(take = function() seen, put = function(value) seen <<- value)
#'   )
#' )
#' ```
#'
#' What `take()` returns may be `NULL`, a vector, a factor, a data frame, or a list of these. `put()` is given
#' the same value, missing values and attributes included. `take()` is called at each save, and when the
#' backup callback is made.
#'
#' @section Conditions:
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`; a missing Python,
#' Keras or Keras backend one of class `rekindle_dependency`. Both have the class `rekindle_error`.
#' Errors that come up during `fit()` have R classes when the call stands in [with_python_conditions()].
#'
#' @seealso [with_python_conditions()]; `vignette("surviving-interruptions", package = "rekindle")`.
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' fit <- function(...) {
#'   model <- keras$Sequential(list(
#'     keras$layers$Input(reticulate::tuple(20L)),
#'     keras$layers$Dense(10L)
#'   ))
#'   model$compile(optimizer = "sgd", loss = "mse")
#'   model$fit(
#'     np$ones(c(5L, 20L)), np$zeros(c(5L, 10L)),
#'     epochs = 10L, batch_size = 1L, verbose = 0L,
#'     callbacks = list(callback_backup_and_restore(backup_dir), ...)
#'   )
#' }
#'
#' # Something goes wrong in epoch 4 (counting from 0) ...
#' interrupt <- keras$callbacks$LambdaCallback(
#'   on_epoch_begin = function(epoch, logs) if (epoch == 4) stop("Interrupting!")
#' )
#' tryCatch(
#'   with_python_conditions(fit(interrupt)),
#'   python.builtin.RuntimeError = function(e) message("Interrupted!")
#' )
#'
#' # ... and the same call again runs the 6 epochs that are left.
#' history <- fit()
#' length(history$epoch)
callback_backup_and_restore <- function(backup_dir,
                                        save_freq = "epoch",
                                        double_checkpoint = FALSE,
                                        delete_checkpoint = TRUE,
                                        ...,
                                        restore_history = TRUE,
                                        on_mismatch = "error",
                                        on_save_error = "warn",
                                        extra_state = NULL,
                                        verbose = 0) {
  check_path(backup_dir)
  check_save_freq(save_freq)
  check_flag(double_checkpoint)
  check_flag(delete_checkpoint)
  check_dots_unused(..., known = names(formals(callback_backup_and_restore)))
  check_flag(restore_history)
  check_one_of(on_mismatch, c("error", "warn"))
  check_one_of(on_save_error, c("warn", "raise"))
  check_extra_state(extra_state)
  check_one_of(verbose, 0:2)

  keras_part <- rekindle_module("keras")
  add_random_seed()
  convert_exceptions(
    keras_part$BackupAndRestore(
      backup_dir = as_python_path(backup_dir),
      save_freq = as_python_save_freq(save_freq),
      double_checkpoint = double_checkpoint,
      delete_checkpoint = delete_checkpoint,
      restore_history = restore_history,
      on_mismatch = on_mismatch,
      on_save_error = on_save_error,
      extra_state = as_python_extra_state(extra_state),
      verbose = as.integer(verbose)
    ),
    call = current_env()
  )
}
