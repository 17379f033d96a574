#' Write a report of a run
#'
#' @description
#' Writes one HTML file that needs nothing beside it. It shows each metric over the epochs, of training and
#' of validation, with the ends of attempts and the batches that were trained again; a table of the attempts:
#' when each began and was last seen, how it ended, the checkpoint that it resumed from, how many batches it
#' trained and trained again, the time that was lost to the failure and to saving, and whether it was
#' verified; and the settings.
#'
#' All of it comes from the newest complete checkpoint and the file `ckpt.witness`. A run may go on
#' meanwhile. A training that is complete removes its backup: for a report of it, use `delete_checkpoint =
#' FALSE` in [callback_backup_and_restore()].
#'
#' @inheritParams backup_info
#' @param file Path of the file to write, which ends in `.html` and is not in the backup folder. An earlier
#'   page of rekindle is replaced, and no other file.
#' @param ... Not used. The arguments after it must be named.
#' @param open Whether to show the report in a browser. By default, in an interactive session.
#'
#' @returns The absolute path of the file, invisibly.
#'
#' @section Conditions:
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`. A file that is no
#' page of rekindle gives an error of class `rekindle_foreign_file`, a file that cannot be written
#' `rekindle_save`. A folder without a backup, or one that the system refuses to read, gives an error of class
#' `rekindle_restore`, and one with damaged checkpoints only `rekindle_damage`.
#'
#' @seealso [callback_backup_and_restore()]. The same from a shell: `python -m rekindle report`.
#' @family functions that look into a backup
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' history <- model$fit(
#'   np$ones(c(20L, 4L)), np$zeros(c(20L, 1L)),
#'   epochs = 3L, verbose = 0L,
#'   callbacks = list(callback_backup_and_restore(backup_dir, delete_checkpoint = FALSE))
#' )
#'
#' report <- tempfile("report", fileext = ".html")
#' backup_report(backup_dir, report, open = FALSE)
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_report <- function(backup_dir, file, ..., open = interactive(), storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_report)))
  check_folder(backup_dir)
  check_new_file(file, ".html", role = "the HTML file to write")
  check_flag(open)
  check_storage_options(storage_options)
  path <- convert_exceptions(
    inspection()$report(
      as_python_path(backup_dir), as_python_path(file),
      storage_options = as_python_storage_options(storage_options)
    ),
    call = current_env()
  )
  if (open) {
    utils::browseURL(path)
  }
  invisible(path)
}
