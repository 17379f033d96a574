# Names in a backup folder may be anybody's: they can hold what moves a terminal's cursor, turns the order of
# letters or ends the line.

# Text with escapes, as Python's repr() has them, for what would not print as itself.
printable <- function(x) {
  x <- enc2utf8(x)
  broken <- !is.na(x) & !validUTF8(x)
  x[broken] <- iconv(x[broken], "UTF-8", "UTF-8", sub = "byte")
  odd <- which(!is.na(x) & grepl(unprintable, x, perl = TRUE))
  x[odd] <- vapply(x[odd], escaped, "", USE.NAMES = FALSE)
  x
}

# Controls, marks that format, half characters, and what ends lines or paragraphs.
unprintable <- "[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]"

escaped <- function(text) {
  codes <- utf8ToInt(text)
  signs <- intToUtf8(codes, multiple = TRUE)
  odd <- grepl(unprintable, signs, perl = TRUE)
  forms <- ifelse(codes < 256, "\\x%02x", ifelse(codes < 65536, "\\u%04x", "\\U%08x"))
  signs[odd] <- mapply(sprintf, forms[odd], codes[odd])
  known <- match(codes, c(9L, 10L, 13L))
  signs[!is.na(known)] <- c("\\t", "\\n", "\\r")[known[!is.na(known)]]
  paste(signs, collapse = "")
}

# The same for every string and every name in a list of lists.
all_printable <- function(x) {
  if (is.character(x)) {
    x[] <- printable(x)
  } else if (is.list(x)) {
    x[] <- lapply(x, all_printable)
  }
  if (!is.null(names(x))) {
    names(x) <- printable(names(x))
  }
  x
}

# A data frame of what a folder holds, which prints as one, and harmlessly.
as_table <- function(frame) {
  structure(frame, class = c("rekindle_table", "data.frame"))
}

#' @export
print.rekindle_table <- function(x, ...) {
  shown <- all_printable(x)
  class(shown) <- "data.frame"
  print(shown, ...)
  invisible(x)
}
