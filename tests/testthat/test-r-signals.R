# Scripts that real signals ask to end in the middle of a batch.

run_preemptible <- function(dir, signals = 0, how = "uncaught") {
  testthat::skip_on_os("windows") # it has no signals
  skip_without_keras() # nolint: object_usage_linter. It is in helper.R.
  # A folder for the workspace that R saves when it quits.
  elsewhere <- withr::local_tempdir()
  signals <- paste(signals, collapse = ",")
  run_script( # nolint: object_usage_linter. It is in helper.R.
    "preemptible.R", dir, signals, how,
    wd = elsewhere, timeout = 600
  )
}

saves_in <- function(dir) list.files(dir, "^ckpt-[0-9]+[.]json$")

test_that("a script that is asked to end saves, ends with status 75, and run again ends as one never asked", {
  undisturbed <- run_preemptible(withr::local_tempdir())
  expect_identical(undisturbed$status, 0L, info = undisturbed$output)
  expect_null(undisturbed$result$resumed)
  for (signal in c(tools::SIGTERM, tools::SIGUSR1, tools::SIGUSR2)) {
    dir <- withr::local_tempdir()
    asked <- run_preemptible(dir, signal, if (signal == tools::SIGTERM) "uncaught" else "converted")
    expect_identical(asked$status, 75L, info = asked$output)
    expect_match(asked$output, "Received SIG[A-Z0-9]+: the run is saved as .*exit code 75")
    expect_identical(saves_in(dir), "ckpt-1.json")
    resumed <- run_preemptible(dir)
    expect_identical(resumed$status, 0L, info = resumed$output)
    # An epoch has four batches, and the signal arrived in the seventh batch.
    expect_identical(resumed$result$resumed[c("epoch", "batch")], list(epoch = 1L, batch = 3L))
    expect_true(resumed$result$resumed$exact)
    expect_identical(resumed$result$run, undisturbed$result$run)
  }
})

test_that("a second signal, later, ends the script at once, with the same status", {
  dir <- withr::local_tempdir()
  asked <- run_preemptible(dir, c(tools::SIGUSR1, tools::SIGTERM))
  expect_identical(asked$status, 75L, info = asked$output)
  expect_match(asked$output, "second signal: training stops at once", fixed = TRUE)
  expect_identical(saves_in(dir), character())
})

test_that("as the parent of another error it has its status, too; after it was caught, others have theirs", {
  expect_identical(run_preemptible(withr::local_tempdir(), tools::SIGTERM, "wrapped")$status, 75L)
  other <- run_preemptible(withr::local_tempdir(), tools::SIGTERM, "other-error")
  expect_identical(other$status, 1L)
  expect_match(other$output, "something else", fixed = TRUE)
  expect_match(other$output, "Execution halted", fixed = TRUE)
})

test_that("a value of the user's own in options(error = ) is left alone", {
  expect_identical(run_preemptible(withr::local_tempdir(), tools::SIGTERM, "own-option")$status, 3L)
})

test_that("options(error = ) is as before when fit() is complete", {
  complete <- run_preemptible(withr::local_tempdir())
  expect_identical(complete$status, 0L, info = complete$output)
  expect_null(complete$result$option)
  expect_identical(complete$result$handlers$after, complete$result$handlers$before)
})

test_that("it is a condition that can be caught, with what happened; after it the signals are R's again", {
  dir <- withr::local_tempdir()
  asked <- run_preemptible(dir, tools::SIGUSR1, "r-again")
  caught <- asked$result$caught
  classes <- c("rekindle_preempted", "rekindle.TrainingPreempted", "python.builtin.SystemExit")
  expect_identical(caught$class[1:3], classes)
  expect_identical(utils::tail(caught$class, 2), c("error", "condition"))
  expect_false("rekindle_error" %in% caught$class)
  expect_match(caught$message, "^Received SIGUSR1: the run is saved as ")
  expect_identical(caught$code, 75L)
  expect_identical(caught$signal, "SIGUSR1")
  expect_identical(basename(caught$path), "ckpt-1")
  expect_true(caught$saved)
  expect_identical(asked$result$handlers$after, asked$result$handlers$before)
  # The script then sends itself SIGUSR2. R must quit with status 0. Otherwise the script continues and ends
  # with another status.
  expect_identical(asked$status, 0L, info = asked$output)
})

test_that("after a fit() that failed the signals are R's again", {
  skip_on_os("windows")
  skip_without_keras()
  output <- run_r(c(
    "signal <- reticulate::import('signal')",
    "keras <- reticulate::import('keras')",
    "model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(1L)), keras$layers$Dense(1L)))",
    "model$compile('sgd', 'mse')",
    "fails <- keras$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) {",
    "  cat('python has it:', !is.null(signal$getsignal(signal$SIGUSR1)), '\\n')",
    "  stop('no')",
    "})",
    "trains_on <- rekindle::preemption(then = 'continue')",
    "backup <- rekindle::callback_backup_and_restore(tempfile(), save_before_preemption = trains_on)",
    "x <- matrix(1, 2)",
    "try(model$fit(x, x, verbose = 0L, callbacks = list(backup, fails)))",
    "tools::pskill(Sys.getpid(), tools::SIGUSR2)",
    "for (i in 1:50) Sys.sleep(0.1)",
    "cat('went on\\n')"
  ))
  expect_match(output, "python has it: TRUE", fixed = TRUE)
  expect_no_match(output, "went on", fixed = TRUE)
})

test_that("a signal that fit() cannot answer any more does to the script what it does without rekindle", {
  late <- run_preemptible(withr::local_tempdir(), tools::SIGTERM, "too-late")
  expect_identical(late$status, -tools::SIGTERM, info = late$output)
  after <- run_preemptible(withr::local_tempdir(), tools::SIGTERM, "after-training")
  expect_identical(after$status, -tools::SIGTERM, info = after$output)
  # After this signal, R quits by itself with status 0.
  quit <- run_preemptible(withr::local_tempdir(), tools::SIGUSR2, "after-training")
  expect_identical(quit$status, 0L, info = quit$output)
  expect_no_match(quit$output, "went on", fixed = TRUE)
})

test_that("the last condition alone decides on the status", {
  skip_without_python()
  rekindle_module()
  try(
    with_python_conditions(py_raise(
      "rekindle.TrainingPreempted('Received SIGTERM: saved', code=99, signal='', path=None, saved=False)"
    )),
    silent = TRUE
  )
  expect_identical(status_of_error("Error in f() : \n  Received\n SIGTERM: saved\n"), 99L)
  expect_identical(status_of_error("Error: something else"), 1L)
  try(py_raise("ValueError('Received SIGTERM: saved')"), silent = TRUE)
  expect_identical(status_of_error("Error: Received SIGTERM: saved"), 1L)
})
