test_that("the newest checkpoint is named, whoever saved it, and NULL where there is none", {
  skip_without_python()
  dir <- withr::local_tempdir()
  expect_null(latest_checkpoint(dir))
  expect_null(latest_checkpoint(file.path(dir, "missing")))
  manager <- checkpoint_manager(checkpoint(step = 1), dir, max_to_keep = 2)
  for (number in c(30, 20, 10)) manager$save(checkpoint_number = number)
  expect_identical(latest_checkpoint(dir), file.path(dir, "ckpt-10"))
  manager$close()
  Sys.sleep(0.01)
  path <- checkpoint(other = 1)$save(file.path(dir, "final"))
  expect_identical(latest_checkpoint(dir), path)
  withr::local_dir(dirname(dir))
  expect_identical(latest_checkpoint(basename(dir)), file.path(getwd(), basename(dir), "final-1"))
})

test_that("a damaged one is passed over; when none is whole, that is an error", {
  skip_without_python()
  dir <- withr::local_tempdir()
  manager <- checkpoint_manager(checkpoint(x = rnorm(100)), dir, max_to_keep = 2)
  first <- manager$save()
  second <- manager$save(checkpoint_number = 2)
  manager$close()
  cut <- function(path) writeLines("{", paste0(path, ".json"))
  cut(second)
  expect_identical(latest_checkpoint(dir), first)
  cut(first)
  expect_error(latest_checkpoint(dir), class = "rekindle_damage")
})

test_that("directory must be a path", {
  for (bad in list("", 1, NULL, NA_character_, c("a", "b"))) {
    cnd <- expect_error(latest_checkpoint(bad), class = "rekindle_argument")
    expect_identical(cnd$argument, "directory")
  }
  expect_snapshot(error = TRUE, latest_checkpoint())
})
