# A training with state in R that signals ask to end. This is not a test: test-preemption.R runs it, and runs
# it again.
#
#   Rscript preemptible.R BACKUP_DIR RESULT_FILE SIGNALS HOW
#
# The script sends SIGNALS to itself in the middle of its seventh batch: numbers separated by commas, 1.2
# seconds apart, or "0" for none. HOW says how the script handles the preemption. "uncaught": not at all.
# "converted": with its class. "own-option": with a value of options(error = ). "wrapped": as the parent of
# another error. "too-late": with an error in the batch in which the signals arrive. "after-training": the
# script sends the signals only when training ends. With any other value, the script catches the preemption
# and continues: to another error ("other-error"), or to a signal ("r-again").

args <- commandArgs(trailingOnly = TRUE)
numbers <- as.integer(strsplit(args[[3]], ",", fixed = TRUE)[[1]])
numbers <- numbers[numbers > 0]
how <- args[[4]]
if (how == "own-option") {
  options(error = quote(quit("no", status = 3)))
}

keras <- reticulate::import("keras")
set.seed(3)
keras$utils$set_random_seed(3L)
x <- matrix(rnorm(24 * 4), 24)
model <- keras$Sequential(list(
  keras$layers$Input(reticulate::tuple(4L)),
  keras$layers$Dropout(0.3),
  keras$layers$Dense(1L)
))
model$compile(optimizer = "adam", loss = "mse")

batches <- 0
drawn <- numeric()
send_all <- function() {
  for (at in seq_along(numbers)) {
    if (at > 1) {
      # Python handles the first signal, so Python must run before the second signal.
      reticulate::py_eval("0")
      Sys.sleep(1.2)
    }
    tools::pskill(Sys.getpid(), numbers[[at]])
  }
}
send <- keras$callbacks$LambdaCallback(
  on_train_batch_begin = function(batch, logs) {
    batches <<- batches + 1
    drawn <<- c(drawn, runif(1))
    if (batches == 7 && how != "after-training") {
      send_all()
      if (how == "too-late") stop("something else")
    }
  },
  on_train_end = function(logs) if (how == "after-training") send_all()
)
backup <- rekindle::callback_backup_and_restore(
  args[[1]],
  save_freq = FALSE,
  verbose = 1,
  extra_state = list(
    batches = list(take = function() batches, put = function(value) batches <<- value),
    drawn = list(take = function() drawn, put = function(value) drawn <<- value)
  )
)
fit <- function() {
  model$fit(
    x, x[, 1, drop = FALSE],
    epochs = 4L, batch_size = 6L, verbose = 0L, callbacks = list(send, backup)
  )
}
handlers <- function() {
  reticulate::py_run_string("
import ctypes, signal
def handlers():
    found = []
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        kept = ctypes.create_string_buffer(512)
        ctypes.CDLL(None).sigaction(number, None, kept)
        found.append(kept.raw[:8].hex())
    return found
")$handlers()
}
before <- handlers() # of SIGTERM, SIGUSR1 and SIGUSR2

caught <- NULL
switch(how,
  uncaught = fit(),
  converted = rekindle::with_python_conditions(fit()),
  "own-option" = fit(),
  "too-late" = fit(),
  "after-training" = fit(),
  wrapped = tryCatch(
    rekindle::with_python_conditions(fit()),
    rekindle_preempted = function(e) rlang::abort("No result.", parent = e)
  ),
  tryCatch(rekindle::with_python_conditions(fit()), rekindle_preempted = function(e) caught <<- e)
)
if (how == "other-error") {
  stop("something else")
}

if (how == "after-training") {
  cat("went on\n")
}

weights <- tempfile()
writeBin(unlist(lapply(model$get_weights(), as.vector)), weights)
saveRDS(
  list(
    run = list(digest = unname(tools::md5sum(weights)), drawn = drawn, next_draw = runif(1)),
    resumed = backup$resume_report,
    caught = list(
      class = class(caught),
      message = if (!is.null(caught)) conditionMessage(caught),
      code = caught$code, signal = caught$signal, path = caught$path, saved = caught$saved
    ),
    handlers = list(before = before, after = handlers()),
    option = getOption("error")
  ),
  args[[2]]
)
if (how == "r-again") {
  # R's own handler must quit. Do not run Python here: it would only record the signal.
  tools::pskill(Sys.getpid(), tools::SIGUSR2)
  for (i in 1:50) Sys.sleep(0.1)
  quit("no", status = 4)
}
