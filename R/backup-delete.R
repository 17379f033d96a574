#' Delete a backup
#'
#' @description
#' Removes every save in a backup folder, and what else is rekindle's in it; the folder too, when it is then
#' empty and rekindle made it. Files of anybody else stay, and so do files that were set aside as damaged.
#'
#' A folder that a run holds is left as it is. This is seldom needed: [callback_backup_and_restore()] deletes
#' the backup by itself when training is complete. It is for a run that died and is not to be gone on with.
#'
#' @inheritParams backup_info
#' @param ... Must be empty: the arguments after it must be named.
#' @param ask Whether to ask first, with the number of saves. By default in an interactive session.
#'
#' @returns Whether it was done, invisibly: `FALSE` when the answer was no, or when there was nothing to
#'   delete.
#'
#' @section Conditions:
#' A folder that a run holds gives an error of class `rekindle_lock` with the fields `host`, `pid` and
#' `started`. A folder that a newer version of rekindle wrote gives one of class `rekindle_format`, and one in
#' which the name of a save is that of a foreign file one of class `rekindle_foreign_file`. In these cases
#' nothing is removed. What the system refuses to remove gives an error of class `rekindle_restore`.
#'
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
backup_delete <- function(backup_dir, ..., ask = is_interactive()) {
  check_path(backup_dir)
  check_dots_unused(..., known = names(formals(backup_delete)))
  check_flag(ask)
  inspection <- inspection()
  before <- backup_info(backup_dir)
  if (ask && nrow(before$saves) && !is_agreed(before)) {
    cli::cli_inform(c(i = "Nothing was deleted."))
    return(invisible(FALSE))
  }
  done <- convert_exceptions(
    as_r_list(inspection$delete(as_python_path(backup_dir))),
    call = current_env()
  )
  tell_deletion(done, before)
  invisible(length(done$removed) > 0)
}

is_agreed <- function(info) {
  info <- all_printable(info)
  question <- cli::format_inline(
    "Delete {nrow(info$saves)} save{?s} ({size_text(info$size)}) in {.path {info$directory}}?"
  )
  isTRUE(utils::askYesNo(question, default = FALSE))
}

tell_deletion <- function(done, before) {
  kept <- printable(as.character(unlist(done$kept)))
  before <- all_printable(before)
  if (length(done$removed) == 0) {
    cli::cli_inform(c(i = "There is no backup in {.path {before$directory}}."))
  } else {
    cli::cli_inform(c(v = "Deleted {nrow(before$saves)} save{?s} in {.path {before$directory}}."))
  }
  if (length(kept)) {
    cli::cli_inform(c(i = "{length(kept)} other file{?s} stay{?s/} there: {.file {kept}}."))
  }
}
