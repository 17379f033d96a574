# The callback in a fit(). Its arguments are tested in test-callback-backup-and-restore.R.

test_that("every accepted form of the arguments gives a Keras callback", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  keras <- reticulate::import("keras")
  forms <- list("epoch", 5, 5L, 1, FALSE, "auto", "10 min", "1h30min", as.difftime(2, units = "hours"))
  for (save_freq in forms) {
    callback <- callback_backup_and_restore(dir, save_freq = save_freq)
    expect_s3_class(callback, "rekindle.keras.BackupAndRestore")
    expect_true(reticulate::import_builtins()$isinstance(callback, keras$callbacks$Callback))
  }
  callback <- callback_backup_and_restore(
    dir, 5, TRUE, FALSE,
    restore_history = FALSE, allow_changes = c(a = "loss", b = "callbacks"), on_save_error = "raise",
    verbose = 2, background = FALSE
  )
  expect_s3_class(callback, "rekindle.keras.BackupAndRestore")
  for (failures in list(NULL, 86400, "1 day", as.difftime(1, units = "days"))) {
    callback <- callback_backup_and_restore(
      dir, save_auto(0.1, failures),
      retention = retention(NULL, list("loss", "min", 2), every_hours = 1.5),
      save_before_preemption = preemption(c(a = "SIGTERM"), "continue", 80, 0L)
    )
    expect_s3_class(callback, "rekindle.keras.BackupAndRestore")
  }
})

test_that("the saves that are asked for are kept", {
  skip_without_keras()
  kept <- function(...) {
    dir <- file.path(withr::local_tempdir(), "backup")
    tiny_fit(callback_backup_and_restore(dir, delete_checkpoint = FALSE, ...), epochs = 4L)
    as.data.frame(backup_info(dir))$number
  }
  expect_identical(kept(), 4)
  expect_identical(kept(double_checkpoint = TRUE), c(3, 4))
  expect_identical(kept(double_checkpoint = TRUE, retention = retention(2)), c(3, 4))
  expect_identical(kept(retention = retention(last = NULL)), c(1, 2, 3, 4))
  # The loss falls, so the first epoch has the highest loss.
  expect_identical(kept(retention = retention(best = list("loss", "max", 1))), c(1, 4))
  expect_identical(kept(retention = retention(every_hours = 1)), 4)
})

test_that("a run saves by the clock, and goes on from there to the same weights", {
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "backup")
  never <- tiny_fit(callback_backup_and_restore(file.path(withr::local_tempdir(), "never"), "1 day"))
  # The interval is so short that a save is due at the end of each batch.
  often <- as.difftime(1e-6, units = "secs")
  interrupted(tiny_fit(callback_backup_and_restore(dir, often), interrupt_at(4, batch = 3)))
  callback <- callback_backup_and_restore(dir, often)
  resumed <- tiny_fit(callback)
  expect_true(callback$resume_report$exact)
  expect_identical(callback$resume_report$epoch, 4L)
  expect_identical(resumed$weights, never$weights)
})

test_that("what R and Python take for a time is the same", {
  skip_without_keras()
  parse <- r_door()$seconds_of
  texts <- c(
    "90 s", "10min", "1.5 h", ".5 min", "1. d", "2 days", " 3 Hours ", "1 h 30 min", "1d12h", "5 SECS",
    "10", "min", "10 m", "10 months", "1,5 h", "-1 s", "+1 s", "1e3 s", "1 s!", "0 s", "0.0 min", "1 s 5",
    "", " ", ".", ". s", "1..5 s", "1 hs", "1 minutess", "seconds 1", "10 mins 5 s x"
  )
  for (text in texts) {
    expect_identical(is_time(text), !is.null(parse(text)), info = text)
  }
})

test_that("extra_state takes what has a state in Python, and refuses what has none", {
  skip_without_keras()
  keras <- reticulate::import("keras")
  np <- reticulate::import("numpy", convert = FALSE)
  callback <- callback_backup_and_restore(
    "d",
    extra_state = list(
      noise = np$random$default_rng(1L),
      optimizer = keras$optimizers$SGD(0.1),
      pair = list(put = function(value) NULL, take = function() NULL)
    )
  )
  expect_s3_class(callback, "rekindle.keras.BackupAndRestore")
  expect_refused(callback_backup_and_restore("d", extra_state = list(a = keras)), "extra_state")
})

