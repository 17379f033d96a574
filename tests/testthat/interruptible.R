# A training that receives an interrupt while it runs. The session continues afterwards. This is not a test:
# test-interrupts.R sources it in separate sessions, with and without a terminal.
#
#   INTERRUPTIBLE_DIR    the backup folder
#   INTERRUPTIBLE_SAVES  "batch" for a save at each batch, else at each epoch
#   INTERRUPTIBLE_IN     "r": the time is spent in R functions that Python calls; "python": in Python

dir <- Sys.getenv("INTERRUPTIBLE_DIR")
spent_in_r <- Sys.getenv("INTERRUPTIBLE_IN") == "r"
keras <- reticulate::import("keras")

make_model <- function() {
  keras$utils$set_random_seed(1L)
  model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
  model$compile("sgd", "mse")
  model
}

# Prints the epoch for the test that interrupts, then waits.
slow_in_r <- function(epochs) {
  keras$callbacks$LambdaCallback(on_epoch_begin = function(epoch, logs) {
    cat("now in epoch", epoch, "\n")
    if (epoch >= epochs) Sys.sleep(60)
  })
}
slow_in_python <- reticulate::py_run_string("
import keras, time
class Slow(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs
    def on_epoch_begin(self, epoch, logs=None):
        print('now in epoch', epoch, flush=True)
        end = time.monotonic() + (60 if epoch >= self.epochs else 0)
        while time.monotonic() < end:
            time.sleep(0.01)
")$Slow

save_freq <- if (Sys.getenv("INTERRUPTIBLE_SAVES") == "batch") 1L else "epoch"
backup <- rekindle::callback_backup_and_restore(dir, save_freq = save_freq, verbose = 1)

# The training is slow from epoch `slow_from` on.
train <- function(slow_from = 9999L, epochs = 6L) {
  x <- matrix(as.double(1:32) / 32, 8)
  slow <- (if (spent_in_r) slow_in_r else slow_in_python)(slow_from)
  history <- make_model()$fit(
    x, x[, 1, drop = FALSE],
    epochs = epochs, batch_size = 4L, verbose = 0L, callbacks = list(backup, slow)
  )
  cat("complete after epochs", length(history$epoch), "\n")
}

# Reads every byte of the backup.
verify <- function() {
  checks <- rekindle::backup_verify(dir)
  cat("saves", nrow(checks), "of them damaged", sum(!checks$whole), "- verified\n")
}
