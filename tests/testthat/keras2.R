# A training script for the package keras (Keras 2) as users write it. This is not a test:
# test-keras2-package.R kills it and runs it again.
#
#   Rscript keras2.R BACKUP_DIR RESULT_FILE KILL_EPOCH KILL_BATCH CALLBACK
#
# It kills itself at the end of that batch of that epoch; both count from 0, as R callbacks of keras count. At
# batch -1 it kills itself at the end of the epoch. If there is no such place, it never kills itself. CALLBACK
# is "rekindle", or "keras" for the callback of that package.

args <- commandArgs(trailingOnly = TRUE)
kill_at <- as.integer(args[3:4])

suppressPackageStartupMessages({
  # Not library(): keras and keras3 exclude each other, so keras is not among the suggested packages.
  attachNamespace("keras")
  library(rekindle)
})

getExportedValue("tensorflow", "set_random_seed")(7L)
x <- matrix(rnorm(83 * 4), 83)
y <- x[, 1, drop = FALSE] - 2 * x[, 2]

model <- keras_model_sequential(input_shape = 4) |>
  layer_dense(8, activation = "relu") |>
  layer_dropout(0.3) |>
  layer_batch_normalization() |>
  layer_dense(1)
model |> compile(optimizer = "adam", loss = "mse", metrics = "mae")

# State in R variables.
seen <- list(epochs = integer(), drawn = numeric())
note <- callback_lambda(on_epoch_end = function(epoch, logs) {
  seen$epochs <<- c(seen$epochs, as.integer(epoch))
  seen$drawn <<- c(seen$drawn, logs$loss * runif(1))
})

kill_self <- function() {
  tools::pskill(Sys.getpid(), tools::SIGKILL)
  Sys.sleep(60) # the signal arrives
}
Killer <- getExportedValue("R6", "R6Class")("Killer", # nolint: object_name_linter. As keras' help writes it.
  inherit = KerasCallback,
  public = list(
    epoch = -1L,
    on_epoch_begin = function(epoch, logs = NULL) self$epoch <- as.integer(epoch),
    # keras calls this hook, and not on_train_batch_end(), of a class that has both.
    on_batch_end = function(batch, logs = NULL) {
      if (identical(c(self$epoch, as.integer(batch)), kill_at)) kill_self()
    },
    on_epoch_end = function(epoch, logs = NULL) {
      if (identical(c(as.integer(epoch), -1L), kill_at)) kill_self()
    }
  )
)

ours <- identical(args[[5]], "rekindle")
backup <- if (ours) {
  callback_backup_and_restore(
    args[[1]],
    save_freq = 5,
    background = FALSE, # so that the place of the last checkpoint does not depend on the speed of the disk
    extra_state = list(seen = list(take = function() seen, put = function(value) seen <<- value))
  )
} else {
  getExportedValue("keras", "callback_backup_and_restore")(args[[1]])
}
history <- model |> fit(
  x, y,
  epochs = 6, batch_size = 8, validation_split = 0.2, verbose = 0, view_metrics = FALSE,
  callbacks = list(backup, note, Killer$new())
)

weights <- tempfile()
writeBin(unlist(lapply(get_weights(model), as.vector)), weights)
saveRDS(
  list(
    run = list(
      digest = unname(tools::md5sum(weights)),
      metrics = history$metrics,
      rows = as.data.frame(history),
      seen = seen,
      next_draw = runif(1)
    ),
    resumed = if (ours) backup$resume_report,
    keras_3 = "keras" %in% names(reticulate::import("sys")$modules)
  ),
  args[[2]]
)
