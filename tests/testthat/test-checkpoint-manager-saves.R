# What a manager saves, keeps and restores. Its arguments are tested in test-checkpoint-manager.R.

numbers <- function(manager) as.integer(sub(".*-", "", manager$checkpoints))

test_that("saves are numbered, listed in order, and older ones go", {
  skip_without_python()
  dir <- file.path(withr::local_tempdir(), "new")
  manager <- checkpoint_manager(checkpoint(step = 1), dir, max_to_keep = 2)
  expect_identical(manager$checkpoints, character())
  expect_null(manager$latest_checkpoint)
  expect_false(dir.exists(dir))
  saved <- replicate(3, manager$save())
  expect_identical(saved, file.path(dir, paste0("ckpt-", 1:3)))
  expect_identical(manager$checkpoints, saved[2:3])
  expect_identical(manager$latest_checkpoint, saved[[3]])
  expect_identical(manager$save(checkpoint_number = 10), file.path(dir, "ckpt-10"))
  expect_identical(basename(manager$save()), "ckpt-5")
  expect_identical(manager$checkpoint$save_counter, 5L)
  expect_invisible(manager$save())
  manager$close()

  again <- checkpoint_manager(checkpoint(step = 0), dir, max_to_keep = NULL)
  expect_identical(numbers(again), 5:6)
})

test_that("a number or a step beyond R's integers arrives whole", {
  skip_without_python()
  ckpt <- checkpoint(step = 3e9)
  manager <- checkpoint_manager(
    ckpt, withr::local_tempdir(), NULL,
    step_counter = "step", checkpoint_interval = 10, last_checkpoint_step = 3e9 - 9
  )
  expect_null(manager$save())
  ckpt$step <- ckpt$step + 1
  expect_identical(basename(manager$save(checkpoint_number = 5e9)), "ckpt-5000000000")
})

test_that("restore_or_initialize() calls init_fn only where there is nothing, and then gives the path", {
  skip_without_python()
  dir <- withr::local_tempdir()
  called <- 0
  init <- function() called <<- called + 1
  ckpt <- checkpoint(step = 0L)
  first <- checkpoint_manager(ckpt, dir, 2, init_fn = init)
  expect_null(first$restore_or_initialize())
  expect_identical(called, 1)
  ckpt$step <- 7L
  path <- first$save()
  first$close()

  ckpt <- checkpoint(step = 0L)
  second <- checkpoint_manager(ckpt, dir, 2, init_fn = init)
  expect_identical(second$restore_or_initialize(), path)
  expect_identical(called, 1)
  expect_identical(ckpt$step, 7L)
  expect_identical(second$checkpoint, ckpt)
})

test_that("an error in init_fn and step_counter comes out as it was raised", {
  skip_without_python()
  failing <- function() abort("No!", class = "mine")
  manager <- checkpoint_manager(checkpoint(a = 1), withr::local_tempdir(), 2, init_fn = failing)
  expect_error(manager$restore_or_initialize(), class = "mine")
  manager <- checkpoint_manager(
    checkpoint(a = 1), withr::local_tempdir(), 2, step_counter = failing, checkpoint_interval = 1
  )
  expect_error(manager$save(), class = "mine")
  manager <- checkpoint_manager(
    checkpoint(a = 1), withr::local_tempdir(), 2, step_counter = function() 0.5, checkpoint_interval = 1
  )
  cnd <- expect_error(manager$save(), class = "rekindle_argument")
  expect_identical(cnd$argument, "step_counter")
})

test_that("the interval counts from the last saved step, by the name of a number or by a function", {
  skip_without_python()
  by_name <- checkpoint(step = 0)
  by_function <- checkpoint(a = 1)
  step <- 0L
  managers <- list(
    checkpoint_manager(by_name, withr::local_tempdir(), NULL, step_counter = "step", checkpoint_interval = 5),
    checkpoint_manager(
      by_function, withr::local_tempdir(), NULL, step_counter = function() step, checkpoint_interval = 5L
    )
  )
  saved <- list(integer(), integer())
  for (now in 0:12) {
    by_name$step <- now
    step <- now
    for (i in 1:2) if (!is.null(managers[[i]]$save())) saved[[i]] <- c(saved[[i]], now)
  }
  expect_identical(saved, list(c(0L, 5L, 10L), c(0L, 5L, 10L)))
  expect_identical(managers[[1]]$checkpoint_interval, 5L)
  expect_false(is.null(managers[[1]]$save(check_interval = FALSE)))
  expect_null(managers[[1]]$save(check_interval = FALSE))
})

