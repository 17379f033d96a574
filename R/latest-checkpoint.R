#' The newest checkpoint in a folder
#'
#' @description
#' Finds the newest complete checkpoint. It may come from a [checkpoint_manager()], from the `$save()` of a
#' [checkpoint()], or from Python. `latest_checkpoint()` verifies every byte of the checkpoint. It skips a
#' damaged checkpoint and returns the previous checkpoint. It changes nothing in the folder, and a run may
#' continue in the folder meanwhile.
#'
#' @param directory Path of the folder.
#'
#' @returns The path of the checkpoint, `<directory>/<name>-<number>`, for the `$restore()` of a checkpoint;
#'   `NULL` if there is no checkpoint. Among checkpoints of the same name, the newest is the checkpoint that
#'   was saved last, whatever its number. Between names, the time decides.
#'
#' @section Conditions:
#' `rekindle_damage`: there are checkpoints, and none is complete. `rekindle_restore`: the system refused to
#' read. `rekindle_argument`: `directory` is not a path. All have the class `rekindle_error`.
#'
#' @seealso [backup_info()] lists all checkpoints of a folder.
#' @family functions for custom training loops
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
  check_folder(directory, role = "the folder to search")
  module <- rekindle_module()
  show_messages()
  found <- call_python(module$latest_checkpoint(as_python_path(directory)), current_env())
  # reticulate returns None invisibly, and a user who types the call must see NULL.
  found
}
