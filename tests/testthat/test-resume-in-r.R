run_resumable <- function(backup_dir, kill_at = c(0, 0)) {
  run_script("resumable.R", backup_dir, kill_at) # nolint: object_usage_linter. It is in helper.R.
}

test_that("a script killed twice by SIGKILL ends as the one never killed: weights, history, R's state", {
  skip_without_keras()
  skip_if_not_installed("processx")
  skip_on_os("windows") # it has no signals
  undisturbed <- run_resumable(withr::local_tempdir())
  expect_identical(undisturbed$status, 0L, info = undisturbed$output)
  expect_null(undisturbed$result$resumed)

  dir <- withr::local_tempdir()
  expect_identical(run_resumable(dir, c(2, 4))$status, -9L)
  expect_identical(run_resumable(dir, c(4, 7))$status, -9L)
  resumed <- run_resumable(dir)
  expect_identical(resumed$status, 0L, info = resumed$output)

  # The last checkpoint is from the middle of the epoch of the last kill. If the kill came before that
  # checkpoint was durable, the last checkpoint is from the middle of the epoch before.
  expect_true(resumed$result$resumed$epoch %in% 2:3)
  expect_gt(resumed$result$resumed$batch, 0)
  expect_true(resumed$result$resumed$exact)
  expect_no_match(resumed$output, "InexactWarning", fixed = TRUE)
  expect_identical(resumed$result$run, undisturbed$result$run)
  expect_length(resumed$result$run$drawn, 7)
  expect_identical(resumed$result$run$seen, 54L)
})
