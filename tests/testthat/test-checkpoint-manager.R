expect_refused <- function(object, argument) {
  cnd <- testthat::expect_error(object, class = "rekindle_argument")
  testthat::expect_s3_class(cnd, "rekindle_error")
  testthat::expect_identical(cnd$argument, argument)
}

numbers <- function(manager) as.integer(sub(".*-", "", manager$checkpoints))

# --- the arguments --------------------------------------------------------------------------------------

test_that("what, where and how much to keep is refused by name when it is not of the accepted form", {
  skip_without_python()
  ckpt <- checkpoint(step = 1L, half = 0.5, name = "x")
  manager <- function(...) checkpoint_manager(ckpt, "d", 2, ...)
  for (bad in list(1, NULL, "a", list(a = 1), mean)) {
    expect_refused(checkpoint_manager(bad, "d", 2), "checkpoint")
  }
  for (bad in list("", NA_character_, 1, NULL, c("a", "b"))) {
    expect_refused(checkpoint_manager(ckpt, bad, 2), "directory")
  }
  for (bad in list(0, -1L, 1.5, TRUE, NA, Inf, "2", c(1, 2), list(1))) {
    expect_refused(checkpoint_manager(ckpt, "d", bad), "max_to_keep")
  }
  for (bad in list(0, -1, NA_real_, Inf, NaN, TRUE, "1", c(1, 2))) {
    expect_refused(manager(keep_checkpoint_every_n_hours = bad), "keep_checkpoint_every_n_hours")
  }
  for (bad in list("", NA_character_, ".hidden", "a/b", "a\\b", "a\nb", 1, NULL)) {
    expect_refused(manager(checkpoint_name = bad), "checkpoint_name")
  }
  expect_false(dir.exists("d"))
})

test_that("a step counter, an interval and the other options are refused by name likewise", {
  skip_without_python()
  ckpt <- checkpoint(step = 1L, half = 0.5, name = "x")
  manager <- function(...) checkpoint_manager(ckpt, "d", 2, ...)
  for (bad in list(1, "missing", "half", "name", TRUE, c("a", "b"), list())) {
    expect_refused(manager(step_counter = bad, checkpoint_interval = 1), "step_counter")
  }
  for (bad in list(0, 1.5, TRUE, NA, "1", -2L)) {
    expect_refused(manager(step_counter = "step", checkpoint_interval = bad), "checkpoint_interval")
  }
  expect_refused(manager(checkpoint_interval = 2), "step_counter")
  for (bad in list(1, "f", list())) expect_refused(manager(init_fn = bad), "init_fn")
  for (bad in list(0.5, NA, "1", TRUE, c(1, 2))) {
    expect_refused(manager(last_checkpoint_step = bad), "last_checkpoint_step")
  }
  bads <- list("loss", list("loss"), list("loss", "least", 1), list("loss", "min", 0), list(1, "min", 1))
  for (bad in bads) expect_refused(manager(keep_best = bad), "keep_best")
  for (bad in list(NA, 1, "TRUE", NULL)) expect_refused(manager(background = bad), "background")
  expect_refused(manager(keep_besst = list("loss", "min", 1)), "keep_besst")
  expect_false(dir.exists("d"))
})

test_that("what is wrong with an argument is said in R's words", {
  skip_without_python()
  ckpt <- checkpoint(step = 1L, half = 0.5)
  expect_snapshot(error = TRUE, {
    checkpoint_manager()
    checkpoint_manager(list(step = 1), "d", 2)
    checkpoint_manager(ckpt)
    checkpoint_manager(ckpt, "d")
    checkpoint_manager(ckpt, "d", 0)
    checkpoint_manager(ckpt, "d", TRUE)
    checkpoint_manager(ckpt, "d", 2, keep_checkpoint_every_n_hours = 0)
    checkpoint_manager(ckpt, "d", 2, checkpoint_name = "a/b")
    checkpoint_manager(ckpt, "d", 2, step_counter = "half", checkpoint_interval = 2)
    checkpoint_manager(ckpt, "d", 2, step_counter = 1)
    checkpoint_manager(ckpt, "d", 2, checkpoint_interval = 2)
    checkpoint_manager(ckpt, "d", 2, step_counter = "step", checkpoint_interval = 1.5)
    checkpoint_manager(ckpt, "d", 2, init_fn = 1)
    checkpoint_manager(ckpt, "d", 2, last_checkpoint_step = 0.5)
    checkpoint_manager(ckpt, "d", 2, keep_best = c("loss", "min"))
    checkpoint_manager(ckpt, "d", 2, keep_bst = NULL)
    checkpoint_manager(ckpt, "d", 2, NULL, "ckpt", NULL, NULL, NULL, NULL, NULL)
    manager <- checkpoint_manager(ckpt, "d", 2)
    manager$save(checkpoint_number = 1.5)
    manager$save(check_interval = NA)
    manager$save(with_metadata = list(1))
    manager$save(with_metadata = list(day = Sys.Date()))
    manager$save(with_metadata = list(f = list(1, mean)))
    manager$metadata()
    manager$sav()
    manager$directory <- "e"
  })
})

# --- saving and restoring ---------------------------------------------------------------------------------

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
  writeLines("a file where the folder should be", dir)
  ckpt <- checkpoint(a = 1)
  manager <- checkpoint_manager(ckpt, dir, 2)
  expect_error(manager$save(), class = "rekindle_save")
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

# --- print ------------------------------------------------------------------------------------------------

test_that("print() shows what is kept, and by which rules", {
  skip_without_python()
  withr::local_dir(withr::local_tempdir())
  shown <- function(...) {
    lines <- format(checkpoint_manager(checkpoint(a = 1), "ckpts", ...))
    sub("'.*ckpts'", "'<dir>/ckpts'", lines)
  }
  expect_snapshot({
    writeLines(shown(NULL))
    writeLines(shown(1))
    writeLines(shown(3, 1.5, keep_best = list("loss", "min", 1), background = TRUE))
    writeLines(shown(3, 1, keep_best = list("acc", "max", 2)))
  })
  manager <- checkpoint_manager(checkpoint(a = 1), "ckpts", 2)
  manager$save(with_metadata = list(loss = 1 / 3, acc = 0.5))
  manager$save()
  lines <- sub("'.*ckpts'", "'<dir>/ckpts'", capture.output(print(manager)))
  lines <- gsub("[0-9]+ seconds?", "<n> seconds", lines)
  expect_snapshot(writeLines(lines))
  expect_identical(utils::.DollarNames(manager, "^s"), c("save", "sync"))
})
