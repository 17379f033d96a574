# Prints the messages of the Python package in R's terms: epochs and batches are counted from 1.

# After this call, Python sends its messages and warnings to R.
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
    # A failure to format a message must not end the training.
    line <- tryCatch(message_line(kind, facts), error = function(cnd) facts$text)
    show_line(line)
    NULL
  }))
}

# Prints the line instead of signalling a condition. Python's frames are between this function and the user's
# code. If a handler in the user's code jumps over them, as tryCatch(message = ) does, the interpreter breaks.
# Under knitr this signals a message: knitr's handlers do not jump, and they see nothing else.
show_line <- function(line) {
  if (isTRUE(getOption("knitr.in.progress"))) {
    message(line)
  } else {
    cat(line, "\n", sep = "", file = cli::cli_output_connection())
  }
}

# A progress bar for a long operation. It is not a cli bar, because cli signals conditions: see show_line().
show_progress <- function(facts) {
  # Do not continue a bar that an interrupted run left behind.
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

# In an article, the line before the bar is enough.
new_bar <- function(total) {
  if (isTRUE(getOption("knitr.in.progress"))) {
    return("none")
  }
  utils::txtProgressBar(max = total, style = 3, file = cli::cli_output_connection())
}

# One line of text, with the styles that the terminal supports.
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

# The next epoch and the next batch.
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
  paste0("Saved after ", done, " (checkpoint ", facts$number, ").")
}

warning_text <- function(facts) {
  if (is.null(facts$epoch)) {
    return(facts$text)
  }
  # Only the warning about a backup of Keras' own callback has an epoch. In a backup of keras3, the batch says
  # how much of the epoch is trained again.
  of_keras_2 <- identical(facts$library, "tf_keras")
  package <- if (of_keras_2) "keras" else "keras3"
  batch <- if (of_keras_2) facts$batch else 0
  again <- if (!of_keras_2 && facts$batch > 0) ", from its start, as with keras3's own callback"
  notes <- paste0(" Note: ", unlist(facts$notes), ".", recycle0 = TRUE)
  paste0(
    "Resuming from the backup of ", package, "'s own callback in ",
    place_text(facts$directory),
    ", at ", place(list(epoch = facts$epoch, batch = batch)), again, ". The backup has no random",
    " states, no history and no state of other callbacks, so the run may differ from an uninterrupted one.",
    paste(notes, collapse = ""), " Its files stay as they are."
  )
}
