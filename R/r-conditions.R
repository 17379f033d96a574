# R conditions on their way through Python: an R function that Python calls may raise one.
#
# Current versions of reticulate make a RuntimeError of it that carries the condition's fields and classes.
# Versions before 1.29 call every R function through safe_do_call(), which lets out nothing but the message:
# there, the condition is remembered where it is raised.

# The R condition that a Python exception was made of; NULL when it was raised in Python.
#
# To its classes come those that Python knew it by, before "error": a handler for them, as in the examples
# of keras3, takes it too. Not that of BaseException, for which reticulate has methods that expect a Python
# object.
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
  # reticulate gives every condition a trace. The one of rlang's own conditions is theirs.
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

# Evaluates `expr` in such a way that r_condition_of() works.
keep_r_conditions <- function(expr) {
  if (the$is_remembering || !exists("safe_do_call", asNamespace("reticulate"), inherits = FALSE)) {
    return(expr)
  }
  the$is_remembering <- TRUE
  reticulate <- asNamespace("reticulate")
  # Not quote(): the name is looked up inside of reticulate.
  tracer <- substitute(fn <- remember(fn), list(remember = remembering))
  suppressMessages(trace("safe_do_call", tracer, print = FALSE, where = reticulate))
  on.exit({
    suppressMessages(untrace("safe_do_call", where = reticulate))
    the$is_remembering <- FALSE
    the$r_condition <- NULL
  })
  expr
}

# A function that does what `fn` does, and notes the condition that it fails with.
remembering <- function(fn) {
  force(fn)
  function(...) {
    withCallingHandlers(
      fn(...),
      error = function(cnd) {
        # What comes out of Python again stands for the condition that went into it.
        went_in <- if (inherits(cnd, "Rcpp::exception")) remembered_condition(last_exception())
        the$r_condition <- list(cnd = went_in %||% cnd, text = paste(cnd$message, collapse = "\n"))
      },
      # safe_do_call() takes errors only: an interrupt would jump out over Python's frames.
      interrupt = function(cnd) {
        the$r_condition <- list(cnd = cnd, text = "interrupted")
        stop("interrupted")
      }
    )
  }
}
