# R functions that Python calls, and the calls in which it does so.

# `fn`, such that the condition it fails with comes out of the Python call as it was raised. Current versions
# of reticulate see to that; for the others it is remembered here, see r-conditions.R.
for_python <- function(fn) {
  if (exists("safe_do_call", asNamespace("reticulate"), inherits = FALSE)) remembering(fn) else fn
}

# `fn` for Python, such that an interrupt that comes meanwhile is left to Python.
uninterrupted <- function(fn) {
  r_door()$Uninterrupted(fn)
}

# Evaluates a call of Python's, which may call functions made by for_python().
call_python <- function(expr, call) {
  if (!the$is_remembering) {
    on.exit(the$r_condition <- NULL)
  }
  convert_exceptions(expr, call = call)
}

# A whole number as Python's int, which has no bounds, while R's integers have.
as_python_int <- function(x) {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (abs(x) <= .Machine$integer.max) as.integer(x) else reticulate::import_builtins(convert = FALSE)$int(x)
}
