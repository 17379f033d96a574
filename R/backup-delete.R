#' Delete a backup
#'
#' @description
#' Removes every checkpoint in a backup folder, and all other files of rekindle in it. It also removes the
#' folder if the folder is then empty and rekindle created it. It keeps files that rekindle did not write, and
#' damaged files that rekindle has quarantined.
#'
#' `backup_delete()` does not change a folder that a run has locked. You seldom need this function:
#' [callback_backup_and_restore()] deletes the backup by itself when training is complete. Use it for a run
#' that died and that you do not want to resume.
#'
#' @inheritParams backup_info
#' @param ... Must be empty: the arguments after it must be named.
#' @param ask Whether to ask first, with the number of checkpoints. By default in an interactive session.
#'
#' @returns Whether it deleted the backup, invisibly: `FALSE` if the answer was no, or if there was nothing to
#'   delete.
#'
#' @section Conditions:
#' A folder that a run has locked gives an error of class `rekindle_lock` with the fields `host`, `pid` and
#' `started`. A folder that a newer version of rekindle wrote gives an error of class `rekindle_format`. If a
#' foreign file has the name of a checkpoint, you get an error of class `rekindle_foreign_file`. In these
#' cases nothing is removed. If the system refuses to remove something, you get an error of class
#' `rekindle_restore`.
#'
#' @family functions that use a backup outside of fit()
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
#' backup_delete(backup_dir, ask = FALSE)
#' dir.exists(backup_dir)
backup_delete <- function(backup_dir, ..., ask = is_interactive(), storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_delete)))
  check_folder(backup_dir)
  check_flag(ask)
  check_storage_options(storage_options)
  inspection <- inspection()
  before <- backup_info(backup_dir, storage_options = storage_options)
  if (ask && nrow(before$saves) && !is_agreed(before)) {
    cli::cli_inform(c(i = "Nothing was deleted."))
    return(invisible(FALSE))
  }
  done <- convert_exceptions(
    as_r_list(inspection$delete(
      as_python_path(backup_dir),
      storage_options = as_python_storage_options(storage_options)
    )),
    call = current_env()
  )
  tell_deletion(done, before)
  invisible(length(done$removed) > 0)
}

is_agreed <- function(info) {
  info <- all_printable(info)
  question <- cli::format_inline(
    "Delete {nrow(info$saves)} checkpoint{?s} ({size_text(info$size)}) in {place_text(info$directory)}?"
  )
  isTRUE(utils::askYesNo(question, default = FALSE))
}

tell_deletion <- function(done, before) {
  kept <- printable(as.character(unlist(done$kept)))
  before <- all_printable(before)
  if (length(done$removed) == 0) {
    cli::cli_inform(c(i = "There is no backup in {place_text(before$directory)}."))
  } else {
    cli::cli_inform(c(v = "Deleted {nrow(before$saves)} checkpoint{?s} in {place_text(before$directory)}."))
  }
  if (length(kept)) {
    cli::cli_inform(c(i = "{length(kept)} other file{?s} stay{?s/} there: {.file {kept}}."))
  }
}
