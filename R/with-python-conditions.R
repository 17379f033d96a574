#' Give Python errors their R classes
#'
#' @description
#' Evaluates `expr`, such as a call of `fit()`, and lets Python errors leave it as R conditions that
#' [tryCatch()] can tell apart.
#'
#' It does two things. An error that an R function raised inside of Python, as a callback of `fit()` does by
#' [stop()] or [rlang::abort()], comes out as the R condition that was raised, with its classes, its fields
#' and its parents. Without this function around the call it is a Python `RuntimeError` with the same text,
#' also from keras3's own `fit()`. And an error of Python's has R classes on every version of reticulate:
#' before 1.29, reticulate reports each as a bare `Rcpp::exception`.
#'
#' @param expr Code that may raise a Python error.
#' @returns The value of `expr`.
#'
#' @section Conditions:
#' An R condition keeps its classes, and has `python.builtin.RuntimeError` and `python.builtin.Exception`
#' after them, so that a handler written for what Python made of it takes it too. An interrupt (Escape,
#' Ctrl-C, the Stop button) stays one: `tryCatch(interrupt = )` takes it.
#'
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
#' * `rekindle_foreign_file`: a file that rekindle did not write is in its way, or a backup belongs to another
#'   user; field `path`.
#' * `rekindle_save`, `rekindle_restore`: the system refused to write, or to read.
#'
#' A `fit()` that a signal asked to end raises a condition of class `rekindle_preempted`, which is not a
#' `rekindle_error`, with the classes `rekindle.TrainingPreempted` and `python.builtin.SystemExit`. Its fields
#' are `code`, the exit status that a script ends with; `signal`, such as `"SIGTERM"`; `path`, of the save
#' that the run goes on from, `NULL` when there is none; and `saved`, whether that save is of the very place
#' where training stopped. It does not end R by itself: see the section on preemption in
#' [callback_backup_and_restore()].
#'
#' @seealso [callback_backup_and_restore()]
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' tryCatch(
#'   with_python_conditions(reticulate::py_run_string("raise RuntimeError('Interrupting!')")),
#'   python.builtin.RuntimeError = function(e) message("Interrupted!")
#' )
#'
#' # What an R function raises inside of Python comes out as it was raised.
#' call_it <- reticulate::py_eval("lambda f: f()")
#' tryCatch(
#'   with_python_conditions(
#'     call_it(function() rlang::abort("no", class = "no_table", table = "runs"))
#'   ),
#'   no_table = function(e) message("There is no table ", e$table)
#' )
with_python_conditions <- function(expr) {
  convert_exceptions(keep_r_conditions(expr))
}
