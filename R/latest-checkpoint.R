#' The newest checkpoint in a folder
#'
#' @description
#' Finds the newest complete checkpoint. It may come from a [checkpoint_manager()], from the `$save()` of a
#' [checkpoint()], or from Python. `latest_checkpoint()` verifies every byte of the checkpoint. It skips a
#' damaged checkpoint and returns the previous checkpoint. It changes nothing in the folder, and a run may
#' continue in the folder meanwhile.
#'
#' @param directory Path of the folder, or the URL of a place in an object store.
#' @param ... Must be empty: the arguments after it must be named.
#' @param storage_options `NULL`, or the settings of an object store: a named list of strings, numbers, `TRUE`
#'   or `FALSE`, such as `list(endpoint = "https://minio.example.org")`, or a named character vector. The
#'   names are those of the Python package obstore. Settings that are not given come from the environment.
#'   rekindle never prints or saves any. For a folder, they mean nothing.
#'
#' @returns The path of the checkpoint, `<directory>/<name>-<number>`, for the `$restore()` of a checkpoint;
#'   `NULL` if there is no checkpoint. Among checkpoints of the same name, the newest is the checkpoint that
#'   was saved last, whatever its number. Between names, the time decides.
#'
#' @section Object stores:
#' A place is a URL of S3 or a store that speaks its language, such as MinIO (`s3://bucket/run7`), of Google
#' Cloud Storage (`gs://bucket/run7`) or of Azure (`az://container/run7`). `memory://demo/run7` is in the
#' memory of the session, for tests. A URL of this machine, such as `file:///data/run7`, is the path in it.
#' rekindle refuses other URLs.
#'
#' For object stores, Python needs the package obstore. Where reticulate makes the environment, rekindle asks
#' for obstore when you first give such a URL. Elsewhere, call `reticulate::py_install("obstore", pip =
#' TRUE)` once.
#'
#' The settings come from `storage_options` and from the environment: `AWS_ACCESS_KEY_ID`,
#' `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AZURE_STORAGE_ACCOUNT_NAME`,
#' `GOOGLE_APPLICATION_CREDENTIALS` and others. [Sys.setenv()] in the script sets them, too. Keep secrets out
#' of a script: `storage_options = list(secret_access_key = Sys.getenv("MY_SECRET"))`. The methods of a
#' [checkpoint()] take all of it from the environment.
#'
#' `vignette("object-stores", package = "rekindle")` has the permissions that rekindle needs, how it keeps two
#' runs apart, and what it does if the network fails.
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
latest_checkpoint <- function(directory, ..., storage_options = NULL) {
  check_dots_unused(..., known = names(formals(latest_checkpoint)))
  check_folder(directory, role = "the folder to search")
  check_storage_options(storage_options)
  module <- rekindle_module()
  show_messages()
  found <- call_python(
    module$latest_checkpoint(
      as_python_path(directory),
      storage_options = as_python_storage_options(storage_options)
    ),
    current_env()
  )
  # reticulate returns None invisibly, and a user who types the call must see NULL.
  found
}
