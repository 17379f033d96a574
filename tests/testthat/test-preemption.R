test_that("the arguments are checked", {
  bads <- list(
    15, NA_character_, "TERM", "SIGKILL", "SIGINT", c("SIGTERM", "sigusr1"), NULL, list("SIGTERM")
  )
  for (bad in bads) {
    expect_error(preemption(signals = bad), "signals", class = "rekindle_argument")
  }
  for (bad in list("exit", NA, TRUE, c("stop", "continue"))) {
    expect_error(preemption(then = bad), "then", class = "rekindle_argument")
  }
  for (bad in list(0, 256, 7.5, "75", NA, NULL, TRUE)) {
    expect_error(preemption(exit_code = bad), "exit_code", class = "rekindle_argument")
  }
  for (bad in list(-1, Inf, NA, "30 s", NULL)) {
    expect_error(preemption(grace = bad), "grace", class = "rekindle_argument")
  }
  expect_snapshot(error = TRUE, {
    preemption(15)
    preemption(c("SIGTERM", "SIGKILL"))
    preemption(then = "exit")
    preemption(exit_code = 256)
    preemption(grace = -1)
  })
})

test_that("it prints what it asks for", {
  expect_snapshot({
    preemption()
    preemption("SIGUSR1", then = "continue", grace = 120)
    preemption(character())
  })
})

test_that("Python gets the same options", {
  skip_without_python()
  found <- as_python_preemption(preemption(c(a = "SIGUSR1"), "continue", 80, 0L))
  expect_s3_class(found, "rekindle.Preemption")
  expect_identical(unlist(found$names), "SIGUSR1")
  expect_false(found$stops)
  expect_identical(found$exit_code, 80L)
  expect_identical(found$grace, 0)
  expect_length(as_python_preemption(preemption(character()))$names, 0)
  expect_error(as_python_preemption(preemption("SIGNONE")), "SIGNONE")
})
