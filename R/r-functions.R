# R functions that Python calls, and the calls of Python that may call them.

# Wraps `fn` for Python. If `fn` fails, its condition comes out of the Python call unchanged. Current versions
# of reticulate ensure that. For older versions this remembers the condition, see r-conditions.R.
for_python <- function(fn) {
  if (exists("safe_do_call", asNamespace("reticulate"), inherits = FALSE)) remembering(fn) else fn
}

# Wraps `fn` for Python. While `fn` runs, R does not handle an interrupt, but leaves it to Python.
uninterrupted <- function(fn) {
  r_door()$Uninterrupted(fn)
}

# Evaluates a call of Python that may call functions made by for_python().
call_python <- function(expr, call) {
  if (!the$is_remembering) {
    on.exit(the$r_condition <- NULL)
  }
  convert_exceptions(expr, call = call)
}

# Converts a whole number to Python's int, which has no bounds. R's integers have bounds.
as_python_int <- function(x) {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (abs(x) <= .Machine$integer.max) as.integer(x) else reticulate::import_builtins(convert = FALSE)$int(x)
}
