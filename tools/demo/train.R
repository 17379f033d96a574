# The demo kills this script and runs it again. The script trains a model that predicts the price of diamonds.
#
#   Rscript train.R BACKUP_DIR RESULT_FILE
#
# Only one line makes it survive: the callback. No other line deals with interruptions.

args <- commandArgs(trailingOnly = TRUE)
backup_dir <- args[[1]]
result_file <- args[[2]]

# The data: 53,940 diamonds that come with ggplot2.
diamonds <- as.data.frame(lapply(ggplot2::diamonds, as.numeric))
inputs <- scale(as.matrix(diamonds[setdiff(names(diamonds), "price")]))
prices <- scale(log(diamonds$price))

# The model.
keras <- reticulate::import("keras")
keras$utils$set_random_seed(42L)
model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(ncol(inputs))),
  keras$layers$Dense(64L, activation = "relu"),
  keras$layers$Dense(64L, activation = "relu"),
  keras$layers$Dense(1L)
))
model$compile(optimizer = keras$optimizers$Adam(0.002), loss = "mse")

# Prints the progress for the demo: epoch, batch, and the epoch's mean loss so far.
epoch_now <- NA
progress <- keras$callbacks$LambdaCallback(
  on_epoch_begin = function(epoch, logs) epoch_now <<- epoch + 1L,
  on_train_batch_end = function(batch, logs) {
    cat(sprintf("progress %d %d %.6f\n", epoch_now, batch + 1L, logs$loss))
  }
)

backup <- rekindle::callback_backup_and_restore(backup_dir, save_freq = 20)

train <- function() {
  callbacks <- list(backup, progress)
  if (requireNamespace("keras3", quietly = TRUE)) {
    history <- model |> keras3::fit(
      inputs, prices,
      epochs = 10, batch_size = 512, verbose = 0, callbacks = callbacks
    )
    return(history$metrics$loss)
  }
  history <- model$fit(
    inputs, prices,
    epochs = 10L, batch_size = 512L, verbose = 0L, callbacks = callbacks
  )
  unlist(history$history$loss)
}
loss <- rekindle::with_python_conditions(train())

digest <- function(weights) {
  file <- tempfile()
  on.exit(unlink(file))
  writeBin(unlist(lapply(weights, as.vector)), file)
  unname(tools::md5sum(file))
}
saveRDS(
  list(loss = loss, digest = digest(model$get_weights()), resumed = backup$resume_report),
  result_file
)
