# Tests of the folder after a fit() that ended with an error. reticulate keeps the Python error, and the error
# keeps the frames of fit().

# The ways in which fit() can fail, named by their error messages. Each is a function that runs a failing
# fit() with the given callbacks.
failing_fits <- function() {
  py <- reticulate::import_from_path("failing", normalizePath(testthat::test_path(".")))
  lambda <- reticulate::import("keras")$callbacks$LambdaCallback
  model <- function() py$compiled(py$Model())
  fails <- function(error, hook) py$Fails(reticulate::py_eval(error, convert = FALSE), hook)
  in_r <- function(...) {
    x <- matrix(1, 8)
    model()$fit(x, x, batch_size = 2L, epochs = 2L, verbose = 0L, callbacks = list(...))
  }
  found <- list(
    "stop in an R callback" = function(...) {
      in_r(..., lambda(on_epoch_end = function(epoch, logs) stop("stop in an R callback")))
    },
    "error in a batch" = function(...) {
      in_r(..., fails("ValueError('error in a batch')", "on_train_batch_end"))
    },
    "error in the validation" = function(...) {
      py$fit(model(), list(..., fails("KeyError('error in the validation')", "on_test_batch_begin")))
    },
    "SystemExit: 3" = function(...) py$fit(model(), list(..., fails("SystemExit(3)", "on_epoch_end"))),
    "the disk is gone" = function(...) py$fit(model(), list(...), py$Data()),
    "out of memory" = function(...) py$fit(py$compiled(py$OutOfMemory()), list(...))
  )
  if (requireNamespace("keras3", quietly = TRUE)) {
    found[["stop in keras3's fit"]] <- function(...) {
      x <- matrix(1, 8)
      fails <- keras3::callback_lambda(on_epoch_end = function(epoch, logs) stop("stop in keras3's fit"))
      keras3::fit(model(), x, x, batch_size = 2, epochs = 2, verbose = 0, callbacks = list(..., fails))
    }
  }
  found
}

test_that("a fit() that ends by an error lets go of its folder at once", {
  skip_without_keras()
  fits <- failing_fits()
  for (way in names(fits)) {
    dir <- file.path(withr::local_tempdir(), "backup")
    expect_error(fits[[way]](callback_backup_and_restore(dir, save_freq = 2)), way, fixed = TRUE)
    expect_false(is.null(reticulate::py_last_error()))
    expect_identical(backup_info(dir)$held, FALSE, info = way)
    again <- quote(fits[[way]](callback_backup_and_restore(dir, save_freq = 2)))
    expect_error(with_python_conditions(eval(again)), way, fixed = TRUE)
    expect_identical(backup_info(dir)$held, FALSE, info = way)
    expect_no_error(suppressMessages(backup_delete(dir, ask = FALSE)))
  }
})

test_that("another process, and then this one, can resume from the folder of a fit() that an error ended", {
  skip_on_cran()
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "backup")
  rest <- "
    keras <- reticulate::import('keras')
    model <- keras$Sequential(list(
      keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(3L, name = 'dense')
    ))
    model$compile(optimizer = 'sgd', loss = 'mse')
    backup <- rekindle::callback_backup_and_restore(%s, delete_checkpoint = FALSE)
    model$fit(
      matrix(1, 5, 4), matrix(0, 5, 3), epochs = 4L, batch_size = 1L, verbose = 0L, callbacks = list(backup)
    )
    cat('resumed at epoch', backup$resume_report$epoch)
  "
  # Run one top-level expression, as in a script. The release must not depend on what R does between two
  # expressions.
  expect_error(tiny_fit(callback_backup_and_restore(dir), interrupt_at(2)))
  expect_match(run_r(sprintf(rest, deparse(dir))), "resumed at epoch 2", fixed = TRUE)
  backup <- callback_backup_and_restore(dir)
  expect_length(tiny_fit(backup, epochs = 6L)$history$epoch, 6)
  expect_identical(backup$resume_report$epoch, 4L)
})

test_that("a fit() within a fit() lets go of its own folder alone", {
  skip_without_keras()
  dirs <- file.path(withr::local_tempdir(), c("outer", "inner"))
  held <- NULL
  nested <- reticulate::import("keras")$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) {
    try(tiny_fit(callback_backup_and_restore(dirs[[2]]), interrupt_at(1)), silent = TRUE)
    held <<- vapply(dirs, function(dir) backup_info(dir)$held, NA, USE.NAMES = FALSE)
  })
  tiny_fit(callback_backup_and_restore(dirs[[1]]), nested, epochs = 2L)
  expect_identical(held, c(TRUE, FALSE))
})

test_that("a custom loop that calls the hooks keeps its folder between them", {
  skip_without_keras()
  dir <- file.path(withr::local_tempdir(), "backup")
  keras <- reticulate::import("keras")
  model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(1L)), keras$layers$Dense(1L)))
  model$compile("sgd", "mse")
  hooks <- keras$callbacks$CallbackList(list(callback_backup_and_restore(dir)), model = model)
  hooks$on_train_begin()
  expect_error(tiny_fit(callback_backup_and_restore(withr::local_tempdir()), interrupt_at(1)))
  expect_identical(backup_info(dir)$held, TRUE)
  hooks$on_train_end()
  expect_identical(backup_info(dir)$held, FALSE)
})
