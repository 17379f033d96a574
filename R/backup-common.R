# What the verbs that look into a backup share.

# The part of the Python package that looks; it imports no Keras.
inspection <- function(call = caller_env()) {
  rekindle_module("inspection", call = call)
}

# What Python found, as lists: all numbers are doubles, as integers of Python's may be too large for R's.
as_r_list <- function(x) {
  force(x) # an error in it names the caller's call
  r_door()$as_lists(x)
}

check_which <- function(x, arg = caller_arg(x), call = caller_env()) {
  name <- is.character(x) && length(x) == 1 && !is.na(x) && nzchar(x)
  number <- is_whole(x, 0, .Machine$integer.max)
  if (!name && !number) {
    abort_argument(
      c(
        paste0("`", arg, "` must be \"latest\", or the number or the name of a save, not ", describe(x), "."),
        i = "`backup_info()` lists the saves."
      ),
      x, arg, call
    )
  }
}

as_python_which <- function(which) {
  if (is.numeric(which)) as.integer(which) else which
}

as_time <- function(x) {
  structure(x, class = c("POSIXct", "POSIXt"))
}

# Bytes in words.
size_text <- function(x) {
  vapply(x, function(bytes) {
    format(structure(bytes, class = "object_size"), units = "auto", standard = "SI")
  }, "")
}

# A NULL from Python stands for a value that there is not.
value_or_na <- function(x, type) {
  if (is.null(x)) as.vector(NA, type) else as.vector(x, type)
}
