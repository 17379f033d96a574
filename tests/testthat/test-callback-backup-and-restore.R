# The arguments of the callback. What it does in a fit() is tested in test-callback-in-fit.R.

test_that("backup_dir must be a single path", {
  expect_refused(callback_backup_and_restore(), "backup_dir")
  for (bad in list("", NA_character_, character(), c("a", "b"), 1, NULL, TRUE, list("a"))) {
    expect_refused(callback_backup_and_restore(bad), "backup_dir")
  }
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore()
    callback_backup_and_restore("")
    callback_backup_and_restore(NA_character_)
    callback_backup_and_restore(c("a", "b"))
    callback_backup_and_restore(NULL)
    callback_backup_and_restore(1)
  })
})

test_that("save_freq must be \"epoch\", a whole number >= 1, a time, \"auto\" or FALSE", {
  bads <- list(
    "Epoch", "10", "10 months", "0 s", "-5 min", "5 min ago", "min", "1,5 h", "", NA_character_,
    c("1 h", "2 h"), as.difftime(0, units = "mins"), as.difftime(-1, units = "mins"),
    as.difftime(NA_real_, units = "mins"), as.difftime(c(1, 2), units = "mins"),
    "FALSE", "batch", 0.5, NA, NA_real_, NA_integer_, Inf, -Inf, NaN, c(1, 2), TRUE, 0, -1L, NULL, 3e9,
    list(5), c("epoch", "epoch"), c(FALSE, FALSE), 5i
  )
  for (bad in bads) {
    expect_refused(callback_backup_and_restore("d", save_freq = bad), "save_freq")
  }
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", save_freq = 0.5)
    callback_backup_and_restore("d", save_freq = "batch")
    callback_backup_and_restore("d", save_freq = TRUE)
    callback_backup_and_restore("d", save_freq = 0L)
    callback_backup_and_restore("d", save_freq = c(1, 2))
    callback_backup_and_restore("d", save_freq = Inf)
    callback_backup_and_restore("d", save_freq = NULL)
    callback_backup_and_restore("d", save_freq = mean)
    callback_backup_and_restore("d", save_freq = "10 months")
    callback_backup_and_restore("d", save_freq = as.difftime(-1, units = "mins"))
  })
})

test_that("options are those that their functions make, and do not contradict", {
  for (bad in list(3, list(last = 3), "all", NA, preemption())) {
    expect_refused(callback_backup_and_restore("d", retention = bad), "retention")
  }
  for (other in list(1, 3, NULL)) {
    expect_refused(
      callback_backup_and_restore("d", double_checkpoint = TRUE, retention = retention(other)),
      "retention"
    )
  }
  for (bad in list(1, NA, "yes", NULL, retention())) {
    expect_refused(callback_backup_and_restore("d", save_before_preemption = bad), "save_before_preemption")
  }
  expect_refused(
    callback_backup_and_restore("d", save_freq = FALSE, save_before_preemption = FALSE),
    "save_before_preemption"
  )
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", retention = 3)
    callback_backup_and_restore("d", double_checkpoint = TRUE, retention = retention(3))
    callback_backup_and_restore("d", double_checkpoint = TRUE, retention = retention(NULL))
    callback_backup_and_restore("d", save_before_preemption = "SIGTERM")
    callback_backup_and_restore("d", save_freq = FALSE, save_before_preemption = FALSE)
  })
})

test_that("flags must be TRUE or FALSE", {
  for (bad in list(NA, 1, "TRUE", c(TRUE, FALSE), logical(), NULL)) {
    expect_refused(callback_backup_and_restore("d", double_checkpoint = bad), "double_checkpoint")
    expect_refused(callback_backup_and_restore("d", delete_checkpoint = bad), "delete_checkpoint")
    expect_refused(callback_backup_and_restore("d", restore_history = bad), "restore_history")
    expect_refused(callback_backup_and_restore("d", background = bad), "background")
  }
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", double_checkpoint = NA)
    callback_backup_and_restore("d", delete_checkpoint = "yes")
    callback_backup_and_restore("d", restore_history = 1)
  })
})

