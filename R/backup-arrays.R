#' The arrays in a backup
#'
#' @description
#' Lists the content of a checkpoint: the variables of the model, of the optimizer and of the metrics, and the
#' random states, each with its name, type and shape. On request it returns the values. `backup_arrays()` does
#' not lock the folder and changes nothing in it.
#'
#' @inheritParams backup_history
#' @param ... Must be empty: the arguments after it must be named.
#' @param values `FALSE`; `TRUE` for the values of all arrays; or a character vector with the names of some.
#'
#' @returns A data frame with a row for each array: `name`; `type`, as NumPy calls it; `shape`, a list of
#'   integer vectors; and `bytes`. With `values`, a named list of R arrays instead. Numbers are doubles and
#'   integers, so integers of 64 bits beyond 2^53 lose their last digits.
#'
#' @inheritSection backup_history Conditions
#' @seealso [backup_restore()] for a model with these weights.
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
#' arrays <- backup_arrays(backup_dir)
#' arrays
#' backup_arrays(backup_dir, values = arrays$name[1:2])
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_arrays <- function(backup_dir, which = "latest", ..., values = FALSE, storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_arrays)))
  check_folder(backup_dir)
  check_which(which)
  check_values(values)
  check_storage_options(storage_options)
  inspection <- inspection()
  path <- as_python_path(backup_dir)
  which <- as_python_which(which)
  options <- as_python_storage_options(storage_options)
  if (isFALSE(values)) {
    found <- convert_exceptions(
      as_r_list(inspection$arrays(path, which, storage_options = options)),
      call = current_env()
    )
    return(arrays_frame(found))
  }
  names <- if (is.character(values)) as.list(values)
  convert_exceptions(values_of(inspection, path, names, which, options), call = current_env())
}

values_of <- function(inspection, path, names, which, options) {
  # Convert NumPy arrays to R arrays only at the end: some NumPy types have no counterpart in R.
  raw <- reticulate::r_to_py(inspection)$values(path, names, which, storage_options = options)
  reticulate::py_to_r(r_door(convert = FALSE)$as_convertible(raw))
}

arrays_frame <- function(found) {
  column <- function(field, type) {
    vapply(found, function(array) array[[field]], vector(type, 1))
  }
  frame <- data.frame(name = column("name", "character"), type = column("dtype", "character"))
  frame$shape <- lapply(found, function(array) as.integer(unlist(array$shape)))
  frame$bytes <- column("bytes", "double")
  as_table(frame)
}

check_values <- function(x, arg = caller_arg(x), call = caller_env()) {
  flag <- is.logical(x) && length(x) == 1 && !is.na(x)
  if (!flag && !(is.character(x) && length(x) && !anyNA(x))) {
    abort_argument(
      paste0("`", arg, "` must be TRUE, FALSE or the names of arrays, not ", describe(x), "."),
      x, arg, call
    )
  }
}
