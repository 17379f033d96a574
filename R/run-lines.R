# What a checkpoint says of its run: how often it saves, and what was seen since it resumed.

# Describes how often the run saves, and why, as far as the numbers are known.
schedule_line <- function(schedule) {
  if (is.null(schedule)) {
    return(NULL)
  }
  if (!is.numeric(schedule$interval)) {
    text <- "The run was still measuring how much a save costs, to choose how often to save."
    return(mark_line("info", text))
  }
  reason <- switch(as.character(schedule$reason %||% ""),
    max_overhead = "as often as the limit on the overhead allows",
    mean_time_between_failures = "so that failures cost the least time",
    writing = "as often as a checkpoint can be written",
    shortest = "the shortest useful interval"
  )
  costs <- schedule[c("stall", "interference", "step")]
  why <- if (!is.null(reason) && all(vapply(costs, is.numeric, NA))) {
    paste0(
      ", ", reason, ": a save stalls training for ", span_text(costs$stall),
      " and slows the steps after it by ", span_text(costs$interference),
      " in total; a step takes ", span_text(costs$step)
    )
  }
  mark_line("info", paste0("The run saves every ", span_text(schedule$interval), why, "."))
}

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
    changed = "the set-up was changed, so another result is expected",
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
