#' Read every byte of a backup
#'
#' @description
#' Reads every checkpoint of a backup and compares each byte with the checksums that were written with it.
#' `backup_verify()` does not lock the folder and changes nothing in it: rekindle quarantines (renames)
#' damaged files only when a run begins to resume from the backup. If a run replaces a checkpoint meanwhile,
#' `backup_verify()` leaves that checkpoint out.
#'
#' @inheritParams backup_info
#'
#' @returns A data frame with a row for each checkpoint, oldest first: `name`, `number`, `whole`, `bytes` (of
#'   its arrays) and `damage`, which describes the damage, or is `NA`. It has no rows if there is no
#'   checkpoint.
#'
#' @inheritSection backup_info Conditions
#' @seealso [backup_info()], which takes no time. The same from a shell: `python -m rekindle verify`.
#' @family functions that look into a backup
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' backup <- callback_backup_and_restore(
#'   backup_dir,
#'   double_checkpoint = TRUE, delete_checkpoint = FALSE
#' )
#' history <- model$fit(
#'   np$ones(c(20L, 4L)), np$zeros(c(20L, 1L)),
#'   epochs = 3L, verbose = 0L, callbacks = list(backup)
#' )
#' backup_verify(backup_dir)
#'
#' # One flipped bit is enough.
#' pack <- file.path(backup_dir, "ckpt-3.safetensors")
#' bytes <- readBin(pack, "raw", file.size(pack))
#' bytes[[length(bytes)]] <- xor(bytes[[length(bytes)]], as.raw(1))
#' writeBin(bytes, pack)
#' backup_verify(backup_dir)
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_verify <- function(backup_dir, ..., storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_verify)))
  check_folder(backup_dir)
  check_storage_options(storage_options)
  checks <- convert_exceptions(
    as_r_list(inspection()$verify(
      as_python_path(backup_dir),
      storage_options = as_python_storage_options(storage_options)
    )),
    call = current_env()
  )
  if (length(checks) == 0) {
    # The table is empty, and all(whole) is TRUE: a misspelt path must not look like a whole backup.
    inform(c(i = paste0("There is no checkpoint in ", describe(as_python_path(backup_dir)), " to verify.")))
  }
  column <- function(field, type) {
    vapply(checks, function(check) value_or_na(check[[field]], type), vector(type, 1))
  }
  damage <- column("damage", "character")
  as_table(data.frame(
    name = column("name", "character"),
    number = column("number", "double"),
    whole = is.na(damage),
    bytes = column("bytes", "double"),
    damage = damage
  ))
}
