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
