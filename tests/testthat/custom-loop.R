# A training loop as users write it: it trains a Keras model by train_on_batch(), and keeps the order of the
# data, the losses and the best value so far in R. This is not a test: test-custom-loops.R kills it and runs
# it again.
#
#   Rscript custom-loop.R FOLDER RESULT_FILE KILL_STEP BACKGROUND
#
# It kills itself in that step, between the training and the save. With 0, it never kills itself.

args <- commandArgs(trailingOnly = TRUE)
kill_step <- as.integer(args[[3]])

library(rekindle)
keras <- reticulate::import("keras")
set.seed(11)
keras$utils$set_random_seed(11L)

x <- matrix(rnorm(40 * 4), 40)
y <- x[, 1, drop = FALSE] - 2 * x[, 2]
model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dense(8L, activation = "relu"),
  keras$layers$Dropout(0.2, seed = 5L),
  keras$layers$Dense(1L)
))
model$compile(optimizer = keras$optimizers$Adam(0.01), loss = "mse")

ckpt <- checkpoint(
  model = model, seed = r_random_state(), step = 0L, order = integer(),
  log = list(), best = NA, seen = data.frame(step = integer(), loss = numeric())
)
manager <- checkpoint_manager(ckpt, args[[1]], max_to_keep = 2, background = as.logical(args[[4]]))
restored <- manager$restore_or_initialize()

while (ckpt$step < 30L) {
  if (length(ckpt$order) == 0) ckpt$order <- sample(40)
  rows <- utils::head(ckpt$order, 8)
  ckpt$order <- utils::tail(ckpt$order, -8)
  loss <- as.numeric(model$train_on_batch(x[rows, ], y[rows, , drop = FALSE])[[1]])
  ckpt$step <- ckpt$step + 1L
  ckpt$log[[ckpt$step]] <- list(rows = rows, noise = rnorm(1))
  ckpt$best <- min(ckpt$best, loss, na.rm = TRUE)
  ckpt$seen <- rbind(ckpt$seen, data.frame(step = ckpt$step, loss = loss))
  manager$witness(ckpt$step, batch = list(x[rows, ], y[rows]), loss = loss)
  if (ckpt$step == kill_step) {
    tools::pskill(Sys.getpid(), tools::SIGKILL)
    Sys.sleep(60) # the signal arrives
  }
  manager$save(with_metadata = list(loss = loss))
}

saveRDS(
  list(
    run = list(
      weights = lapply(model$get_weights(), as.vector),
      state = lapply(c("step", "order", "log", "best", "seen"), function(name) ckpt[[name]]),
      next_draw = runif(1)
    ),
    restored = restored,
    report = manager$resume_report
  ),
  args[[2]]
)
