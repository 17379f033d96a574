test_that("max_overhead is a share, and the time between failures is one", {
  for (bad in list(0, -1, 1.5, NA, "3 %", NULL, c(0.1, 0.2), Inf)) {
    expect_error(save_auto(max_overhead = bad), "max_overhead", class = "rekindle_argument")
  }
  for (bad in list(0, -1, NA, "often", "0 h", c(1, 2), Inf, TRUE, as.difftime(0, units = "secs"))) {
    expect_error(
      save_auto(mean_time_between_failures = bad), "mean_time_between_failures",
      class = "rekindle_argument"
    )
  }
  expect_snapshot(error = TRUE, {
    save_auto(max_overhead = 3.5)
    save_auto(mean_time_between_failures = "often")
  })
})

test_that("it prints its bounds", {
  expect_snapshot({
    save_auto()
    save_auto(0.01, "6 h")
    save_auto(0.01, 3600)
    save_auto(0.01, as.difftime(6, units = "hours"))
  })
})

test_that("Python gets the same bounds", {
  skip_without_python()
  found <- as_python_save_freq(save_auto(0.1, as.difftime(6, units = "hours")))
  expect_s3_class(found, "rekindle.Auto")
  expect_identical(found$max_overhead, 0.1)
  expect_identical(found$mean_time_between_failures, 21600)
  expect_null(as_python_save_freq(save_auto())$mean_time_between_failures)
})
