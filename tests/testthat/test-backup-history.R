test_that("which must name a save", {
  for (bad in list(NULL, NA, "", -1, 0.5, c(1, 2), TRUE, list(1))) {
    expect_error(backup_history("d", bad), class = "rekindle_argument")
  }
  expect_snapshot(error = TRUE, {
    backup_history("d", -1)
    backup_history("d", TRUE)
  })
})

test_that("a run that died has its history, under the epochs of R", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(4)))
  history <- backup_history(dir)
  frame <- as.data.frame(history)
  expect_identical(frame$epoch, 1:4)
  expect_identical(levels(frame$metric), "loss")
  expect_identical(as.character(frame$data), rep("training", 4))
  expect_true(all(diff(frame$value) < 0))

  # fit() returns the same history after it resumes.
  whole <- tiny_fit(callback_backup_and_restore(dir), epochs = 6L)$history
  attempts <- attr(history, "attempts")
  expect_identical(c(attempts$number, attempts$from, attempts$to), c(1, 0, 4))
  expect_identical(unlist(whole$history$loss)[1:4], frame$value)
})

test_that("with keras3 it is a keras_training_history, without it the same data frame", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  history <- backup_history(dir)
  if (requireNamespace("keras3", quietly = TRUE)) {
    expect_s3_class(history, "keras_training_history")
    expect_output(print(history), "loss")
    theirs <- as.data.frame(history)
    expect_identical(theirs, history_frame(history$metrics))
  } else {
    expect_s3_class(history, c("rekindle_history", "data.frame"), exact = TRUE)
    expect_output(print(history), "training")
  }
})

test_that("an older save has the history up to it", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  expect_identical(as.data.frame(backup_history(dir, 2))$epoch, 1:2)
  expect_identical(as.data.frame(backup_history(dir, "ckpt-3"))$epoch, 1:3)
  expect_error(backup_history(dir, 7), class = "rekindle_restore")
})

test_that("without a save there is an error that says so", {
  skip_without_python()
  cnd <- expect_error(backup_history(withr::local_tempdir()), class = "rekindle_restore")
  expect_match(conditionMessage(cnd), "There is no checkpoint in")
})

test_that("metrics that are reported in some epochs only stand at these", {
  expect_identical(on_epochs(list(1, 2, 3), list(0, 1, 2), 3), c(1, 2, 3))
  expect_identical(on_epochs(list(1, 2, 3), list(0, 1, 9), 10), c(1, 2, rep(NA, 7), 3))
  expect_identical(on_epochs(list(1, NULL), list(0, 1), 2), c(1, NA))
  expect_identical(on_epochs(list(1, 2), list(NULL, 3), 4), c(NA, NA, NA, 2))
  expect_identical(on_epochs(list(), list(), 0), numeric())
})

test_that("a validation at some epochs stands at these", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  keras <- reticulate::import("keras")
  np <- reticulate::import("numpy", convert = FALSE)
  x <- np$ones(c(4L, 2L))
  y <- np$zeros(c(4L, 1L))
  model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(2L)), keras$layers$Dense(1L)))
  model$compile(optimizer = "sgd", loss = "mse")
  model$fit(
    x, y,
    epochs = 5L, verbose = 0L, validation_data = reticulate::tuple(x, y),
    validation_freq = list(1L, 2L, 5L),
    callbacks = list(callback_backup_and_restore(dir, delete_checkpoint = FALSE))
  )
  frame <- as.data.frame(backup_history(dir))
  validated <- frame[frame$data == "validation", ]
  expect_identical(validated$epoch[!is.na(validated$value)], c(1L, 2L, 5L))
})

test_that("a save that does not tell the epochs of a metric is said to be such", {
  found <- list(epochs = list(loss = list(0, 1), val_loss = list(NULL)))
  expect_message(tell_unknown_epochs(found), "\"val_loss\"")
  expect_silent(tell_unknown_epochs(list(epochs = found$epochs["loss"])))
})

