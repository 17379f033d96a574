# A run that continues until it is killed. This is not a test: test-backup-*.R inspect it from another
# process.
#
#   Rscript running.R BACKUP_DIR

keras <- reticulate::import("keras")
np <- reticulate::import("numpy", convert = FALSE)
model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dense(3L, name = "dense")
))
model$compile(optimizer = "sgd", loss = "mse")
slow <- keras$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) Sys.sleep(0.5))
model$fit(
  np$ones(c(5L, 4L)), np$zeros(c(5L, 3L)),
  epochs = 1000L, verbose = 0L,
  callbacks = list(rekindle::callback_backup_and_restore(commandArgs(trailingOnly = TRUE)[[1]]), slow)
)
