# The attempts of a run: a fit() each, from its start or resume to its end.

# A data frame of them. Places are epochs, with a fraction for the batches of the next epoch.
attempts_frame <- function(attempts, batches) {
  column <- function(field, type = "double") {
    vapply(attempts, function(one) value_or_na(one[[field]], type), vector(type, 1))
  }
  data.frame(
    number = column("number"),
    began = as_time(column("began")),
    checkpoint = column("checkpoint"),
    from = epochs_done(column("epoch"), column("batch"), batches),
    to = epochs_done(column("to_epoch"), column("to_batch"), batches),
    until = as_time(column("until")),
    ended = column("ended", "character")
  )
}

# Without the number of batches, the middle of an epoch stands for all of its batches.
epochs_done <- function(epoch, batch, batches) {
  share <- if (is.numeric(batches) && batches > 0) pmin(1, batch / batches) else ifelse(batch > 0, 0.5, 0)
  epoch + share
}

# Where each attempt but the last ended, and from where on the next one trained again.
attempt_breaks <- function(attempts) {
  if (is.null(attempts) || nrow(attempts) < 2) {
    return(data.frame(at = numeric(), from = numeric()))
  }
  at <- attempts$to[-nrow(attempts)]
  data.frame(at = at, from = pmin(at, attempts$from[-1]))
}
