# Tests of saves in the background, of saves at the end of a session, and of loops that real SIGKILLs end. The
# loops are in custom-loop.R.

test_that("with background = TRUE, R values are taken in save(), by the session's own thread", {
  skip_without_python()
  taken_by <- character()
  pair <- list(
    take = function() {
      taken_by <<- c(taken_by, reticulate::import("threading")$current_thread()$name)
      1
    },
    put = function(value) NULL
  )
  ckpt <- checkpoint(pair = pair, step = 1, big = rnorm(1e5))
  manager <- checkpoint_manager(ckpt, withr::local_tempdir(), NULL, background = TRUE)
  big <- ckpt$big
  for (step in as.double(1:5)) {
    ckpt$step <- step
    manager$save()
    expect_length(taken_by, step)
    # The checkpoint must not contain changes after save().
    ckpt$step <- -1
    ckpt$big[] <- 0
    manager$sync()
    held <- ckpt$read(manager$latest_checkpoint)
    expect_identical(held$step, step)
    expect_identical(held$big, big)
    ckpt$big <- big
  }
  expect_identical(unique(taken_by), "MainThread")
  expect_identical(basename(manager$checkpoints), paste0("ckpt-", 1:5))
})

test_that("a save in the background is completed when the session ends, however it ends by itself", {
  skip_without_python()
  endings <- c("", "quit('no', status = 3)", "stop('the script fails')", "rm(manager); invisible(gc())")
  for (ending in endings) {
    dir <- withr::local_tempdir()
    printed <- run_r(c(
      "library(rekindle)",
      "ckpt <- checkpoint(x = rnorm(3e6), step = 4L)",
      sprintf("manager <- checkpoint_manager(ckpt, %s, 1, background = TRUE)", deparse(dir)),
      # After the third save, there is a file that the fourth save would overwrite.
      "for (save in 1:3) { ckpt$x <- ckpt$x + 1; manager$save() }",
      ending
    ))
    path <- latest_checkpoint(dir)
    expect_identical(basename(path %||% printed), "ckpt-3", info = ending)
    expect_identical(checkpoint()$read(path)$step, 4L)
    expect_length(list.files(dir, "tmp$", all.files = TRUE), 0)
  }
})

run_loop <- function(dir, kill_step = 0, background = FALSE) {
  run_script("custom-loop.R", dir, kill_step, background) # nolint: object_usage_linter. It is in helper.R.
}

# Both tests compare with this one run.
undisturbed <- NULL

for (background in c(FALSE, TRUE)) {
  title <- paste(
    "a loop killed twice by SIGKILL ends as the one never killed: model, R's values and random state",
    if (background) "(background)"
  )
  test_that(title, {
    skip_without_keras()
    skip_if_not_installed("processx")
    skip_on_os("windows") # it has no signals
    undisturbed <<- undisturbed %||% run_loop(withr::local_tempdir())
    expect_identical(undisturbed$status, 0L, info = undisturbed$output)
    expect_null(undisturbed$result$restored)

    dir <- withr::local_tempdir()
    expect_identical(run_loop(dir, 8, background)$status, -9L)
    expect_identical(run_loop(dir, 21, background)$status, -9L)
    resumed <- run_loop(dir, 0, background)
    expect_identical(resumed$status, 0L, info = resumed$output)
    number <- as.integer(sub(".*-", "", resumed$result$restored))
    # The last checkpoint that was whole on the disk: the last one before the kill or, in the background,
    # perhaps the one before that.
    expect_true(number %in% (if (background) 19:20 else 20L))
    expect_identical(resumed$result$run, undisturbed$result$run)
    # Of the step in which it was killed, and had not saved.
    report <- resumed$result$report
    expect_identical(report$evidence, "verified")
    expect_gte(report$compared$batches, 1)
    expect_gte(report$compared$losses, 1)
    expect_length(report$notes, 0)
    expect_null(undisturbed$result$report)
    expect_length(resumed$result$run$state[[3]], 30)
  })
}
