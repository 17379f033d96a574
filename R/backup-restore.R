#' Put the weights of a backup into a model
#'
#' @description
#' Restores weights outside of `fit()`. You can evaluate a run that died, predict with a run that still
#' continues in another session, or begin something else with its weights. To resume the training itself, call
#' `fit()` with [callback_backup_and_restore()] instead, which restores everything.
#'
#' rekindle restores all variables of the model, those that are not trained included. It does not change the
#' optimizer. It verifies every byte before it uses the byte. `backup_restore()` does not lock the folder and
#' changes nothing in it.
#'
#' @param model A built Keras model, of keras3 or of keras, made by the code that made the saved model. It is
#'   changed in place.
#' @inheritParams backup_info
#' @param which Which checkpoint to take: `"latest"`, the newest complete checkpoint; or a number or a name as
#'   [backup_info()] shows them. If you ask for a number or a name, rekindle reads only the weights of this
#'   checkpoint: you can have them as long as they themselves are intact.
#'
#' @returns The model, invisibly.
#'
#' @section Conditions:
#' A backup of another model gives an error of class `rekindle_mismatch` with the field `differences`. So does
#' a model that has no variables yet. In both cases the model is not changed. A folder without a checkpoint,
#' or without the checkpoint that you asked for, gives an error of class `rekindle_restore`. A damaged
#' checkpoint gives an error of class `rekindle_damage`. An argument that is not of the accepted form gives an
#' error of class `rekindle_argument`.
#'
#' @seealso [backup_info()], [backup_arrays()] for the weights as R arrays. [backup_export()] writes a file
#'   that `load_model_weights()` takes.
#' @family functions that use a backup outside of fit()
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
backup_restore <- function(model, backup_dir, which = "latest", ..., storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_restore)))
  check_model(model)
  check_folder(backup_dir)
  check_which(which)
  check_storage_options(storage_options)
  inspection <- inspection()
  # For a model of Keras 2, no Keras 3 needs to be installed. For another model, this imports Keras 3. If it
  # is missing, the error says what to install.
  if (!r_door()$is_of_keras_2(model)) {
    rekindle_module("keras")
  }
  convert_exceptions(
    inspection$restore_weights(
      model, as_python_path(backup_dir), as_python_which(which),
      storage_options = as_python_storage_options(storage_options)
    ),
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