test_that("the Keras example runs 6 of 10 epochs after an interruption, and the history has all 10", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  expect_identical(interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(4))), "Interrupted!")

  callback <- callback_backup_and_restore(dir)
  ran <- integer()
  count <- reticulate::import("keras")$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs) ran <<- c(ran, epoch)
  )
  resumed <- tiny_fit(callback, count)

  expect_identical(ran, 4:9)
  expect_equal(unlist(resumed$history$epoch), 0:9)
  expect_length(unlist(resumed$history$history$loss), 10)
  expect_identical(callback$resume_report$epoch, 4L)
  expect_identical(callback$resume_report$batch, 0L)
})

test_that("restore_history = FALSE gives the epochs of this fit() alone", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(4)))
  resumed <- tiny_fit(callback_backup_and_restore(dir, restore_history = FALSE))
  expect_equal(unlist(resumed$history$epoch), 4:9)
})

test_that("an interrupted run ends with the weights of one that was not", {
  skip_without_keras()
  undisturbed <- tiny_fit()

  between <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(between), interrupt_at(4)))
  resumed <- tiny_fit(callback_backup_and_restore(between))
  expect_identical(resumed$weights, undisturbed$weights)
  expect_identical(unlist(resumed$history$history$loss), unlist(undisturbed$history$history$loss))

  within <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(within, save_freq = 2), interrupt_at(4, batch = 3)))
  callback <- callback_backup_and_restore(within, save_freq = 2)
  resumed <- tiny_fit(callback)
  expect_identical(callback$resume_report[c("epoch", "batch")], list(epoch = 4L, batch = 2L))
  expect_identical(resumed$weights, undisturbed$weights)
})

test_that("the next draw after a resumed fit() is that of a run not interrupted, and so is extra_state", {
  skip_without_keras()
  withr::local_preserve_seed()
  drawn <- NULL
  train <- function(dir, ...) {
    set.seed(3)
    drawn <<- c(start = NA)
    lambda <- reticulate::import("keras")$callbacks$LambdaCallback(
      on_epoch_end = function(epoch, logs) drawn <<- c(drawn, epoch = stats::rnorm(1))
    )
    state <- list(drawn = list(take = function() drawn, put = function(value) drawn <<- value))
    tiny_fit(callback_backup_and_restore(dir, save_freq = 2, extra_state = state), lambda, ...)
    list(drawn, stats::runif(1))
  }
  undisturbed <- train(withr::local_tempdir())
  dir <- withr::local_tempdir()
  interrupted(train(dir, interrupt_at(4, batch = 3)))
  expect_identical(train(dir), undisturbed)
  expect_length(drawn, 11)
})

test_that("batches that R code draws at random are drawn again, and the resumed run is the run", {
  skip_without_keras()
  skip_if(Sys.getenv("KERAS_BACKEND") == "tensorflow", "TensorFlow reads ahead, and says so")
  withr::local_preserve_seed()
  keras <- reticulate::import("keras")
  np <- reticulate::import("numpy", convert = FALSE)
  generate <- reticulate::py_run_string("
def generate(draw):
    while True:
        yield draw()
")$generate
  train <- function(callback, ...) {
    set.seed(5)
    keras$utils$set_random_seed(5L)
    batches <- generate(function() {
      x <- matrix(stats::rnorm(12), 3)
      reticulate::tuple(np$array(x), np$array(x[, 1, drop = FALSE]))
    })
    model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
    model$compile(optimizer = "sgd", loss = "mse")
    history <- model$fit(
      batches,
      steps_per_epoch = 5L, epochs = 4L, verbose = 0L, callbacks = list(callback, ...), shuffle = FALSE
    )
    list(history$history, model$get_weights(), stats::runif(1))
  }
  undisturbed <- train(callback_backup_and_restore(withr::local_tempdir()))
  dir <- withr::local_tempdir()
  interrupted(train(callback_backup_and_restore(dir, save_freq = 2), interrupt_at(2, batch = 3)))
  callback <- callback_backup_and_restore(dir, save_freq = 2)
  expect_identical(train(callback), undisturbed)
  expect_identical(callback$resume_report$batch, 2L)
  expect_true(callback$resume_report$exact)
})

test_that("what decides a training step is compared, and allow_changes says which difference is meant", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(2)))
  cnd <- expect_error(
    with_python_conditions(tiny_fit(callback_backup_and_restore(dir), rows = 6)),
    class = "rekindle_mismatch"
  )
  expect_match(unlist(cnd$differences), "number of samples", all = FALSE)
  callback <- callback_backup_and_restore(dir, allow_changes = "data")
  expect_silent(tiny_fit(callback, rows = 6))
  expect_identical(callback$resume_report$epoch, 2L)
  expect_identical(callback$resume_report$evidence, "changed")
})

