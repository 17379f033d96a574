#' Give Python errors their R classes
#'
#' @description
#' Evaluates `expr`, such as a call of `fit()`, and lets Python errors leave it as R conditions that
#' [tryCatch()] can tell apart.
#'
#' reticulate before version 1.29 reports every Python error as a bare `Rcpp::exception`. With this
#' function around the call, handlers written for newer versions work there too. On newer versions it
#' takes a hint line off the message of Python errors, and adds the `rekindle_*` classes to rekindle's own.
#'
#' @param expr Code that may raise a Python error.
#' @returns The value of `expr`.
#'
#' @section Conditions:
#' A Python exception becomes a condition with the classes of its Python class chain, spelled as reticulate
#' spells them (`python.builtin.RuntimeError`, `python.builtin.Exception`, ...), then `error` and
#' `condition`. On reticulate before 1.29, and for rekindle's own errors everywhere, it has the fields
#' `traceback` (a string, as Python prints it) and `exception` (the Python object).
#'
#' Errors of rekindle itself have, in front of these, a class of their own and `rekindle_error`:
#'
#' * `rekindle_argument`: an argument is not of the accepted form.
#' * `rekindle_dependency`: Python, Keras or its backend is missing.
#' * `rekindle_lock`: another run holds the folder; fields `directory`, `host`, `pid`, `started`.
#' * `rekindle_mismatch`: the backup does not fit the model; field `differences`.
#' * `rekindle_damage`: none of the saves is whole.
#' * `rekindle_format`: the backup was written by a newer version of rekindle.
#' * `rekindle_foreign_file`: a file that rekindle did not write is in its way; field `path`.
#' * `rekindle_save`, `rekindle_restore`: the system refused to write, or to read.
#'
#' @seealso [callback_backup_and_restore()]
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' tryCatch(
#'   with_python_conditions(reticulate::py_run_string("raise RuntimeError('Interrupting!')")),
#'   python.builtin.RuntimeError = function(e) message("Interrupted!")
#' )
with_python_conditions <- function(expr) {
  convert_exceptions(expr)
}
