test_that("arguments that are not accepted are refused", {
  for (bad in list(0, -1, NA, "1", c(1, 2), Inf, TRUE)) {
    expect_refused(backup_watch("d", every = bad), "every")
  }
  for (bad in list(NA, "", 1, c("a", "b"), list())) {
    expect_refused(backup_watch("d", page = bad), "page")
  }
  expect_refused(backup_watch("d", 5), "...")
  expect_refused(backup_watch(), "backup_dir")
})

a_look <- function(state = "running", ..., place = "epoch 2 of 5, batch 3 of 10") {
  list(state = state, parts = list(place, ...), ending = NULL)
}

test_that("the line has a mark and its parts", {
  expect_snapshot({
    cat(watch_line(a_look("running", "12.5 batches/s", "40 s left", "loss 0.25", "ckpt-3, 8 s old")))
    cat(watch_line(a_look("waiting", place = "waiting for a run to begin in /b")))
    cat(watch_line(a_look("died")))
  })
})

written <- function(looks, ...) {
  file <- withr::local_tempfile()
  connection <- file(file, "w")
  show <- line_writer(connection, ...)
  for (look in looks) show$line(look)
  show$end()
  close(connection)
  # Not readLines(), for which a return ends a line.
  readChar(file, file.size(file))
}

test_that("in a terminal the line is written in its place, and fits into it", {
  withr::local_options(cli.width = 30)
  lines <- written(list(a_look(), a_look(place = "short")), is_dynamic = TRUE)
  expect_match(lines, "\n$")
  parts <- strsplit(sub("\n$", "", lines), "\r", fixed = TRUE)[[1]][-1]
  expect_length(parts, 2)
  expect_identical(cli::ansi_nchar(parts, "width"), c(29L, 29L))
  expect_match(parts[[2]], "short +$")
})

test_that("elsewhere there is a line for each change of the place", {
  looks <- list(a_look("running", "loss 1"), a_look("running", "loss 2"), a_look(place = "epoch 3"))
  lines <- strsplit(written(looks, is_dynamic = FALSE), "\n", fixed = TRUE)[[1]]
  expect_length(lines, 2)
  expect_match(lines[[2]], "epoch 3")
})

test_that("an interrupt ends watching", {
  expect_true(is_interrupted(interrupt()))
  expect_false(is_interrupted(NULL))
})

test_that("of a run that has ended it says how, and writes a page that does not load itself again", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  file <- withr::local_tempfile(fileext = ".html")
  expect_message(state <- withVisible(backup_watch(dir, page = file)), "The run has finished")
  expect_identical(state, list(value = "finished", visible = FALSE))
  page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  expect_match(page, "Finished")
  expect_no_match(page, "http-equiv=\"refresh\"")
})

test_that("a page is shown once, in RStudio's viewer where there is one", {
  skip_without_keras()
  dir <- backup_of_run(1L)
  shown <- character()
  withr::local_options(viewer = function(file) shown <<- c(shown, file), rlang_interactive = TRUE)
  suppressMessages(backup_watch(dir))
  expect_length(shown, 1)
  expect_true(file.exists(shown))
  expect_identical(normalizePath(dirname(dirname(shown))), normalizePath(tempdir()))
  suppressMessages(backup_watch(dir, page = FALSE))
  expect_length(shown, 1)
})

test_that("a page in the backup folder, or over a file of the user's, is refused", {
  skip_without_keras()
  dir <- backup_of_run(1L)
  expect_error(backup_watch(dir, page = file.path(dir, "x.html")), class = "rekindle_argument")
  file <- withr::local_tempfile(fileext = ".html", lines = "mine")
  expect_error(backup_watch(dir, page = file), class = "rekindle_foreign_file")
  expect_identical(readLines(file), "mine")
})

test_that("a folder that could not be made is an error, and one that is not made yet is waited for", {
  skip_without_python()
  cnd <- expect_error(backup_watch(file.path(tempdir(), "no", "backup")), class = "rekindle_argument")
  expect_match(conditionMessage(cnd), "could make it in")
  watching <- r_door()$Watching(file.path(tempdir(), "none"), NULL, 1)
  expect_identical(watching$look()$state, "waiting")
})

test_that("a run in another session is seen at work, and killed", {
  skip_without_keras()
  run <- running_backup()
  watching <- r_door()$Watching(run$dir, NULL, 1)
  found <- watching$look()
  expect_identical(found$state, "running")
  expect_match(found$parts[[1]], "^epoch [0-9]+")
  run$process$kill()
  while (is.null(watching$look()$ending)) Sys.sleep(0.1)
  expect_message(state <- backup_watch(run$dir), "The process of the run is gone")
  expect_identical(state, "died")
  attempts <- attr(backup_history(run$dir), "attempts")
  expect_identical(attempts$ended, "died")
})
