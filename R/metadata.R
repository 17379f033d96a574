# The metadata that the user saves with a checkpoint: plain values, for JSON.

check_metadata <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (length(x) == 0 && (is.null(x) || is_plain_list(x))) {
    return(invisible())
  }
  named <- (is_plain_list(x) || is_plain_vector(x)) && is_named(x) && !anyDuplicated(names(x))
  if (!named) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a list with a name for each value, not ", describe(x), "."),
      x, arg, call
    )
  }
  problem <- first_of(x, function(value, i) not_json_in(value, paste0(arg, "$", names(x)[[i]])))
  if (!is.null(problem)) {
    abort_argument(
      c(
        paste0(problem, "."),
        i = "Numbers, strings, TRUE, FALSE, NULL and lists of these are accepted."
      ),
      x, arg, call
    )
  }
}

is_plain_list <- function(x) {
  is.list(x) && !is.object(x)
}

is_plain_vector <- function(x) {
  !is.object(x) && typeof(x) %in% c("logical", "integer", "double", "character")
}

# Says which part of the value is not a plain number, string or list. NULL if there is no such part.
not_json_in <- function(x, place) {
  if (is.null(x) || is_python(x) || is_plain_vector(x)) {
    return(NULL)
  }
  if (is_plain_list(x)) {
    return(first_of(x, function(value, i) not_json_in(value, paste0(place, "[[", i, "]]"))))
  }
  kind <- if (is.object(x)) {
    paste("of class", encodeString(class(x)[[1]], quote = "\""))
  } else {
    describe(x)
  }
  paste0("`", place, "` cannot be kept with a checkpoint: it is ", kind)
}

# The first result of `look(value, i)` that is not NULL, over the elements of `x`.
first_of <- function(x, look) {
  for (i in seq_along(x)) {
    found <- look(x[[i]], i)
    if (!is.null(found)) {
      return(found)
    }
  }
}

as_python_metadata <- function(x) {
  if (length(x)) lapply(as.list(x), as_json)
}

# A missing value becomes None in Python. NaN stays NaN.
as_json <- function(x) {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (is.list(x) || length(x) != 1) {
    return(lapply(as.list(x), as_json))
  }
  if (!is.na(x) || is.nan(x)) unname(x)
}
