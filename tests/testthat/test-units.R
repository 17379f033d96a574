test_that("lengths of time are spoken of as in Python", {
  skip_without_python()
  spoken <- r_door()$duration_in_words
  for (seconds in c(0, 0.0042, 0.01, 0.1234, 1, 48, 119, 120, 600, 5400, 7200, 12600, 172800, 259200, 1e6)) {
    expect_identical(span_text(seconds), spoken(seconds))
  }
})
