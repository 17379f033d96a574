# Passes R conditions through Python: an R function that Python calls may raise a condition.
#
# Current versions of reticulate convert the condition to a RuntimeError that carries its fields and classes.
# Versions before 1.29 call every R function through safe_do_call(), which passes on only the message. With
# those versions, rekindle remembers the condition when it is raised.

# The R condition behind a Python exception, or NULL if Python itself raised the exception.
#
# This function also gives the condition the classes that it had in Python, before the class "error". So a
# handler for these classes, as in the examples of keras3, catches the condition too. The class of
# BaseException is left out: reticulate has methods for it that expect a Python object.
r_condition_of <- function(exception) {
  carried <- reticulate::py_has_attr(exception, "r_class")
  cnd <- if (carried) carried_condition(exception) else remembered_condition(exception)
  if (inherits(cnd, "error")) {
    class(cnd) <- append(
      class(cnd),
      c("python.builtin.RuntimeError", "python.builtin.Exception"),
      match("error", class(cnd)) - 1
    )
  }
  cnd
}

carried_condition <- function(exception) {
  fields <- as.list(reticulate::import_builtins()$vars(exception))
  classes <- fields$r_class
  fields$r_class <- NULL
  # reticulate adds its own trace to a condition. Remove that trace, but keep the trace of an rlang condition.
  if ("full_call" %in% names(fields$trace)) {
    fields$trace <- NULL
  }
  structure(fields, class = classes)
}

remembered_condition <- function(exception) {
  remembered <- the$r_condition
  if (is.null(remembered) || is.null(exception) || name_of(exception) != "RuntimeError: ") {
    return(NULL)
  }
  if (identical(text_of(exception), remembered$text)) remembered$cnd
}

# Evaluates `expr` so that r_condition_of() works.
keep_r_conditions <- function(expr) {
  if (the$is_remembering || !exists("safe_do_call", asNamespace("reticulate"), inherits = FALSE)) {
    return(expr)
  }
  the$is_remembering <- TRUE
  reticulate <- asNamespace("reticulate")
  # Not quote(): R looks up the name inside reticulate.
  tracer <- substitute(fn <- remember(fn), list(remember = remembering))
  suppressMessages(trace("safe_do_call", tracer, print = FALSE, where = reticulate))
  on.exit({
    suppressMessages(untrace("safe_do_call", where = reticulate))
    the$is_remembering <- FALSE
    the$r_condition <- NULL
  })
  expr
}

# Returns a function that does the same as `fn`. If `fn` fails, the function remembers the condition.
remembering <- function(fn) {
  force(fn)
  function(...) {
    withCallingHandlers(
      fn(...),
      error = function(cnd) {
        # An error that comes out of Python stands for the R condition that went into Python.
        went_in <- if (inherits(cnd, "Rcpp::exception")) remembered_condition(last_exception())
        the$r_condition <- list(cnd = went_in %||% cnd, text = paste(cnd$message, collapse = "\n"))
      },
      # safe_do_call() catches only errors: an interrupt would jump over Python's frames.
      interrupt = function(cnd) {
        the$r_condition <- list(cnd = cnd, text = "interrupted")
        stop("interrupted")
      }
    )
  }
}

# Returns the value of the user's function, changed by `then`. If the function fails, its condition keeps its
# classes and fields, and its message names the function. `name` is NULL for functions of this package.
naming <- function(name, value, then = identity) {
  if (is.null(name)) {
    return(then(value))
  }
  withCallingHandlers(
    then(value),
    error = function(cnd) {
      # A Python exception may be no list. It comes out as it is.
      if (typeof(cnd) != "list") {
        return(invisible())
      }
      fields <- unclass(cnd)
      problem <- " failed: "
      if (inherits(cnd, "rekindle_unsupported")) {
        problem <- " must return a value that can be saved. "
        fields["call"] <- list(NULL)
      }
      fields$message <- paste0(name, problem, paste(cnd$message, collapse = "\n"))
      stop(structure(fields, class = class(cnd)))
    }
  )
}
