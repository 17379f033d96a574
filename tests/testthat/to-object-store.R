# A training script that saves into an object store. This is not a test: test-object-stores.R kills it and
# runs it again.
#
#   Rscript to-object-store.R URL RESULT_FILE ENDPOINT KEY SECRET KILL_EPOCH
#
# It kills itself at the third batch of that epoch, counted from 1. If there is no such epoch, it never kills
# itself.

args <- commandArgs(trailingOnly = TRUE)
keras <- reticulate::import("keras")
# Python runs already. It copied the environment when it started.
Sys.setenv(
  AWS_ENDPOINT_URL = args[[3]], AWS_ACCESS_KEY_ID = args[[4]], AWS_SECRET_ACCESS_KEY = args[[5]],
  AWS_REGION = "us-east-1"
)
keras$utils$set_random_seed(3L)
epoch_now <- 0
killer <- keras$callbacks$LambdaCallback(
  on_epoch_begin = function(epoch, logs) epoch_now <<- epoch + 1,
  on_train_batch_begin = function(batch, logs) {
    Sys.sleep(0.1) # the saves keep up
    if (epoch_now == as.integer(args[[6]]) && batch == 2) {
      tools::pskill(Sys.getpid(), tools::SIGKILL)
      Sys.sleep(60) # the signal arrives
    }
  }
)
set.seed(3)
x <- matrix(rnorm(48 * 4), 48)
y <- x[, 1, drop = FALSE]
model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dense(8L, activation = "relu"),
  keras$layers$Dropout(0.3),
  keras$layers$Dense(1L)
))
model$compile(optimizer = "adam", loss = "mse")
backup <- rekindle::callback_backup_and_restore(args[[1]], save_freq = 2, verbose = 1)
history <- model$fit(
  x, y,
  epochs = 5L, batch_size = 8L, verbose = 0L, callbacks = list(backup, killer)
)
saveRDS(
  list(
    weights = lapply(model$get_weights(), as.vector), loss = unlist(history$history$loss),
    resumed = backup$resume_report, backup = backup
  ),
  args[[2]]
)