test_that("on_mismatch is taken for allow_changes", {
  for (bad in list("ignore", TRUE, NA, c("warn", "error"))) {
    expect_refused(callback_backup_and_restore("d", on_mismatch = bad), "on_mismatch")
  }
  both <- function() callback_backup_and_restore("d", on_mismatch = "warn", allow_changes = "data")
  expect_refused(both(), "on_mismatch")
})

test_that("allow_changes has names of changes, those of Python", {
  for (bad in list("rate", "", NA_character_, c("data", "lr"), 3, TRUE, list("data"), factor("data"))) {
    expect_refused(callback_backup_and_restore("d", allow_changes = bad), "allow_changes")
  }
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", allow_changes = c("batch_size", "lr"))
    callback_backup_and_restore("d", allow_changes = TRUE)
  })
  skip_without_python()
  expect_identical(known_changes, unlist(rekindle_module("_training.changes")$NAMES))
})

test_that("on_save_error and verbose must be one of their choices", {
  for (bad in list("stop", NA_character_, c("warn", "raise"), TRUE, 1, NULL)) {
    expect_refused(callback_backup_and_restore("d", on_save_error = bad), "on_save_error")
  }
  for (bad in list(3, -1, 0.5, NA, NA_real_, TRUE, "1", c(0, 1), NULL)) {
    expect_refused(callback_backup_and_restore("d", verbose = bad), "verbose")
  }
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", on_save_error = "stop")
    callback_backup_and_restore("d", verbose = 3)
    callback_backup_and_restore("d", verbose = TRUE)
  })
})

test_that("extra_state must be a named list of Python objects and pairs of functions", {
  pair <- list(take = function() 1, put = function(value) NULL)
  extra <- function(...) callback_backup_and_restore("d", extra_state = list(...))
  for (bad in list(1, NA, TRUE, character(), mean, mtcars, list(1), pair, list(pair), list(a = pair, pair))) {
    expect_refused(callback_backup_and_restore("d", extra_state = bad), "extra_state")
  }
  for (bad in list(NULL, 1, mean, mtcars, list(), pair["take"], c(pair, mean), list(take = 1, put = mean))) {
    expect_refused(extra(a = pair, b = bad), "extra_state")
  }
  expect_refused(extra(a = pair, a = pair), "extra_state")
  expect_refused(extra(.Random.seed = pair), "extra_state")
  expect_refused(extra(a = list(take = globalenv, put = mean)), "extra_state")
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", extra_state = 1)
    callback_backup_and_restore("d", extra_state = mtcars)
    extra(pair)
    extra(a = pair, a = pair)
    extra(seen = 1)
    extra(seen = pair["take"])
    extra(.Random.seed = pair)
    extra(seen = list(take = function() list(1, mean), put = function(value) NULL))
  })
})

test_that("an error of the user's own function keeps its class, and its message names the function", {
  own <- list(take = function() abort("no such table", class = "mine"), put = function(value) NULL)
  cnd <- expect_error(callback_backup_and_restore("d", extra_state = list(own = own)), class = "mine")
  expect_identical(conditionMessage(cnd), "`extra_state$own$take()` failed: no such table")
})

test_that("an unknown argument is refused with the nearest name", {
  expect_refused(callback_backup_and_restore("d", save_frq = 5), "save_frq")
  expect_refused(callback_backup_and_restore("d", "epoch", FALSE, TRUE, FALSE), "...")
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", save_frq = 5)
    callback_backup_and_restore("d", restor_history = TRUE)
    callback_backup_and_restore("d", "epoch", FALSE, TRUE, FALSE)
  })
})

test_that("an unknown argument is refused without being evaluated", {
  expect_refused(callback_backup_and_restore("d", save_frq = stop("evaluated")), "save_frq")
})

test_that("arguments are checked in their order", {
  expect_refused(callback_backup_and_restore("", save_freq = 0.5, verbose = 9), "backup_dir")
  expect_refused(callback_backup_and_restore("d", save_freq = 0.5, verbose = 9), "save_freq")
})
