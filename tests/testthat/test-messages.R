said <- function(expr) {
  cli::ansi_strip(utils::capture.output(invisible(expr), type = "message"))
}

test_that("a resume is told with epoch and batch counted from 1, and the age of the save", {
  line <- function(epoch, batch, age, ...) {
    facts <- list(text = "", epoch = epoch, batch = batch, time = as.numeric(Sys.time()) - age, ...)
    cli::ansi_strip(message_line("resumed", facts))
  }
  expect_match(line(4L, 119L, 185), "Resuming at epoch 5, batch 120 (saved 3 minutes ago).", fixed = TRUE)
  expect_match(line(4L, 0L, 3700), "Resuming at epoch 5 (saved 1 hour ago).", fixed = TRUE)
  expect_match(line(4L, 120L, 60, at_end = TRUE), "Resuming at the end of epoch 5 (saved", fixed = TRUE)
})

test_that("an age is in the largest unit there is one of", {
  expect_identical(
    vapply(c(-3, 0, 1, 59.9, 60, 7199, 86400, 200000), duration, ""),
    c("0 seconds", "0 seconds", "1 second", "59 seconds", "1 minute", "1 hour", "1 day", "2 days")
  )
})

test_that("a save is told by what it was taken after", {
  line <- function(epoch, batch) {
    cli::ansi_strip(message_line("saved", list(text = "", epoch = epoch, batch = batch, number = 12L)))
  }
  expect_match(line(3L, 0L), "Saved after epoch 3 (checkpoint 12).", fixed = TRUE)
  expect_match(line(3L, 5L), "Saved after batch 5 of epoch 4 (checkpoint 12).", fixed = TRUE)
})

test_that("what has no words in R is told in Python's", {
  expect_match(message_line("replaying", list(text = "Reading over batches.")), "Reading over batches.")
  expect_match(message_line("warning", list(text = "No room.", category = "SaveWarning")), "No room.")
})

test_that("batches that are read again have a bar, from the first to the last of them", {
  shown <- function(done, total = 4L) {
    facts <- list(text = "Reading over batches.", done = done, total = total)
    paste(said(show_progress(facts)), collapse = "")
  }
  withr::defer(the$bar <- NULL)
  expect_match(shown(1L), "Reading over batches.*25%")
  expect_match(shown(3L), "75%")
  # The next run starts a new bar after a run that was interrupted here.
  expect_match(shown(2L, 8L), "Reading over batches.*25%")
  expect_match(shown(8L, 8L), "100%")
  expect_null(the$bar)
})

test_that("verbose = 1 says the resume, 2 also the saves, and 0 nothing", {
  skip_without_keras()
  run <- function(verbose, ...) {
    dir <- withr::local_tempdir()
    said({
      interrupted(tiny_fit(callback_backup_and_restore(dir, verbose = verbose), interrupt_at(2)))
      tiny_fit(callback_backup_and_restore(dir, verbose = verbose), epochs = 4L)
    })
  }
  expect_identical(run(0), character())
  expect_match(run(1), "Resuming at epoch 3 \\(saved \\d+ seconds? ago\\)\\.$")
  # The message appears only when the checkpoint is durable, and training is further by then.
  lines <- run(2)
  expect_length(lines, 5)
  for (epoch in 1:4) {
    expect_match(lines, sprintf("Saved after epoch %d \\(checkpoint \\d+\\)\\.$", epoch), all = FALSE)
  }
  expect_match(lines, "Resuming at epoch 3", all = FALSE)
})

test_that("a warning of Python's is told each time, at verbose = 0 too", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  custom <- reticulate::py_run_string("
import keras
class Tracked(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.tracker = type('Tracker', (), {})()
")$Tracked
  for (time in 1:2) {
    lines <- said(tiny_fit(callback_backup_and_restore(dir), custom(), epochs = 2L))
    expect_match(lines, "Tracked.tracker is of a type that cannot be saved", all = FALSE)
    expect_false(any(grepl("run.py", lines, fixed = TRUE)))
  }
})

test_that("in a document of knitr it is a message", {
  withr::local_options(knitr.in.progress = TRUE)
  expect_message(show_line("said"), "said")
})

test_that("a handler that jumps out of fit() at a message is not reached, and Python stays whole", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(2)))
  lines <- said(
    result <- tryCatch(
      tiny_fit(callback_backup_and_restore(dir, verbose = 2)),
      condition = function(cnd) "jumped"
    )
  )
  expect_match(lines, "Resuming at epoch 3", all = FALSE)
  expect_length(result$history$epoch, 10)
})

# --- a backup by keras3's own callback ------------------------------------------------------------------

test_that("a run that resumes from a backup by Keras' own callback says so", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  theirs <- reticulate::import("keras")$callbacks$BackupAndRestore(dir)
  interrupted(tiny_fit(theirs, interrupt_at(4)))
  ours <- callback_backup_and_restore(dir)
  ran <- integer()
  count <- reticulate::import("keras")$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs) ran <<- c(ran, epoch)
  )
  lines <- paste(said(tiny_fit(ours, count)), collapse = " ")
  expect_identical(ran, 4:9)
  expect_match(lines, "Resuming from the backup of keras3's own callback in ", fixed = TRUE)
  expect_match(lines, ", at epoch 5. The backup has no random states", fixed = TRUE)
  expect_null(ours$resume_report$number)
  expect_setequal(
    setdiff(list.files(dir), "takeover.json"),
    c("latest.weights.h5", "training_metadata.json")
  )
})

test_that("a run begun with keras3's callback, killed in a batch, ends with ours", {
  skip_if_not_installed("keras3")
  skip_without_keras()
  dir <- withr::local_tempdir()
  fit <- function(backup, ...) {
    keras3::set_random_seed(1L)
    model <- keras3::keras_model_sequential(input_shape = 4) |> keras3::layer_dense(1)
    keras3::compile(model, "adam", "mse")
    keras3::fit(
      model, matrix(1, 8, 4), matrix(0, 8, 1),
      epochs = 4, batch_size = 2, verbose = 0, callbacks = list(backup, ...)
    )
  }
  now <- 0
  fails <- keras3::callback_lambda(
    on_epoch_begin = function(epoch, logs) now <<- epoch,
    on_train_batch_begin = function(batch, logs) if (now == 3 && batch == 3) stop("Interrupting!")
  )
  expect_error(fit(keras3::callback_backup_and_restore(dir, save_freq = 1L), fails))
  lines <- said(history <- fit(callback_backup_and_restore(dir)))
  expect_match(paste(lines, collapse = " "), "at epoch 3, from its start, as with keras3's own callback")
  expect_length(history$metrics$loss, 2)
})

test_that("a resumed backup of keras is named as that package's, with its batch", {
  facts <- list(epoch = 3L, batch = 2L, directory = "d", notes = list(), library = "tf_keras")
  expect_match(warning_text(facts), "backup of keras's own callback in ", fixed = TRUE)
  expect_match(warning_text(facts), ", at epoch 4, batch 3. The backup has no random states", fixed = TRUE)
})
