# Runs resumable.R in a process of its own; gives its exit status, what it printed, and its result.
run_resumable <- function(backup_dir, kill_at = c(0, 0)) {
  result <- withr::local_tempfile(fileext = ".rds")
  process <- processx::run(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", testthat::test_path("resumable.R"), backup_dir, result, kill_at),
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
    stderr_to_stdout = TRUE,
    error_on_status = FALSE,
    timeout = 300
  )
  list(
    status = process$status,
    output = process$stdout,
    result = if (file.exists(result)) readRDS(result)
  )
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

  # The last save was in the middle of the epoch of the last kill; or, when the kill came before that save was
  # safe on the disk, in the middle of the epoch before.
  expect_true(resumed$result$resumed$epoch %in% 2:3)
  expect_gt(resumed$result$resumed$batch, 0)
  expect_true(resumed$result$resumed$exact)
  expect_no_match(resumed$output, "InexactWarning", fixed = TRUE)
  expect_identical(resumed$result$run, undisturbed$result$run)
  expect_length(resumed$result$run$drawn, 7)
  expect_identical(resumed$result$run$seen, 54L)
})
