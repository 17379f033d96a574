# The folder `backup` of a run that was interrupted, resumed and interrupted again, and the callback of
# its second start.
library(rekindle)

backup <- local({
  keras <- reticulate::import("keras")
  start <- function(last_epoch) {
    keras$utils$set_random_seed(1L)
    model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
    model$compile(optimizer = "adam", loss = "mse")
    now <- 0
    interrupt <- keras$callbacks$LambdaCallback(
      on_epoch_begin = function(epoch, logs) now <<- epoch,
      on_train_batch_end = function(batch, logs) {
        if (now == last_epoch && batch == 2) stop("The lights went out.")
      }
    )
    callback <- callback_backup_and_restore("backup")
    x <- scale(as.matrix(mtcars[c("wt", "hp", "disp", "qsec")]))
    y <- scale(mtcars$mpg)
    fit <- function() {
      model$fit(x, y, epochs = 9L, batch_size = 8L, verbose = 0L, callbacks = list(callback, interrupt))
    }
    try(fit(), silent = TRUE)
    callback
  }
  start(last_epoch = 2)
  start(last_epoch = 5)
})
# An error of any other kind would also have ended fit().
stopifnot(identical(backup$resume_report$evidence, "verified"))
