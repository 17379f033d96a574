# What the Python part says during fit(), in R's words: epochs and batches are counted from 1.

# From now on, Python's messages and warnings come here.
show_messages <- function() {
  r_door()$keep_interrupts()
  r_door()$send_events_to(uninterrupted(function(kind, facts) {
    if (kind == "fit_began") {
      let_go_after_fit()
      return(NULL)
    }
    if (kind == "exit_code") {
      watch_uncaught(facts$code)
      restore_handlers_after_fit()
      return(NULL)
    }
    if (kind == "replaying") {
      show_progress(facts)
      return(NULL)
    }
    # Nothing that is only said may end the training.
    line <- tryCatch(message_line(kind, facts), error = function(cnd) facts$text)
    show_line(line)
    NULL
  }))
}

# Printed, not signalled. Python's frames lie between here and the user's code: a handler out there that jumps
# over them, such as tryCatch(message = ), breaks the interpreter. knitr's handlers do not jump, and see
# nothing else.
show_line <- function(line) {
  if (isTRUE(getOption("knitr.in.progress"))) {
    message(line)
  } else {
    cat(line, "\n", sep = "", file = cli::cli_output_connection())
  }
}

# A bar for what takes long. Not one of cli's, which are signalled as conditions: see show_line().
show_progress <- function(facts) {
  # One that an interrupted run has left behind is not gone on with.
  if (is.null(the$bar) || the$bar_at > facts$done) {
    show_line(message_line("replaying", facts))
    the$bar <- new_bar(facts$total)
  }
  the$bar_at <- facts$done
  if (inherits(the$bar, "txtProgressBar")) {
    utils::setTxtProgressBar(the$bar, facts$done)
    if (facts$done >= facts$total) close(the$bar)
  }
  if (facts$done >= facts$total) the$bar <- NULL
}

# In an article, the line before it is enough.
new_bar <- function(total) {
  if (isTRUE(getOption("knitr.in.progress"))) {
    return("none")
  }
  utils::txtProgressBar(max = total, style = 3, file = cli::cli_output_connection())
}

# One line, styled as the terminal allows.
message_line <- function(kind, facts) {
  text <- switch(kind,
    resumed = resumed_text(facts),
    saved = saved_text(facts),
    warning = warning_text(facts),
    facts$text
  )
  mark <- if (kind == "warning") cli::col_yellow("!") else cli::col_cyan(cli::symbol$info)
  paste(mark, text)
}

resumed_text <- function(facts) {
  saved <- paste("saved", duration(as.numeric(Sys.time()) - facts$time), "ago")
  paste0("Resuming at ", place(facts), " (", saved, ").")
}

# The epoch and the batch that come next.
place <- function(facts) {
  epoch <- paste("epoch", facts$epoch + 1)
  if (isTRUE(facts$at_end)) {
    return(paste("the end of", epoch))
  }
  if (facts$batch > 0) paste0(epoch, ", batch ", facts$batch + 1) else epoch
}

saved_text <- function(facts) {
  done <- if (facts$batch > 0) {
    paste0("batch ", facts$batch, " of epoch ", facts$epoch + 1)
  } else {
    paste("epoch", facts$epoch)
  }
  paste0("Saved after ", done, " (save ", facts$number, ").")
}

warning_text <- function(facts) {
  if (is.null(facts$epoch)) {
    return(facts$text)
  }
  # What is known of an epoch is of a backup by Keras' own callback.
  again <- if (facts$batch > 0) ", from its start, as with keras3's own callback"
  notes <- paste0(" Note: ", unlist(facts$notes), ".", recycle0 = TRUE)
  paste0(
    cli::format_inline("Going on with the backup of keras3's own callback in {.path {facts$directory}}"),
    ", at ", place(list(epoch = facts$epoch, batch = 0)), again, ". It holds no random states, no",
    " history and nothing of other callbacks, so the run may differ from one never interrupted.",
    paste(notes, collapse = ""), " Its files stay as they are."
  )
}

duration <- function(seconds) {
  units <- c(day = 86400, hour = 3600, minute = 60, second = 1)
  unit <- which(max(seconds, 1) >= units)[[1]]
  count <- max(seconds, 0) %/% units[[unit]]
  paste0(count, " ", names(units)[[unit]], if (count != 1) "s")
}
