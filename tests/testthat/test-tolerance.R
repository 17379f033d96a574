test_that("the arguments are checked", {
  for (bad in list(-1, Inf, NA, "1e-5", NULL, TRUE)) {
    expect_error(tolerance(relative = bad), "relative", class = "rekindle_argument")
  }
  for (bad in list("error", NA, TRUE, c("warn", "raise"))) {
    expect_error(tolerance(then = bad), "then", class = "rekindle_argument")
  }
  for (bad in list("error", NA, TRUE, 1e-5, NULL, c("warn", "raise"))) {
    expect_error(
      callback_backup_and_restore("backup", on_difference = bad), "on_difference",
      class = "rekindle_argument"
    )
  }
  expect_snapshot(error = TRUE, {
    tolerance(-1)
    tolerance(then = "stop")
    callback_backup_and_restore("backup", on_difference = 1e-5)
  })
})

test_that("it prints what it asks for", {
  expect_snapshot({
    tolerance()
    tolerance(1e-5, then = "raise")
    tolerance(then = "ignore")
  })
})

test_that("Python gets the same options", {
  skip_without_python()
  found <- as_python_difference(tolerance(1e-5, "raise"))
  expect_s3_class(found, "rekindle.Tolerance")
  expect_identical(found$relative, 1e-5)
  expect_identical(found$then, "raise")
  expect_identical(as_python_difference("ignore"), "ignore")
})
