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

test_that("paths become UTF-8", {
  latin1 <- "/Pr\xfcfung"
  Encoding(latin1) <- "latin1"
  converted <- as_python_path(latin1)
  expect_identical(Encoding(converted), "UTF-8")
  expect_identical(converted, "/Pr\u00fcfung")
})

test_that("a classed path becomes a plain string", {
  path <- structure("/a/b", class = c("fs_path", "character"))
  expect_identical(as_python_path(path), "/a/b")
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
  withr::local_options(scipen = -100, OutDec = ",")
  expect_identical(as_python_time(as.difftime(1e5 + 0.5, units = "secs")), "100000.5 s")
})

test_that("other times go as they are", {
  expect_identical(as_python_time("6 h"), "6 h")
  expect_identical(as_python_time(5L), 5)
  expect_null(as_python_time(NULL))
})
