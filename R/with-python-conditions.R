#' Give Python errors their R classes
#'
#' @description
#' Evaluates `expr`, such as a call of `fit()`, and turns Python errors into R conditions that [tryCatch()]
#' can tell apart.
#'
#' The function does two things. First, if an R function inside of Python, such as a callback of `fit()`,
#' raises an error by [stop()] or [rlang::abort()], you get the R condition that was raised, with its classes,
#' its fields and its parents. Without this function around the call, you get a Python `RuntimeError` with the
#' same text, also from keras3's own `fit()`. Second, a Python error has R classes on every version of
#' reticulate. Before 1.29, reticulate reports each Python error as a bare `Rcpp::exception`.
#'
#' @param expr Code that may raise a Python error.
#' @returns The value of `expr`.
#'
#' @section Conditions:
#' An R condition keeps its classes, and has `python.builtin.RuntimeError` and `python.builtin.Exception`
#' after them. A handler written for the Python error therefore catches it, too. An interrupt (Escape, Ctrl-C,
#' the Stop button) stays an interrupt: `tryCatch(interrupt = )` catches it.
#'
#' A Python exception becomes a condition with the classes of its Python class chain, spelled as reticulate
#' spells them (`python.builtin.RuntimeError`, `python.builtin.Exception`, ...), then `error` and `condition`.
#' On reticulate before 1.29, and for rekindle's own errors everywhere, the condition has the fields
#' `traceback` (a string, as Python prints it) and `exception` (the Python object).
#'
#' Errors of rekindle itself have, in front of these classes, a class of their own and `rekindle_error`:
#'
#' * `rekindle_argument`: an argument is not of the accepted form.
#' * `rekindle_dependency`: Python, Keras or its backend is missing.
#' * `rekindle_lock`: another run has locked the folder; fields `directory`, `host`, `pid`, `started`.
#' * `rekindle_mismatch`: the backup does not fit the model; field `differences`.
#' * `rekindle_damage`: none of the checkpoints is complete.
#' * `rekindle_format`: a newer version of rekindle wrote the backup.
#' * `rekindle_foreign_file`: a file that rekindle did not write is in its way, or a backup belongs to another
#'   user; field `path`.
#' * `rekindle_save`, `rekindle_restore`: the system refused to write, or to read.
#'
#' If a signal asks `fit()` to end, `fit()` raises a condition of class `rekindle_preempted`. The condition is
#' not a `rekindle_error`. It has the classes `rekindle.TrainingPreempted` and `python.builtin.SystemExit`.
#' Its fields are `code`, the exit status that a script ends with; `signal`, such as `"SIGTERM"`; `path`, of
#' the checkpoint that the run resumes from, `NULL` if there is none; and `saved`, whether that checkpoint is
#' of the very place where training stopped. The condition does not end R by itself: see the section on
#' preemption in [callback_backup_and_restore()].
#'
#' @family functions for training with fit()
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
