# A path as fs::path() makes it.
fs_path <- function(path) structure(path, class = c("fs_path", "character"))

test_that("paths become absolute, also where nothing exists yet", {
  expect_identical(as_python_path("/a/b"), "/a/b")
  expect_identical(as_python_path("a/b"), file.path(getwd(), "a/b"))
  expect_identical(as_python_path("~/a"), path.expand("~/a"))
  expect_identical(as_python_path("C:/a"), "C:/a")
  expect_identical(as_python_path("c:\\a"), "c:\\a")
})

test_that("paths are relative to R's working directory, which setwd() moves", {
  dir <- withr::local_tempdir()
  withr::local_dir(dir)
  expect_identical(as_python_path("a"), file.path(getwd(), "a"))
})

test_that("a URL is left for Python to judge; a colon alone makes none", {
  for (url in c("s3://bucket/run", "S3://bucket", "gs:/bucket", "file:///a/b", "a::s3://b", " s3://b")) {
    expect_identical(as_python_path(url), url)
  }
  for (path in c("a:b", "a:b/c", "run:1/x", "./s3:/run")) {
    expect_identical(as_python_path(path), file.path(getwd(), path))
  }
})

test_that("another URL is refused wherever a folder is taken, and nothing is made", {
  skip_without_keras()
  withr::local_dir(withr::local_tempdir())
  keras <- reticulate::import("keras")
  model <- keras$Sequential(list(keras$layers$Input(list(3L)), keras$layers$Dense(1L)))
  uses <- list(
    callback_backup_and_restore, backup_info, backup_history, backup_verify, backup_arrays,
    function(url) backup_delete(url, ask = FALSE),
    function(url) backup_restore(model, url),
    function(url) checkpoint_manager(checkpoint(step = 1), url, max_to_keep = 1),
    function(url) checkpoint(step = 1)$save(url),
    function(url) checkpoint(step = 1)$restore(url),
    function(url) checkpoint(step = 1)$read(url),
    latest_checkpoint
  )
  for (url in list("hdfs://name/run", "http:/host", fs_path("sftp:/host/run"), "file://host/run")) {
    for (use in uses) {
      cnd <- expect_error(use(url), "is a URL of a kind that does not work here", class = "rekindle_argument")
      expect_s3_class(cnd, "rekindle_error")
    }
  }
  expect_identical(list.files(), character())
})

test_that("a file URL is its path", {
  skip_without_python()
  dir <- file.path(withr::local_tempdir(), "a b")
  url <- paste0("file://", gsub(" ", "%20", dir))
  expect_identical(checkpoint(step = 1)$save(file.path(url, "ckpt")), file.path(dir, "ckpt-1"))
  expect_identical(latest_checkpoint(url), file.path(dir, "ckpt-1"))
})

test_that("paths become UTF-8", {
  latin1 <- "/Pr\xfcfung"
  Encoding(latin1) <- "latin1"
  converted <- as_python_path(latin1)
  expect_identical(Encoding(converted), "UTF-8")
  expect_identical(converted, "/Pr\u00fcfung")
})

test_that("a classed path becomes a plain string", {
  expect_identical(as_python_path(fs_path("/a/b")), "/a/b")
})

test_that("a number of batches becomes an integer", {
  expect_identical(as_python_save_freq(5), 5L)
  expect_identical(as_python_save_freq(5L), 5L)
  expect_identical(as_python_save_freq("epoch"), "epoch")
  expect_identical(as_python_save_freq(FALSE), FALSE)
  expect_identical(as_python_save_freq("10 min"), "10 min")
})

test_that("a difftime becomes seconds, in whatever unit it is", {
  expect_identical(as_python_save_freq(as.difftime(10, units = "mins")), "600 s")
  expect_identical(as_python_time(as.difftime(1.5, units = "hours")), "5400 s")
  expect_identical(as_python_time(as.difftime(2, units = "weeks")), "1209600 s")
  expect_identical(as_python_time(as.difftime(0.25, units = "secs")), "0.25 s")
  expect_identical(as_python_time(as.difftime(1e6, units = "days")), "86400000000 s")
  # R 4.5 accepts no scipen below -9. With -9, R prefers 1e+05 everywhere.
  withr::local_options(scipen = -9, OutDec = ",")
  expect_identical(as_python_time(as.difftime(1e5 + 0.5, units = "secs")), "100000.5 s")
})

test_that("other times go as they are", {
  expect_identical(as_python_time("6 h"), "6 h")
  expect_identical(as_python_time(5L), 5)
  expect_null(as_python_time(NULL))
})
