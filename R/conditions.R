# Converts a Python exception to an R condition. The R classes follow only from the names of the Python
# classes: rekindle.LockError becomes `rekindle_lock`, then `rekindle_error`, then the chain of Python
# classes, spelled as in current versions of reticulate.
#
# reticulate prints Python's warnings (rekindle.SaveWarning and similar classes) when they occur. Code that
# converts them to R warnings would belong here too.

# Evaluates `expr`. A Python exception becomes an R condition with classes, message and data. The call of the
# condition is the call of the frame `call`.
convert_exceptions <- function(expr, call = NULL) {
  before <- last_exception()
  withCallingHandlers(expr, error = function(cnd) {
    exception <- exception_of(cnd, before)
    if (!is.null(exception)) {
      original <- r_condition_of(exception)
      if (inherits(original, "interrupt")) {
        interrupt()
      }
      stop(original %||% condition_from_exception(exception, cnd, call))
    }
  })
}

last_exception <- function() {
  # If Python is not running, py_last_error() would start it.
  if (reticulate::py_available(initialize = FALSE)) {
    attr(reticulate::py_last_error(), "exception")
  }
}

# The Python exception behind `cnd`, or NULL. reticulate 1.28 passes on only a text, and remembers the last
# exception. That exception is the right one if it differs from `before` and the text names its class.
exception_of <- function(cnd, before) {
  if (is_converted(cnd)) {
    return(NULL)
  }
  if (inherits(cnd, "python.builtin.BaseException")) {
    return(attr(cnd, "py_object", exact = TRUE) %||% cnd)
  }
  if (!inherits(cnd, "Rcpp::exception")) {
    return(NULL)
  }
  exception <- last_exception()
  if (is.null(exception) || identical(exception, before)) {
    return(NULL)
  }
  name <- sub("^python\\.builtin\\.", "", class(exception)[[1]])
  if (grepl(name, conditionMessage(cnd), fixed = TRUE)) exception
}

is_converted <- function(cnd) {
  typeof(cnd) == "list" && "exception" %in% names(cnd)
}

condition_from_exception <- function(exception, cnd, call) {
  chain <- setdiff(class(exception), c("python.builtin.object", "error", "condition"))
  chain <- c(rekindle_classes(chain), chain, "error", "condition")
  ours <- any(c("rekindle_error", "rekindle_preempted") %in% chain)
  if (!ours && inherits(cnd, "python.builtin.BaseException")) {
    return(without_noise(cnd))
  }
  fields <- list(
    # The message of a rekindle exception is complete. For other exceptions, the class name is part of the
    # meaning: str(KeyError("a")) is only 'a'.
    message = if (ours) message_of(exception, chain) else paste0(name_of(exception), text_of(exception)),
    # Not the call of `cnd`, which is a function inside reticulate.
    call = if (!is.null(call)) without_settings(frame_call(call)),
    traceback = traceback_of(exception),
    exception = exception
  )
  data <- if (ours) data_of(exception)
  structure(
    c(fields, data[setdiff(names(data), names(fields))]),
    class = chain,
    py_object = exception
  )
}

# "rekindle.ForeignFileError" gives c("rekindle_foreign_file", "rekindle_error"). A preemption is not an error
# of rekindle, so a handler for `rekindle_error` must not catch it.
rekindle_classes <- function(chain) {
  if ("rekindle.TrainingPreempted" %in% chain) {
    return("rekindle_preempted")
  }
  ours <- grep("^rekindle\\.[[:alnum:]]+Error$", chain, value = TRUE)
  nouns <- sub("Error$", "", sub("^rekindle\\.", "", ours))
  snake <- tolower(gsub("([a-z0-9])([A-Z])", "\\1_\\2", nouns))
  snake[snake == "rekindle"] <- "error" # the root of the tree
  if (length(snake)) paste0("rekindle_", snake)
}

# The complete message of an exception of rekindle, in R's terms.
message_of <- function(exception, chain) {
  text <- text_of(exception)
  if ("rekindle.DependencyError" %in% chain && identical(data_of(exception)$package, "obstore")) {
    return(text_without_object_store(text))
  }
  text
}

text_of <- function(exception) {
  reticulate::import_builtins()$str(exception)
}

name_of <- function(exception) {
  paste0(reticulate::import_builtins()$type(exception)$`__name__`, ": ")
}

traceback_of <- function(exception) {
  lines <- reticulate::import("traceback")$format_exception(exception)
  paste(unlist(lines), collapse = "")
}

# The public attributes of an exception, converted to R. vars() lacks those of OSError and SystemExit.
data_of <- function(exception) {
  data <- as.list(reticulate::import_builtins()$vars(exception))
  for (name in c("errno", "code")) {
    if (reticulate::py_has_attr(exception, name)) {
      data[[name]] <- reticulate::py_to_r(reticulate::py_get_attr(exception, name))
    }
  }
  data[!startsWith(names(data), "_")]
}

# Current versions of reticulate set the classes themselves, and end the message with a hint at
# py_last_error(). This function removes that line and keeps the rest of the condition.
without_noise <- function(cnd) {
  if (typeof(cnd) != "list") {
    return(cnd)
  }
  lines <- strsplit(conditionMessage(cnd), "\n", fixed = TRUE)[[1]]
  lines <- lines[!grepl("reticulate::py_last_error()", lines, fixed = TRUE)]
  classes <- class(cnd)
  cnd <- unclass(cnd)
  cnd$message <- paste(lines, collapse = "\n")
  class(cnd) <- classes
  cnd
}

# A rekindle condition inherits from Python classes. reticulate's methods for these classes look for
# attributes of a Python object. The methods here read the fields of the condition itself.

#' @export
`$.rekindle_error` <- function(x, name) {
  unclass(x)[[name]]
}

#' @export
`[[.rekindle_error` <- function(x, i, ...) {
  unclass(x)[[i]]
}

#' @export
`$.rekindle_preempted` <- `$.rekindle_error`

#' @export
`[[.rekindle_preempted` <- `[[.rekindle_error`
