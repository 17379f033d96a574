test_that("the arguments are checked", {
  for (bad in list(0, 1.5, NA, "all", TRUE, c(1, 2))) {
    expect_error(retention(last = bad), "last", class = "rekindle_argument")
    expect_error(
      retention(every_hours = if (identical(bad, 1.5)) -1 else bad), "every_hours",
      class = "rekindle_argument"
    )
  }
  for (bad in list("val_loss", list("val_loss", "lowest", 1), list("val_loss", "min"), list("a", "min", 0))) {
    expect_error(retention(best = bad), "best", class = "rekindle_argument")
  }
  expect_snapshot(error = TRUE, {
    retention(0)
    retention(every_hours = "1 h")
    retention(best = "val_loss")
  })
})

test_that("it prints what it keeps", {
  expect_snapshot({
    retention()
    retention(last = NULL)
    retention(last = 3, best = list("val_loss", "min", 2), every_hours = 24)
  })
})

test_that("Python gets the same rules", {
  skip_without_python()
  found <- as_python_retention(retention(3, list("loss", "max", 2), 1.5))
  expect_s3_class(found, "rekindle.Retention")
  expect_identical(found$last, 3L)
  expect_identical(found$best$metric, "loss")
  expect_identical(found$best$mode, "max")
  expect_identical(found$best$count, 2L)
  expect_identical(found$every_hours, 1.5)
  expect_null(as_python_retention(retention(NULL))$last)
  expect_null(as_python_retention(NULL))
})
