# Each order of attaching has a separate session. The tests do not compare R's own message about masking.
told <- function(output) {
  lines <- strsplit(output, "\n")[[1]]
  grep("callback_backup_and_restore()` is now the function of", lines, fixed = TRUE, value = TRUE)
}

# Prints the package that the plain name means.
whose <- "cat('means', environmentName(environment(callback_backup_and_restore)), '\n')"

expect_told <- function(output, first, second) {
  testthat::expect_identical(
    told(output),
    paste0(
      "`callback_backup_and_restore()` is now the function of ", first,
      ", which was attached last. The function of ", second,
      " is `", second, "::callback_backup_and_restore()`."
    )
  )
}

test_that("attached after keras3, ours masks, and it is said once", {
  skip_if_not_installed("keras3")
  code <- c("library(keras3)", "library(rekindle)", "library(rekindle)", whose)
  output <- run_r(code)
  expect_told(output, "rekindle", "keras3")
  expect_match(output, "means rekindle", fixed = TRUE)
})

test_that("attached before keras3, ours is masked, and it is said once", {
  skip_if_not_installed("keras3")
  code <- c(
    "library(rekindle)", "library(keras3)", "detach('package:keras3')", "library(keras3)", whose,
    "stopifnot(is.function(rekindle::callback_backup_and_restore))"
  )
  output <- run_r(code)
  expect_told(output, "keras3", "rekindle")
  expect_match(output, "means keras3", fixed = TRUE)
})

test_that("without keras3 attached, and with messages suppressed, nothing is said", {
  expect_identical(told(run_r("library(rekindle)")), character())
  skip_if_not_installed("keras3")
  for (code in c("suppressPackageStartupMessages(library(rekindle))", "loadNamespace('rekindle')")) {
    expect_identical(told(run_r(c("library(keras3)", code))), character())
  }
})

test_that("rekindle:: is ours in both orders, and its callback works in keras3's fit()", {
  skip_if_not_installed("keras3")
  skip_without_keras()
  for (order in list(c("keras3", "rekindle"), c("rekindle", "keras3"))) {
    output <- run_r(c(
      sprintf("suppressPackageStartupMessages(library(%s))", order),
      "dir <- tempfile()",
      "callback <- rekindle::callback_backup_and_restore(dir)",
      "stopifnot(inherits(callback, 'rekindle.keras.BackupAndRestore'))",
      "model <- keras_model_sequential(input_shape = 4) |> layer_dense(1)",
      "model |> compile('sgd', 'mse')",
      "x <- matrix(1, 4, 4)",
      "history <- model |> fit(x, x[, 1], epochs = 2, verbose = 0, callbacks = callback)",
      "cat('epochs', length(history$metrics$loss), '\n')"
    ))
    expect_match(output, "epochs 2", fixed = TRUE)
  }
})

test_that("unloaded, it leaves no hook behind", {
  code <- c(
    "hooks <- function() length(getHook(packageEvent('keras3', 'attach')))",
    "setHook(packageEvent('keras3', 'attach'), function(...) NULL)",
    "library(rekindle)", "library(rekindle)", "cat('with', hooks(), '\n')",
    "detach('package:rekindle', unload = TRUE)", "cat('without', hooks(), '\n')"
  )
  output <- run_r(code)
  expect_match(output, "with 2", fixed = TRUE)
  expect_match(output, "without 1", fixed = TRUE)
})
