# The checks of exported functions' arguments. Each names the user's argument and the user's call, and
# raises `rekindle_argument` with the fields `argument` and `value`.

abort_argument <- function(message, value, arg, call) {
  abort(
    message,
    class = c("rekindle_argument", "rekindle_error"),
    argument = arg,
    value = value,
    call = call
  )
}

# What was given, in a few words: 0.5, "batch", NA, a vector of length 2, a list.
describe <- function(x) {
  if (is.null(x)) {
    return("NULL")
  }
  if (!is.atomic(x)) {
    kind <- if (is.object(x)) "object" else mode(x)
    return(switch(kind, "function" = "a function", list = "a list", "an object"))
  }
  if (length(x) != 1) {
    return(paste("a vector of length", length(x)))
  }
  if (is.character(x) && !is.na(x)) {
    return(encodeString(x, quote = "\""))
  }
  format(unclass(x), digits = 15)
}

check_path <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (missing(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` is absent, with no default."),
        i = "It is the folder that the backup is kept in, for this training run alone."
      ),
      NULL, arg, call
    )
  }
  if (!is.character(x) || length(x) != 1 || is.na(x)) {
    abort_argument(
      paste0("`", arg, "` must be a single path as a string, not ", describe(x), "."),
      x, arg, call
    )
  }
  if (!nzchar(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must not be an empty string."),
        i = "`\".\"` is the working directory."
      ),
      x, arg, call
    )
  }
}

check_flag <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    abort_argument(paste0("`", arg, "` must be TRUE or FALSE, not ", describe(x), "."), x, arg, call)
  }
}

check_save_freq <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!identical(x, "epoch") && !isFALSE(x) && !is_count(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be \"epoch\", a whole number >= 1 or FALSE, not ", describe(x), "."),
        i = "A number is in batches, counted across epochs."
      ),
      x, arg, call
    )
  }
}

is_count <- function(x) {
  is.numeric(x) && length(x) == 1 && isTRUE(all(x >= 1, x <= .Machine$integer.max, x == trunc(x)))
}

check_one_of <- function(x, choices, arg = caller_arg(x), call = caller_env()) {
  one <- length(x) == 1 && is.atomic(x) && !is.na(x) && is.character(x) == is.character(choices)
  if (!one || is.logical(x) || !x %in% choices) {
    shown <- vapply(choices, describe, "")
    last <- length(shown)
    shown <- paste(paste(shown[-last], collapse = ", "), "or", shown[last])
    abort_argument(paste0("`", arg, "` must be ", shown, ", not ", describe(x), "."), x, arg, call)
  }
}

check_extra_state <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  if (!is.list(x) || is.object(x)) {
    abort_argument(paste0("`", arg, "` must be NULL or a named list, not ", describe(x), "."), x, arg, call)
  }
  if (length(x) && (!is_named(x) || anyDuplicated(names(x)))) {
    abort_argument(
      c(
        paste0("Each element of `", arg, "` must have a name of its own."),
        i = "A backup knows it again by its name."
      ),
      x, arg, call
    )
  }
  for (name in names(x)) {
    check_state(x[[name]], paste0(arg, "$", name), name, arg, call)
  }
}

# One element of `extra_state`. What Python objects have a state is known in Python.
check_state <- function(x, shown, name, arg, call) {
  if (name == ".Random.seed") {
    abort_argument(
      c(
        paste0("`", arg, "` must not have an element `.Random.seed`."),
        i = "R's random state is saved in any case."
      ),
      x, arg, call
    )
  }
  if (is_python(x)) {
    return(invisible())
  }
  if (!is_pair(x)) {
    abort_argument(
      c(
        paste0("`", shown, "` must be a Python object or a pair of functions, not ", describe(x), "."),
        i = "A pair is `list(take = function() ..., put = function(value) ...)`."
      ),
      x, arg, call
    )
  }
  try_fetch(
    encode_value(x$take()),
    rekindle_unsupported = function(cnd) {
      abort_argument(
        c(
          paste0("`", shown, "$take()` must return a value that can be saved."),
          x = conditionMessage(cnd),
          i = "NULL, vectors, factors, data frames and lists of these can."
        ),
        x, arg, call
      )
    }
  )
}

# Nothing may come in by `...`: it only keeps the arguments after it from being given by position.
# `known` are the function's own argument names, `...` among them. The values are not asked for.
check_dots_unused <- function(..., known, call = caller_env()) {
  if (...length() == 0) {
    return(invisible())
  }
  name <- (names(match.call(expand.dots = FALSE)$...) %||% "")[[1]]
  if (!nzchar(name)) {
    dots <- match("...", known)
    abort_argument(
      c(
        paste0("The arguments after `", known[[dots - 1]], "` must be named."),
        i = paste0("They are ", paste0("`", known[-seq_len(dots)], "`", collapse = ", "), ".")
      ),
      NULL, "...", call
    )
  }
  known <- setdiff(known, "...")
  nearest <- known[which.min(utils::adist(name, known, ignore.case = TRUE))]
  abort_argument(
    c(
      paste0("Unknown argument `", name, "`."),
      i = paste0("Did you mean `", nearest, "`?")
    ),
    NULL, name, call
  )
}
