# Programs of Synalinks. `make setup-synalinks` makes a Python that has them.

skip_without_synalinks <- function() {
  testthat::skip_on_os("windows") # it has no signals
  testthat::skip_if_not_installed("processx")
  testthat::skip_if_not(
    utils::packageVersion("reticulate") >= "1.33",
    "reticulate before 1.33 cannot load Python 3.12, which Synalinks needs"
  )
  python <- Sys.getenv("REKINDLE_PYTHON_SYNALINKS")
  testthat::skip_if_not(
    nzchar(python) && file.exists(python),
    "REKINDLE_PYTHON_SYNALINKS names no Python that has Synalinks; see make setup-synalinks"
  )
  withr::local_envvar(
    RETICULATE_PYTHON = python,
    # Else litellm tries to fetch a list of prices.
    LITELLM_LOCAL_MODEL_COST_MAP = "True",
    .local_envir = parent.frame()
  )
}

run_program <- function(dir, kill_at = 0) {
  log <- file.path(dirname(dir), "calls")
  run <- run_script("synalinks.R", dir, log, kill_at) # nolint: object_usage_linter. It is in helper.R.
  c(run, list(calls = length(readLines(log))))
}

test_that("a training that R drives is killed in the middle of a request, and ends as the one never killed", {
  skip_without_synalinks()
  never <- run_program(file.path(withr::local_tempdir(), "backup"))
  expect_identical(never$status, 0L, info = never$output)
  expect_null(never$result$resumed)

  dir <- file.path(withr::local_tempdir(), "backup")
  killed <- run_program(dir, 25)
  expect_identical(killed$status, -9L, info = killed$output)
  # The two samples of a batch are asked at the same time.
  expect_true(killed$calls %in% 25:26)

  # This session needs no Synalinks for it.
  file <- withr::local_tempfile(fileext = ".variables.json")
  backup_export(dir, file)
  expect_match(readChar(file, file.size(file)), "\"best_candidates\": [[]", all = FALSE)

  resumed <- run_program(dir)
  expect_identical(resumed$status, 0L, info = resumed$output)
  expect_true(resumed$result$resumed$exact)
  expect_identical(resumed$result$run, never$result$run)
  expect_identical(resumed$result$run$seen, 9L)
  expect_length(resumed$result$run$drawn, 3)

  # Only the batch that was killed is asked again, or the one before, if its checkpoint was not durable yet.
  again <- resumed$calls - never$calls
  expect_gt(again, 0)
  expect_lt(again, 16)
})