test_that("keep_best keeps the best beside the newest, and with_metadata comes back", {
  skip_without_python()
  manager <- checkpoint_manager(
    checkpoint(a = 1), withr::local_tempdir(), max_to_keep = 1, keep_best = list("loss", "min", 2)
  )
  for (loss in c(0.5, 0.1, 0.9, 0.2, 0.8)) manager$save(with_metadata = list(loss = loss))
  expect_identical(numbers(manager), c(2L, 4L, 5L))
  expect_identical(manager$metadata(manager$checkpoints[[1]]), list(loss = 0.1))

  given <- list(
    n = 3L, x = 0.5, s = "\u00fc", flag = TRUE, none = NULL, na = NA, v = c(1, 2), l = list(a = 1, b = "c")
  )
  path <- manager$save(with_metadata = given)
  given["na"] <- list(NULL)
  expect_identical(manager$metadata(path), given)
  path <- manager$save(with_metadata = c(loss = 0.25, acc = 1))
  expect_identical(manager$metadata(path), list(loss = 0.25, acc = 1))
  expect_identical(manager$metadata(manager$save()), set_names(list(), character()))
  expect_error(manager$metadata("none-1"), class = "rekindle_restore")
})

test_that("a second manager is refused while the first is open, and not after", {
  skip_without_python()
  dir <- withr::local_tempdir()
  first <- checkpoint_manager(checkpoint(a = 1), dir, 2)
  first$save()
  second <- checkpoint_manager(checkpoint(a = 1), dir, 2)
  cnd <- expect_error(second$save(), class = "rekindle_lock")
  expect_identical(cnd$pid, Sys.getpid())
  expect_error(second$restore_or_initialize(), class = "rekindle_lock")
  code <- sprintf(
    "tryCatch(rekindle::checkpoint(a = 1)$save(%s), rekindle_lock = function(e) cat('locked by', e$pid))",
    deparse(file.path(dir, "x"))
  )
  expect_match(run_r(code), paste("locked by", Sys.getpid()), fixed = TRUE)
  first$close()
  expect_identical(basename(second$restore_or_initialize()), "ckpt-1")
})

test_that("a checkpoint that does not fit changes nothing", {
  skip_without_python()
  dir <- withr::local_tempdir()
  first <- checkpoint_manager(checkpoint(step = 5, w = matrix(1, 2, 2)), dir, 2)
  first$save()
  first$close()
  ckpt <- checkpoint(step = 0, w = matrix(0, 3, 2))
  manager <- checkpoint_manager(ckpt, dir, 2, init_fn = function() stop("not called"))
  cnd <- expect_error(manager$restore_or_initialize(), class = "rekindle_mismatch")
  expect_identical(unlist(cnd$differences), "w/dim: expected 3 x 2, found 2 x 2")
  expect_identical(ckpt$step, 0)
  expect_identical(ckpt$w, matrix(0, 3, 2))
})

test_that("a damaged newest checkpoint is said to be so, and the one before it is restored", {
  skip_without_python()
  dir <- withr::local_tempdir()
  ckpt <- checkpoint(step = 1)
  manager <- checkpoint_manager(ckpt, dir, 2)
  first <- manager$save()
  ckpt$step <- 2
  newest <- manager$save()
  manager$close()
  writeLines("{", paste0(newest, ".json"))
  ckpt <- checkpoint(step = 0)
  manager <- checkpoint_manager(ckpt, dir, 2)
  said <- capture.output(restored <- manager$restore_or_initialize(), type = "message")
  expect_identical(restored, first)
  expect_identical(ckpt$step, 1)
  expect_match(paste(said, collapse = "\n"), "ckpt-2")
})

test_that("a save that cannot be written is an error, and does not count", {
  skip_without_python()
  dir <- withr::local_tempfile()
  ckpt <- checkpoint(a = 1)
  manager <- checkpoint_manager(ckpt, dir, 2)
  writeLines("a file where the folder should be", dir)
  expect_error(manager$save(), "is not a folder", class = "rekindle_save")
  expect_identical(ckpt$save_counter, 0L)
  unlink(dir)
  expect_identical(basename(manager$save()), "ckpt-1")
})

test_that("a tf.train.Checkpoint is managed as it is", {
  skip_without_python()
  skip_if_not(reticulate::py_module_available("tensorflow"), "this Python has no tensorflow")
  tf <- reticulate::import("tensorflow")
  step <- tf$Variable(3L)
  manager <- checkpoint_manager(
    tf$train$Checkpoint(step = step), withr::local_tempdir(), 2, step_counter = step, checkpoint_interval = 2
  )
  expect_identical(basename(manager$save()), "ckpt-1")
  expect_null(manager$save())
  step$assign(9L)
  expect_identical(basename(manager$save(checkpoint_number = step)), "ckpt-9")
  step$assign(0L)
  manager$restore_or_initialize()
  expect_identical(as.integer(step$numpy()), 9L)
})
