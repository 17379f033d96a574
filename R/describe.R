# Texts about a value that the user gave, for messages.

# A short text for the value: 0.5, "batch", NA, a vector of length 2, a list.
describe <- function(x) {
  if (is.null(x)) {
    return("NULL")
  }
  if (is_string(x)) {
    return(encodeString(x, quote = "\""))
  }
  if (inherits(x, "difftime") && length(x) == 1) {
    return(format(x, digits = 15))
  }
  if (is.object(x) || !is.atomic(x)) {
    return(kind_of_object(x))
  }
  if (length(x) != 1) {
    return(paste("a vector of length", length(x)))
  }
  format(x, digits = 15)
}

kind_of_object <- function(x) {
  if (is.factor(x)) {
    return("a factor")
  }
  if (is.object(x)) {
    return(paste("an object of class", encodeString(class(x)[[1]], quote = "\"")))
  }
  switch(mode(x),
    "function" = "a function",
    list = "a list",
    environment = "an environment",
    name = "a symbol",
    call = ,
    "(" = ,
    expression = "an expression",
    "an object"
  )
}

# What the user can do about a value of this form. NULL if nothing is known. `message` says what is accepted.
# Where it accepts a time, too, the message has a hint of its own.
hint_at_value <- function(x, message) {
  if (is.factor(x)) {
    return("`as.character()` gives the text of a factor.")
  }
  is_unit <- regexpr("(?<=a number of )(seconds|hours)(?! above 0 or)", message, perl = TRUE)
  unit <- regmatches(message, is_unit)
  if (length(unit) && inherits(x, c("difftime", "Period", "Duration"))) {
    argument <- if (inherits(x, "difftime")) "units = "
    return(paste0("Of a time `x`, that is `as.numeric(x, ", argument, "\"", unit, "\")`."))
  }
  if (grepl("number", message, fixed = TRUE)) {
    hint_at_number(x)
  }
}

# The same where a number is accepted.
hint_at_number <- function(x) {
  if (is_string(x) && !is.na(suppressWarnings(as.numeric(x)))) {
    return(paste0("Write the number without quotes: ", trimws(x), "."))
  }
  if (is_whole(x) && x > .Machine$integer.max) {
    paste0("The largest number is ", .Machine$integer.max, ".")
  }
}

# --- names ------------------------------------------------------------------------------------------------

# Refuses arguments in `...`. A function has `...` only so that users must name the arguments after it.
# `known` holds the function's own argument names, including `...`. This check does not evaluate the values.
# It stands before other checks: a misspelt name may be the reason why another argument is absent.
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
        i = paste0("They are ", ticked(known[-seq_len(dots)]), ".")
      ),
      NULL, "...", call
    )
  }
  known <- setdiff(known, "...")
  abort_argument(
    c(
      paste0("Unknown argument `", name, "`."),
      i = guess_at(name, known) %||% paste0("The arguments are ", ticked(known), ".")
    ),
    NULL, name, call
  )
}

ticked <- function(names) {
  paste0("`", names, "`", collapse = ", ")
}

# The question whether the user meant a similar name. NULL if no name is similar.
guess_at <- function(name, known) {
  near <- similar_to(name, known)
  if (!is.null(near)) paste0("Did you mean `", near, "`?")
}

similar_to <- function(name, known) {
  bare <- function(x) tolower(gsub("[._]", "", x))
  size <- nchar(bare(name))
  distance <- drop(utils::adist(bare(name), bare(known)))
  if (length(known) && min(distance) <= if (size < 4) 1 else max(2, size %/% 3)) {
    return(known[[which.min(distance)]])
  }
  holding <- known[size > 2 & grepl(bare(name), bare(known), fixed = TRUE)]
  if (length(holding) == 1) holding
}
