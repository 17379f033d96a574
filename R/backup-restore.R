#' Put the weights of a backup into a model
#'
#' @description
#' Restores weights outside of `fit()`: to evaluate a run that died, to predict with a run that is still going
#' on in another session, or to begin something else with its weights. To go on with the training itself, call
#' `fit()` with [callback_backup_and_restore()] instead; that restores everything.
#'
#' All variables of the model are put back, those that are not trained included. The optimizer stays as it is.
#' Every byte is verified before it is used. The folder is not locked and nothing in it is changed.
#'
#' @param model A built Keras model, made by the code that made the one that was saved. It is changed in
#'   place.
#' @inheritParams backup_info
#' @param which Which save to take: `"latest"`, the newest that is whole; or a number or a name as
#'   [backup_info()] shows them. Of a save that is asked for so, only the weights are read: they can be had as
#'   long as they themselves are whole.
#'
#' @returns The model, invisibly.
#'
#' @section Conditions:
#' A backup of another model gives an error of class `rekindle_mismatch` with the field `differences`, and so
#' does a model that has no variables yet; the model is not changed then. A folder without a save, or without
#' the one asked for, gives one of class `rekindle_restore`; a save that is damaged one of class
#' `rekindle_damage`; and an argument that is not of the accepted form one of class `rekindle_argument`.
#'
#' @seealso [backup_info()], [backup_arrays()]. For a file that `load_model_weights()` takes, there is `python
#'   -m rekindle export`.
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' make_model <- function() {
#'   keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
#' }
#' model <- make_model()
#' model$compile(optimizer = "sgd", loss = "mse")
#' history <- model$fit(
#'   np$ones(c(20L, 4L)), np$zeros(c(20L, 1L)),
#'   epochs = 3L, verbose = 0L,
#'   callbacks = list(callback_backup_and_restore(backup_dir, delete_checkpoint = FALSE))
#' )
#'
#' again <- backup_restore(make_model(), backup_dir)
#' identical(again$get_weights(), model$get_weights())
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_restore <- function(model, backup_dir, which = "latest") {
  check_model(model)
  check_path(backup_dir)
  check_which(which)
  inspection <- inspection()
  # Keras comes in with it, with the messages for when it is missing.
  rekindle_module("keras")
  convert_exceptions(
    inspection$restore_weights(model, as_python_path(backup_dir), as_python_which(which)),
    call = current_env()
  )
  invisible(model)
}

check_model <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (missing(x)) {
    abort_argument(paste0("`", arg, "` is absent, with no default."), NULL, arg, call)
  }
  if (!is_python(x)) {
    abort_argument(paste0("`", arg, "` must be a Keras model, not ", describe(x), "."), x, arg, call)
  }
}
