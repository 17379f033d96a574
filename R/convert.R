# From checked R values to what Python is given.

# Absolute, in UTF-8, `~` expanded. The folder need not exist, which rules out normalizePath().
# `~` is R's home here, which on Windows is not Python's; and a later setwd() must not move the folder.
# What looks like a URL is left as it is: Python refuses it, or takes the path of a `file://`.
as_python_path <- function(path) {
  path <- enc2utf8(as.character(path))
  # path.expand() translates to the session's encoding, which may not have all of the characters.
  if (startsWith(path, "~")) {
    path <- path.expand(path)
  }
  if (!grepl("^([A-Za-z]:)?[/\\\\]", path) && !is_url(path)) {
    path <- file.path(getwd(), path)
  }
  enc2utf8(path)
}

# fs::path() makes `s3:/` of `s3://`; a single letter before the colon is a drive of Windows.
is_url <- function(path) {
  grepl("^[[:space:]]*[A-Za-z][A-Za-z0-9+.:-]+:/", path)
}

# "epoch", "auto" and FALSE as they are; a save_auto() as its counterpart in Python; a number as an integer, for 5 would be 5.0 in Python.
as_python_save_freq <- function(save_freq) {
  if (inherits(save_freq, "rekindle_save_auto")) {
    return(rekindle_module()$Auto(
      max_overhead = as.double(save_freq$max_overhead),
      mean_time_between_failures = as_python_time(save_freq$mean_time_between_failures)
    ))
  }
  if (inherits(save_freq, "difftime")) {
    return(as_python_time(save_freq))
  }
  if (is.numeric(save_freq)) as.integer(save_freq) else save_freq
}

# A difftime as a string that Python reads; a string and a number of seconds as they are.
as_python_time <- function(time) {
  if (!inherits(time, "difftime")) {
    return(if (is.numeric(time)) as.double(time) else time)
  }
  seconds <- as.double(time, units = "secs")
  paste(format(seconds, digits = 15, scientific = FALSE, trim = TRUE, decimal.mark = "."), "s")
}
