# Converts checked R values for Python.

# Makes a path absolute, in UTF-8, with `~` expanded. The folder may not exist, so normalizePath() cannot do
# this. `~` means R's home folder, which on Windows is not Python's. A later setwd() must not move the folder.
# A text that looks like a URL stays unchanged: Python takes a place in an object store, or the path from a
# `file://` URL, and refuses other URLs.
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

# Folders as absolute paths, without `file://`, and URLs of object stores. Another URL is an error that names
# the argument.
places <- function(given, arg = caller_arg(given), call = caller_env()) {
  vapply(given, function(place) {
    place <- as_python_path(place)
    if (!is_url(place)) {
      return(place)
    }
    check_url(place, arg, call)
    convert_exceptions(r_door(call = call)$place(arg, place), call = call)
  }, "", USE.NAMES = FALSE)
}

# The path of a file, likewise. A file is on this machine.
local_file <- function(path, arg = caller_arg(path), call = caller_env()) {
  force(arg)
  if (is.null(path)) {
    return(NULL)
  }
  path <- as_python_path(path)
  if (is_url(path)) convert_exceptions(r_door(call = call)$file_path(arg, path), call = call) else path
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
