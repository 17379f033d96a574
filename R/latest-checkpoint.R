#' The newest checkpoint in a folder
#'
#' @description
#' Finds the newest checkpoint that is whole, whoever saved it there: a [checkpoint_manager()], the `$save()`
#' of a [checkpoint()], or Python. Every byte of it is verified; a damaged one is passed over, and the one
#' before it is named. Nothing in the folder is changed, and a run may go on in it meanwhile.
#'
#' @param directory Path of the folder.
#'
#' @returns Its path, `<directory>/<name>-<number>`, to be given to the `$restore()` of a checkpoint; `NULL`
#'   when there is none. Among those of one name the last saved is the newest, whatever its number; between
#'   names, the time decides.
#'
#' @section Conditions:
#' `rekindle_damage`: there are checkpoints, and none is whole. `rekindle_restore`: the system refused to
#' read. `rekindle_argument`: `directory` is not a path. All have the class `rekindle_error`.
#'
#' @seealso [checkpoint()], [checkpoint_manager()]
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' folder <- tempfile("checkpoints")
#' latest_checkpoint(folder)
#'
#' ckpt <- checkpoint(step = 1)
#' ckpt$save(file.path(folder, "ckpt"))
#' basename(latest_checkpoint(folder))
#' unlink(folder, recursive = TRUE)
latest_checkpoint <- function(directory) {
  check_path(directory, role = "the folder to look into")
  module <- rekindle_module()
  show_messages()
  call_python(module$latest_checkpoint(as_python_path(directory)), current_env())
}
