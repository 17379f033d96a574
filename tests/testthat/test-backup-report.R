test_that("arguments that are not accepted are refused", {
  expect_refused(backup_report("d"), "file")
  expect_refused(backup_report("d", 5), "file")
  expect_refused(backup_report("d", "x.html", TRUE), "...")
  expect_refused(backup_report("d", "x.html", open = NA), "open")
})

test_that("a report is one file with the metrics and the attempts", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  file <- withr::local_tempfile(fileext = ".html")
  before <- fingerprint(dir)
  path <- withVisible(backup_report(dir, file, open = FALSE))
  expect_false(path$visible)
  expect_identical(normalizePath(path$value), normalizePath(file))
  page <- paste(readLines(file, encoding = "UTF-8"), collapse = "\n")
  expect_match(page, "<figcaption>loss</figcaption>")
  expect_match(page, "complete</td>")
  expect_identical(fingerprint(dir), before)
})

test_that("it is shown in a browser", {
  skip_without_keras()
  shown <- NULL
  withr::local_options(browser = function(url) shown <<- url)
  file <- withr::local_tempfile(fileext = ".html")
  backup_report(backup_of_run(1L), file, open = TRUE)
  expect_match(shown, basename(file), fixed = TRUE)
})

test_that("what cannot be had is an error of its class", {
  skip_without_keras()
  file <- withr::local_tempfile(fileext = ".html", lines = "mine")
  expect_error(backup_report(withr::local_tempdir(), "x.html", open = FALSE), class = "rekindle_restore")
  dir <- backup_of_run(1L)
  expect_error(backup_report(dir, "x.txt", open = FALSE), class = "rekindle_argument")
  expect_error(backup_report(dir, file, open = FALSE), class = "rekindle_foreign_file")
  nowhere <- file.path(tempdir(), "no", "x.html")
  expect_error(backup_report(dir, nowhere, open = FALSE), "no folder", class = "rekindle_argument")
})
