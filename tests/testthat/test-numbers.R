# Numbers with a class: their meaning is not their value. For example, 10 minutes must not become a count of
# batches.

# A class like lubridate's Period, because lubridate may not be installed.
local_period <- function(env = parent.frame()) {
  methods::setClass(
    "Period",
    contains = "numeric", slots = c(minute = "numeric"), where = globalenv()
  )
  withr::defer(methods::removeClass("Period", where = globalenv()), envir = env)
  methods::new("Period", 600, minute = 10)
}

classed_numbers <- function(env = parent.frame()) {
  list(
    local_period(env),
    structure(2, class = "integer64"),
    structure(2, class = "units", units = "min"),
    structure(2, class = c("hms", "difftime"), units = "fortnights"),
    factor(2), ordered(2), as.Date("1970-01-03"), as.POSIXct(2, origin = "1970-01-01"), as.octmode(2L),
    numeric_version("2")
  )
}

# Each argument of an exported function that accepts a number.
takers_of_numbers <- function() {
  callback <- function(...) callback_backup_and_restore("d", ...)
  manager <- function(...) checkpoint_manager(checkpoint(step = 0), "d", ...)
  script <- withr::local_tempfile(lines = "", fileext = ".R", .local_envir = parent.frame())
  list(
    save_freq = function(x) callback(save_freq = x),
    verbose = function(x) callback(verbose = x),
    max_overhead = function(x) save_auto(max_overhead = x),
    mean_time_between_failures = function(x) save_auto(mean_time_between_failures = x),
    last = function(x) retention(last = x),
    every_hours = function(x) retention(every_hours = x),
    best = function(x) retention(best = list("loss", "min", x)),
    exit_code = function(x) preemption(exit_code = x),
    grace = function(x) preemption(grace = x),
    max_to_keep = function(x) manager(max_to_keep = x),
    keep_checkpoint_every_n_hours = function(x) manager(1, keep_checkpoint_every_n_hours = x),
    checkpoint_interval = function(x) manager(1, step_counter = "step", checkpoint_interval = x),
    last_checkpoint_step = function(x) manager(1, last_checkpoint_step = x),
    keep_best = function(x) manager(1, keep_best = list("loss", "min", x)),
    checkpoint_number = function(x) manager(1)$save(checkpoint_number = x),
    with_metadata = function(x) manager(1)$save(with_metadata = list(loss = x)),
    which = function(x) backup_history("d", x),
    which = function(x) backup_arrays("d", x),
    which = function(x) backup_restore(structure(list(), class = "python.builtin.object"), "d", x),
    max_restarts = function(x) run_with_restarts(script, max_restarts = x),
    max_idle_restarts = function(x) run_with_restarts(script, max_idle_restarts = x),
    backoff = function(x) run_with_restarts(script, backoff = x)
  )
}

test_that("a number with a class is never taken for its value", {
  skip_without_python()
  withr::local_dir(withr::local_tempdir())
  takers <- takers_of_numbers()
  for (number in classed_numbers()) {
    for (i in seq_along(takers)) {
      cnd <- expect_error(takers[[i]](number), names(takers)[[i]], class = "rekindle_argument")
    }
  }
  expect_length(list.files(), 0)
})

test_that("a difftime of any unit is taken as the time that it is where a time is accepted", {
  skip_without_keras()
  for (taker in takers_of_numbers()[c("save_freq", "mean_time_between_failures")]) {
    for (time in list(as.difftime(10, units = "mins"), as.difftime(600L, units = "secs"))) {
      expect_true(is_time(time))
      expect_identical(as_python_time(time), "600 s")
      # The check comes first, so the test also works without Python.
      expect_no_error(taker(time), class = "rekindle_argument")
    }
  }
})

test_that("the error says what was given, and how to give a time", {
  expect_snapshot(error = TRUE, {
    callback_backup_and_restore("d", save_freq = local_period())
    callback_backup_and_restore("d", save_freq = as.Date("2024-05-01"))
    callback_backup_and_restore("d", save_freq = as.difftime(-1, units = "mins"))
    save_auto(mean_time_between_failures = local_period())
    retention(every_hours = as.difftime(2, units = "hours"))
    run_with_restarts(test_path("test-numbers.R"), backoff = structure(5, class = "integer64"))
  })
})
