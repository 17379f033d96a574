# Any user may have written the names in a backup folder. A name can contain characters that move the
# terminal's cursor, reverse the order of letters or end the line.

# Replaces the characters that do not print as themselves with the same escapes as Python's repr().
printable <- function(x) {
  x <- enc2utf8(x)
  broken <- !is.na(x) & !validUTF8(x)
  x[broken] <- iconv(x[broken], "UTF-8", "UTF-8", sub = "byte")
  odd <- which(!is.na(x) & grepl(unprintable, x, perl = TRUE))
  x[odd] <- vapply(x[odd], escaped, "", USE.NAMES = FALSE)
  x
}

# Control characters, format characters, surrogates, and separators of lines or paragraphs.
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

# Does the same for every string and every name in a list of lists.
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

# A data frame with text from a folder. It prints like any data frame, but with harmless text.
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
