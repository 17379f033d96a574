test_that("ask must be TRUE or FALSE, and is named", {
  expect_error(backup_delete("d", ask = NA), class = "rekindle_argument")
  expect_error(backup_delete("d", TRUE), class = "rekindle_argument")
})

test_that("only what is rekindle's goes", {
  skip_without_keras()
  dir <- backup_of_run(2L)
  writeLines("mine", file.path(dir, "notes.txt"))
  expect_message(done <- backup_delete(dir, ask = FALSE), "notes.txt", fixed = TRUE)
  expect_true(done)
  expect_identical(list.files(dir, all.files = TRUE, no.. = TRUE), "notes.txt")
})

test_that("the folder goes, too, when it is empty then", {
  skip_without_keras()
  dir <- backup_of_run(2L)
  expect_message(backup_delete(dir, ask = FALSE), "Deleted 2 checkpoints", fixed = TRUE)
  expect_false(dir.exists(dir))
})

test_that("it asks, and takes anything but a yes for a no", {
  skip_without_keras()
  dir <- backup_of_run(2L)
  asked <- NULL
  for (answer in list(FALSE, NA)) {
    withr::local_options(askYesNo = function(msg, ...) {
      asked <<- msg
      answer
    })
    expect_message(done <- backup_delete(dir, ask = TRUE), "Nothing was deleted")
    expect_false(done)
    expect_true(file.exists(file.path(dir, "ckpt-2.json")))
  }
  expect_match(asked, "Delete 2 checkpoints")
  withr::local_options(askYesNo = function(...) TRUE)
  expect_true(suppressMessages(backup_delete(dir, ask = TRUE)))
})

test_that("without a backup there is nothing to delete, and nothing is made", {
  skip_without_python()
  dir <- file.path(withr::local_tempdir(), "none")
  expect_message(done <- backup_delete(dir, ask = TRUE), "There is no backup in")
  expect_false(done)
  expect_false(dir.exists(dir))
})

test_that("after an interrupted fit() of this session its backup can be deleted", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  interrupted(tiny_fit(callback_backup_and_restore(dir), interrupt_at(2)))
  info <- backup_info(dir)
  expect_identical(info$state, "whole")
  if (isTRUE(info$is_here)) {
    expect_match(format(info), "This R session has locked the folder, since", fixed = TRUE, all = FALSE)
  }
  expect_true(suppressMessages(backup_delete(dir, ask = FALSE)))
  expect_false(dir.exists(dir))
})
