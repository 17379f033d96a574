# A training script as users write it, with every kind of state that R can hold. This is not a test:
# test-resume-in-r.R kills it and runs it again.
#
#   Rscript resumable.R BACKUP_DIR RESULT_FILE KILL_EPOCH KILL_BATCH
#
# It kills itself at that batch, counted from 0, in that epoch, counted from 1. If there is no such batch, it
# never kills itself.

args <- commandArgs(trailingOnly = TRUE)
kill_at <- as.integer(args[3:4])
has_keras3 <- requireNamespace("keras3", quietly = TRUE)

keras <- reticulate::import("keras")
set.seed(7)
keras$utils$set_random_seed(7L)
x <- matrix(rnorm(83 * 4), 83)
y <- x[, 1, drop = FALSE] - 2 * x[, 2]

# State in an R variable.
drawn <- c(start = NA)
draw <- keras$callbacks$LambdaCallback(
  on_epoch_end = function(epoch, logs) drawn <<- c(drawn, logs$loss * runif(1))
)

# State in attributes of a callback, and in its own state_dict().
if (has_keras3) {
  make_counter <- keras3::new_callback_class(
    "Counter",
    initialize = function() self$seen <- 0L,
    on_train_batch_end = function(batch, logs = NULL) self$seen <- self$seen + 1L
  )
  make_private <- keras3::new_callback_class(
    "Private",
    on_epoch_end = function(epoch, logs = NULL) private$total <- c(private$total, logs$loss + rnorm(1)),
    state_dict = function() list(total = private$total),
    load_state_dict = function(state) private$total <- unlist(state$total),
    total = function() private$total,
    private = list(total = 0)
  )
} else {
  make_counter <- reticulate::PyClass(
    "Counter",
    list(
      `__init__` = function(self) {
        super()$`__init__`()
        self$seen <- 0L
        NULL
      },
      on_train_batch_end = function(self, batch, logs = NULL) {
        self$seen <- self$seen + 1L
        NULL
      }
    ),
    keras$callbacks$Callback
  )
  make_private <- reticulate::PyClass(
    "Private",
    list(
      on_epoch_end = function(self, epoch, logs = NULL) {
        hidden <<- c(hidden, logs$loss + rnorm(1))
        NULL
      },
      state_dict = function(self) list(total = hidden),
      load_state_dict = function(self, state) {
        hidden <<- unlist(state$total)
        NULL
      },
      total = function(self) hidden
    ),
    keras$callbacks$Callback
  )
  hidden <- 0
}

epoch_now <- 0L
killer <- keras$callbacks$LambdaCallback(
  on_epoch_begin = function(epoch, logs) epoch_now <<- epoch + 1L,
  on_train_batch_begin = function(batch, logs) {
    if (identical(c(epoch_now, as.integer(batch)), kill_at)) {
      tools::pskill(Sys.getpid(), tools::SIGKILL)
      Sys.sleep(60) # the signal arrives
    }
  }
)

model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dense(8L, activation = "relu"),
  keras$layers$Dropout(0.3),
  keras$layers$Dense(1L)
))
model$compile(optimizer = keras$optimizers$Adam(0.01), loss = "mse")

backup <- rekindle::callback_backup_and_restore(
  args[[1]],
  save_freq = 5,
  extra_state = list(drawn = list(take = function() drawn, put = function(value) drawn <<- value))
)
counter <- make_counter()
private <- make_private()
callbacks <- list(backup, counter, private, draw, killer)
if (has_keras3) {
  history <- as.data.frame(keras3::fit(
    model, x, y,
    epochs = 6, batch_size = 8, validation_split = 0.2, verbose = 0, callbacks = callbacks
  ))
} else {
  history <- model$fit(
    x, y,
    epochs = 6L, batch_size = 8L, validation_split = 0.2, verbose = 0L, callbacks = callbacks
  )
  history <- data.frame(epoch = unlist(history$epoch), lapply(history$history, unlist))
}

weights <- tempfile()
writeBin(unlist(lapply(model$get_weights(), as.vector)), weights)
saveRDS(
  list(
    run = list(
      digest = unname(tools::md5sum(weights)),
      history = history,
      drawn = drawn,
      seen = counter$seen,
      total = private$total(),
      next_draw = runif(1)
    ),
    resumed = backup$resume_report
  ),
  args[[2]]
)
