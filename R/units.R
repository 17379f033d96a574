# Numbers of bytes and lengths of time as text, with their units.

# A number of bytes as text, with a unit.
size_text <- function(x) {
  vapply(x, function(bytes) {
    format(structure(bytes, class = "object_size"), units = "auto", standard = "SI")
  }, "")
}

# Formats a length of time as Python's durations.py does: 0.12 s, 48 s, 12 min, 3.5 h.
span_text <- function(seconds) {
  sizes <- c(days = 86400, h = 3600, min = 60, s = 1)
  fits <- seconds >= c(2, 2, 2, 0.01) * sizes
  if (!any(fits)) {
    return(paste(format(signif(1000 * seconds, 2)), "ms"))
  }
  unit <- which(fits)[[1]]
  paste(format(signif(seconds / sizes[[unit]], 3)), names(sizes)[[unit]])
}

# An age or a time that has passed: whole units, in words, the largest that fits.
duration <- function(seconds) {
  units <- c(day = 86400, hour = 3600, minute = 60, second = 1)
  unit <- which(max(seconds, 1) >= units)[[1]]
  count <- max(seconds, 0) %/% units[[unit]]
  paste0(count, " ", names(units)[[unit]], if (count != 1) "s")
}
