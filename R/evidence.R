# What was seen since a run resumed, in words.

evidence_line <- function(evidence) {
  if (is.null(evidence)) {
    return(NULL)
  }
  source <- if (is.null(evidence$number)) {
    "a backup of keras3's own callback"
  } else {
    paste("checkpoint", format_plain(evidence$number))
  }
  told <- switch(as.character(evidence$evidence %||% ""),
    verified = paste(counted_text(evidence), "equal those of the interrupted run"),
    unverified = "the interrupted run left nothing to compare with",
    changed = "the set-up was changed, so nothing was compared",
    differs = "what it saw differs from what the interrupted run saw",
    "nothing is known about how exactly"
  )
  kind <- if (identical(evidence$evidence, "differs")) "warning" else "info"
  mark_line(kind, paste0("The run had resumed from ", source, ": ", told, "."))
}

counted_text <- function(evidence) {
  count <- function(many, one) {
    n <- evidence[[many]]
    if (is.numeric(n) && n > 0) paste(format_plain(n), if (n == 1) one else many)
  }
  parts <- c(count("batches", "batch"), count("losses", "loss"), count("epochs", "epoch"))
  if (length(parts) < 2) {
    return(if (length(parts)) parts else "nothing")
  }
  last <- length(parts)
  paste(toString(parts[-last]), "and", parts[[last]])
}