test_that("a completed run leaves no files of its own, and none of the user's is touched", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  writeLines("mine", file.path(dir, "notes.txt"))
  tiny_fit(callback_backup_and_restore(dir), epochs = 2L)
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), "notes.txt")

  tiny_fit(callback_backup_and_restore(dir, delete_checkpoint = FALSE), epochs = 2L)
  expect_true(any(grepl("^ckpt-", list.files(dir))))
})

test_that("paths may be relative to R's working directory, non-ASCII, or of the class fs_path", {
  skip_without_keras()
  skip_if_not_installed("fs")
  skip_if_not(l10n_info()$`UTF-8`, "the session's encoding is not UTF-8")
  withr::local_dir(withr::local_tempdir())
  folder <- fs::path("Pr\u00fcfung \u5b66\u7fd2")
  tiny_fit(callback_backup_and_restore(folder, delete_checkpoint = FALSE), epochs = 1L)
  expect_true(any(grepl("^ckpt-", list.files(folder))))
})

test_that("a model that does not fit the backup is refused with the differences", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(2)))
  cnd <- expect_error(
    with_python_conditions(tiny_fit(callback_backup_and_restore(dir), units = 2)),
    class = "rekindle_mismatch"
  )
  expect_s3_class(cnd, c("rekindle_error", "python.builtin.RuntimeError"), exact = FALSE)
  expect_type(unlist(cnd$differences), "character")
  expect_match(cnd$differences, "dense", all = FALSE)
})

test_that("a folder that another run holds is refused, with the holder", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  nested <- NULL
  again <- reticulate::import("keras")$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs) {
      nested <<- tryCatch(
        with_python_conditions(tiny_fit(callback_backup_and_restore(dir), epochs = 1L)),
        rekindle_lock = identity
      )
    }
  )
  tiny_fit(callback_backup_and_restore(dir), again, epochs = 1L)
  expect_s3_class(nested, "rekindle_lock")
  expect_identical(nested$pid, Sys.getpid())
})

# --- with keras3 ----------------------------------------------------------------------------------------

test_that("the example of keras3's help page ends with 10 full rows, each with its true epoch", {
  skip_without_keras()
  skip_if_not_installed("keras3")
  dir <- withr::local_tempdir()
  x <- keras3::op_ones(c(5, 20))
  y <- keras3::op_zeros(c(5, 10))
  interrupting <- keras3::new_callback_class(
    "Interrupting",
    on_epoch_begin = function(epoch, logs = NULL) if (epoch == 4) stop("Interrupting!")
  )
  model <- keras3::keras_model_sequential() |> keras3::layer_dense(10)
  keras3::compile(model, optimizer = keras3::optimizer_sgd(), loss = "mse")
  train <- function(...) {
    keras3::fit(
      model, x, y,
      epochs = 10, batch_size = 1, verbose = 0,
      callbacks = list(callback_backup_and_restore(dir), ...)
    )
  }
  expect_identical(interrupted(train(interrupting())), "Interrupted!")
  rows <- as.data.frame(train())
  expect_identical(nrow(rows), 10L)
  expect_equal(rows$epoch, 1:10)
  expect_false(anyNA(rows$value))
})