test_that("an epoch that is too late for a table is an error", {
  expect_error(check_table(1, 1e12, 10), class = "rekindle_damage")
  expect_error(check_table(5000, 20000, 5000), class = "rekindle_damage")
  expect_no_error(check_table(10, 1e6, 5e6))
  expect_no_error(check_table(100, 1e4, 100))
})

a_history <- function(...) {
  structure(history_frame(list(...)), class = c("rekindle_history", "data.frame"))
}

with_attempts <- function(history) {
  attempts <- list(
    list(number = 1, epoch = 0, batch = 0, to_epoch = 1, to_batch = 8, ended = "died", began = 1, until = 2),
    list(number = 2, checkpoint = 1, epoch = 1, batch = 2, to_epoch = 3, to_batch = 0, ended = "complete")
  )
  structure(history, attempts = attempts_frame(attempts, 10))
}

test_that("plot() draws a panel for each metric and a line for each kind of data", {
  skip_if_not_installed("ggplot2")
  history <- a_history(loss = c(3, 2, 1), val_loss = c(3.5, 2.5, 2), mae = c(1, 1, 0))
  drawn <- ggplot2::ggplot_build(plot(history))
  expect_identical(nrow(drawn$layout$layout), 2L)
  points <- drawn$data[[2]]
  expect_identical(nrow(points), 9L)
  expect_length(unique(points$colour), 2)
  expect_identical(drawn$plot$labels$x, "epoch")

  only <- ggplot2::ggplot_build(plot(history, metrics = "loss"))
  expect_identical(nrow(only$layout$layout), 1L)
  cnd <- expect_error(plot(history, metrics = "auc"), class = "rekindle_argument")
  expect_match(conditionMessage(cnd), "\"loss\", \"mae\"")
})

test_that("plot() draws with base graphics, too, and leaves their settings as they were", {
  file <- withr::local_tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  withr::defer(grDevices::dev.off())
  before <- graphics::par("mfrow", "mar")
  expect_null(plot(a_history(loss = c(3, 2, 1), val_loss = c(3, NA, 2)), method = "base"))
  expect_null(plot(with_attempts(a_history(loss = c(3, 2, 1))), method = "base"))
  expect_identical(graphics::par("mfrow", "mar"), before)
})

test_that("attempts have their places in epochs", {
  frame <- attr(with_attempts(a_history(loss = 1:3)), "attempts")
  expect_identical(frame$from, c(0, 1.2))
  expect_identical(frame$to, c(1.8, 3))
  expect_identical(frame$checkpoint, c(NA, 1))
  expect_identical(attempt_breaks(frame), data.frame(at = 1.8, from = 1.2))
  expect_identical(epochs_done(c(1, 2), c(0, 3), NULL), c(1, 2.5))
  expect_identical(nrow(attempts_frame(list(), NULL)), 0L)
})

test_that("plot() marks the ends of attempts, and the batches that were trained again, in each panel", {
  skip_if_not_installed("ggplot2")
  drawn <- ggplot2::ggplot_build(plot(with_attempts(a_history(loss = c(3, 2, 1), mae = c(1, 1, 0)))))
  expect_identical(nrow(drawn$layout$layout), 2L)
  expect_identical(unique(drawn$data[[1]][c("xmin", "xmax")]), data.frame(xmin = 1.2, xmax = 1.8))
  expect_identical(drawn$data[[2]]$xintercept, c(1.8, 1.8))
})

test_that("autoplot() draws the same where ggplot2 is loaded", {
  skip_if_not_installed("ggplot2")
  history <- a_history(loss = c(3, 2, 1), mae = c(1, 1, 0))
  drawn <- ggplot2::ggplot_build(ggplot2::autoplot(history, metrics = "mae"))
  expect_identical(nrow(drawn$layout$layout), 1L)
})

test_that("before the first epoch has ended there is nothing to draw", {
  expect_message(plot(a_history()), "No epoch has ended yet")
})
