# Converts checked R values for Python.

# Makes a path absolute, in UTF-8, with `~` expanded. The folder may not exist, so normalizePath() cannot do
# this. `~` means R's home folder, which on Windows is not Python's. A later setwd() must not move the folder.
# A text that looks like a URL stays unchanged: Python refuses it, or takes the path from a `file://` URL.
as_python_path <- function(path) {
  path <- enc2utf8(as.character(path))
  # path.expand() converts to the session's encoding, which may lack some of the characters.
  if (startsWith(path, "~")) {
    path <- path.expand(path)
  }
  if (!grepl("^([A-Za-z]:)?[/\\\\]", path) && !is_url(path)) {
    path <- file.path(getwd(), path)
  }
  enc2utf8(path)
}

# fs::path() changes `s3://` to `s3:/`, so one slash is enough. A single letter before the colon is a Windows
# drive.
is_url <- function(path) {
  grepl("^[[:space:]]*[A-Za-z][A-Za-z0-9+.:-]+:/", path)
}

# "epoch", "auto" and FALSE stay unchanged. A save_auto() becomes its counterpart in Python, and a number an
# integer, because 5 would be 5.0 in Python.
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

# A difftime becomes a string that Python can read. A string and a number of seconds stay unchanged.
as_python_time <- function(time) {
  if (!inherits(time, "difftime")) {
    return(if (is.numeric(time)) as.double(time) else time)
  }
  seconds <- as.double(time, units = "secs")
  paste(format(seconds, digits = 15, scientific = FALSE, trim = TRUE, decimal.mark = "."), "s")
}
