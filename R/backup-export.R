#' Write a checkpoint into a file of Keras or of Synalinks
#'
#' @description
#' Writes a checkpoint into a file that another script can load without rekindle. The name of the file says
#' for which library it is: `.weights.h5` for `load_model_weights()` of keras3, or `.variables.json` for
#' `load_variables()` of a program of Synalinks. The file appears under its name once it is complete.
#' `backup_export()` does not lock the folder and changes nothing in it.
#'
#' @inheritParams backup_restore
#' @param file Path of the file to write. Its name ends in `.weights.h5` or `.variables.json`.
#' @param model For `.weights.h5`, a built model of keras3, made by the code that made the saved model: Keras
#'   names the weights in such a file by the layers that hold them, and a checkpoint does not have these
#'   names. The model holds the weights of the checkpoint afterwards. If the model is compiled with an
#'   optimizer that fits the checkpoint, the file holds the state of the optimizer, too. For
#'   `.variables.json`, `NULL`: no program is needed, and Synalinks need not be installed.
#' @param ... Must be empty: the arguments after it must be named.
#' @param force `TRUE` replaces the file if it exists.
#'
#' @details
#' A `.variables.json` file is the one that `program$save_variables()` would have written at that moment. The
#' prompts and examples in it are those that training had tried last. Synalinks puts the best ones in their
#' place when `fit()` ends; until then they are in the field `best_candidates`.
#'
#' @returns The path of the file, invisibly.
#'
#' @section Conditions:
#' A checkpoint of another model, or one that is not of the library of the file, gives an error of class
#' `rekindle_mismatch`. A file that exists gives an error of class `rekindle_foreign_file`, unless `force` is
#' `TRUE`. A file that cannot be written gives an error of class `rekindle_save`. A folder without a
#' checkpoint, or without the checkpoint that you asked for, gives an error of class `rekindle_restore`. A
#' damaged checkpoint gives an error of class `rekindle_damage`. An argument that is not of the accepted form
#' gives an error of class `rekindle_argument`.
#'
#' @seealso [backup_arrays()]. The same from a shell: `python -m rekindle export`.
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
#' file <- backup_export(backup_dir, tempfile(fileext = ".weights.h5"), make_model())
#' again <- make_model()
#' again$load_weights(file)
#' identical(again$get_weights(), model$get_weights())
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_export <- function(backup_dir, file, model = NULL, which = "latest", ..., force = FALSE,
                          storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_export)))
  check_folder(backup_dir)
  check_new_file(file, c(".weights.h5", ".variables.json"))
  of_synalinks <- endsWith(file, ".variables.json")
  check_export(file, model, of_synalinks)
  check_which(which)
  check_flag(force)
  check_storage_options(storage_options)
  inspection <- inspection()
  directory <- as_python_path(backup_dir)
  path <- as_python_path(file)
  which <- as_python_which(which)
  options <- as_python_storage_options(storage_options)
  if (!of_synalinks) {
    # If Keras is missing, the error says what to install.
    rekindle_module("keras")
  }
  convert_exceptions(
    if (of_synalinks) {
      inspection$export_variables(directory, path, which, force = force, storage_options = options)
    } else {
      inspection$export_weights(directory, path, model, which, force = force, storage_options = options)
    },
    call = current_env()
  )
  invisible(file)
}

check_export <- function(file, model, of_synalinks, call = caller_env()) {
  if (of_synalinks && !is.null(model)) {
    abort_argument(
      "`model` must be NULL for a \".variables.json\" file: such a file needs no program.",
      model, "model", call
    )
  }
  if (!of_synalinks) {
    check_model(model, arg = "model", call = call)
  }
}
