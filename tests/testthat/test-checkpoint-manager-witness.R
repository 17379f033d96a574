# What a loop reports to its manager by $witness(), and what a resumed loop makes of it.

# A loop that reports its steps. It saves in step 4 only.
report_steps <- function(dir, until, batch = function(step) step + c(0.5, 1), ...) {
  ckpt <- checkpoint(step = 0L)
  manager <- checkpoint_manager(ckpt, dir, 2, ...)
  on.exit(manager$close())
  manager$restore_or_initialize()
  while (ckpt$step < until) {
    ckpt$step <- ckpt$step + 1L
    step <- ckpt$step
    testthat::expect_invisible(manager$witness(step, batch = batch(step), loss = 1 / step))
    if (step == 4) manager$save()
  }
  manager$resume_report
}

test_that("a resumed loop that reports its steps is compared with the loop before it", {
  skip_without_python()
  np <- reticulate::import("numpy", convert = FALSE)
  batches <- list(
    numbers = function(step) step + c(0.5, 1),
    whole = function(step) seq_len(step),
    matrix = function(step) matrix(step + 1:6, 2),
    text = function(step) c("a", paste(step)),
    logical = function(step) c(TRUE, NA, step > 5),
    raw = function(step) as.raw(step),
    factor = function(step) factor(c("a", step)),
    table = function(step) data.frame(x = step, day = as.Date("2024-01-01") + step),
    python = function(step) list(np$full(3L, step), NULL)
  )
  for (kind in names(batches)) {
    dir <- withr::local_tempdir()
    batch <- batches[[kind]]
    expect_null(report_steps(dir, 9L, batch))
    report <- report_steps(dir, 9L, batch)
    expect_identical(report$evidence, "verified", info = kind)
    expect_identical(c(report$compared$batches, report$compared$losses), c(5L, 5L), info = kind)
    expect_identical(backup_info(dir)$evidence, NULL)
    dir <- withr::local_tempdir()
    report_steps(dir, 9L, batch)
    other <- function(step) batch(if (step == 6) 3L else step)
    report <- report_steps(dir, 9L, other, on_difference = "ignore")
    expect_identical(report$evidence, "differs", info = kind)
    expect_match(unlist(report$notes), "from step 6 on, the data is not", info = kind)
  }
})

test_that("on_difference says what a difference in a loop means, and a later checkpoint keeps it", {
  skip_without_python()
  dir <- withr::local_tempdir()
  report_steps(dir, 9L)
  expect_error(
    report_steps(dir, 9L, function(step) step, on_difference = "raise"), "from step 5 on",
    class = "rekindle_mismatch"
  )
  ckpt <- checkpoint(step = 0L)
  manager <- checkpoint_manager(ckpt, dir, 2, on_difference = tolerance(1e-3))
  manager$restore_or_initialize()
  expect_identical(manager$resume_report$evidence, "unverified")
  manager$close()

  dir <- withr::local_tempdir()
  report_steps(dir, 9L)
  manager <- checkpoint_manager(ckpt, dir, 2, on_difference = tolerance(1e-3))
  manager$restore_or_initialize()
  manager$witness(5, loss = 0.2 * (1 + 1e-6))
  manager$save()
  manager$close()
  expect_identical(manager$resume_report$evidence, "verified")
  found <- backup_info(dir)$evidence
  expect_identical(found$evidence, "verified")
  expect_equal(found$losses, 1)
  expect_gt(found$largest, 1e-7)
})

test_that("what a loop reports is checked", {
  skip_without_python()
  manager <- checkpoint_manager(checkpoint(step = 0L), withr::local_tempdir(), 2)
  for (bad in list(-1, 1.5, NA, "5", NULL, c(1, 2), TRUE)) {
    expect_error(manager$witness(bad), "step", class = "rekindle_argument")
  }
  for (bad in list("low", c(1, 2), TRUE, numeric(), Sys.time())) {
    expect_error(manager$witness(1, loss = bad), "loss", class = "rekindle_argument")
  }
  for (bad in list(mean, new.env(), list(1, mean))) {
    expect_error(manager$witness(1, batch = bad), "batch", class = "rekindle_argument")
  }
  expect_error(
    checkpoint_manager(checkpoint(step = 0L), "d", 2, on_difference = "stop"), "on_difference",
    class = "rekindle_argument"
  )
  expect_silent(manager$witness(1, loss = NaN))
  expect_snapshot(error = TRUE, {
    manager$witness(0.5)
    manager$witness(1, loss = "low")
    manager$witness(1, batch = list(1, mean))
  })
})
