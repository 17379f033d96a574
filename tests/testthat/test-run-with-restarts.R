script_of <- function(..., env = parent.frame()) {
  script <- withr::local_tempfile(fileext = ".R", .local_envir = env)
  writeLines(c(...), script)
  script
}

skip_without_supervisor <- function() {
  testthat::skip_on_os("windows")
  testthat::skip_if_not_installed("processx")
  skip_without_python() # nolint: object_usage_linter. It is in helper.R.
}

# Keeps the output of the script and of the supervisor out of the tests' own output.
quietly <- function(expr) {
  utils::capture.output(utils::capture.output(expr, type = "message"))
}

# A script that advances by one step, saves, and ends with the code in `end`.
step_script <- function(end, env = parent.frame()) {
  script_of(
    "reticulate::import_from_path('rekindle', system.file('python', package = 'rekindle'))",
    "main <- reticulate::py_run_string('",
    "import numpy, rekindle",
    "def step_on(directory):",
    "    step = numpy.zeros((), numpy.int64)",
    "    one = rekindle.Checkpoint(step=step)",
    "    manager = rekindle.CheckpointManager(one, directory, 1, step_counter=step)",
    "    manager.restore_or_initialize()",
    "    step += 1",
    "    manager.save()",
    "    manager.close()",
    "    return int(step)",
    "')",
    "at <- main$step_on(commandArgs(trailingOnly = TRUE)[[1]])",
    end,
    env = env
  )
}

test_that("bad arguments are refused, by name", {
  script <- script_of("1")
  expect_error(run_with_restarts(), class = "rekindle_argument")
  expect_error(run_with_restarts("no/such/file.R"), "does not exist", class = "rekindle_argument")
  expect_error(run_with_restarts(tempdir()), "is a folder", class = "rekindle_argument")
  expect_error(run_with_restarts(script, 1), class = "rekindle_argument")
  expect_error(run_with_restarts(script, character(), 3), class = "rekindle_argument")
  for (bad in list(-1, 0.5, NA, "3", NULL, c(1, 2))) {
    expect_error(run_with_restarts(script, max_restarts = bad), "max_restarts", class = "rekindle_argument")
    expect_error(run_with_restarts(script, max_idle_restarts = bad), class = "rekindle_argument")
  }
  for (bad in list(-1, Inf, NA, "3")) {
    expect_error(run_with_restarts(script, backoff = bad), "backoff", class = "rekindle_argument")
  }
  expect_error(run_with_restarts(script, backup_dir = 1), class = "rekindle_argument")
  expect_error(run_with_restarts(script, log = ""), class = "rekindle_argument")
})

test_that("a script is started again until it has done its work, and the summary tells of each start", {
  skip_without_supervisor()
  dir <- file.path(withr::local_tempdir(), "backup")
  log <- withr::local_tempfile()
  script <- step_script("if (at == 2) tools::pskill(Sys.getpid(), 9)
    if (at < 4) quit(status = 7)")
  quietly(done <- run_with_restarts(script, dir, backoff = 0, max_idle_restarts = 0, log = log))
  expect_s3_class(done, "rekindle_restarts")
  expect_identical(done$outcome, "completed")
  expect_identical(done$status, 0L)
  expect_identical(done$starts$status, c(7L, 137L, 7L, 0L))
  expect_identical(done$starts$progress, rep(TRUE, 4))
  expect_identical(done$starts$step, c(1, 2, 3, 4))
  expect_identical(done$starts$save, paste0("ckpt-", 1:4))
  expect_identical(normalizePath(done$backup_dir), normalizePath(dir))
  expect_length(grep("^=== rekindle .*: start [1-4]", readLines(log)), 4)
})

test_that("it returns invisibly, and prints", {
  skip_without_supervisor()
  script <- script_of("cat('hello', commandArgs(trailingOnly = TRUE), '\\n')")
  out <- quietly(shown <- withVisible(run_with_restarts(script, c("a b", "$HOME"))))
  expect_false(shown$visible)
  expect_match(out, "hello a b $HOME", fixed = TRUE, all = FALSE)
  printed <- utils::capture.output(print(shown$value))
  expect_identical(printed[[1]], paste("<rekindle_restarts>", script))
  expect_identical(printed[[2]], "completed after 1 start: the command has ended with exit code 0")
})

test_that("the script finds the packages that it finds without the supervisor, in R and in Python", {
  skip_without_supervisor()
  lines <- c(
    "cat('seen:', .libPaths(), Sys.getenv('PYTHONPATH', NA), '\n')",
    "sys <- reticulate::import('sys')",
    "cat('seen:', sys$executable, unlist(sys$path), 'rekindle' %in% names(sys$modules), '\n')"
  )
  seen <- function(out) grep("^seen:", out, value = TRUE)
  alone <- seen(strsplit(run_r(lines), "\n")[[1]])
  expect_length(alone, 2)
  # Each script is in its own temporary folder.
  expect_identical(seen(quietly(run_with_restarts(script_of(lines)))), alone)
})

test_that("a script that gets no further is given up, with what happened in the error", {
  skip_without_supervisor()
  script <- script_of("stop('never')")
  quietly(error <- expect_error(run_with_restarts(script, backoff = 0), class = "rekindle_gave_up"))
  expect_s3_class(error, "rekindle_error")
  expect_match(conditionMessage(error), "gave up the script after 4 starts", fixed = TRUE)
  expect_match(conditionMessage(error), "3 restarts in a row made no progress", fixed = TRUE)
  expect_identical(error$summary$outcome, "gave_up")
  expect_identical(error$summary$starts$status, rep(1L, 4))
})

test_that("the limit of restarts holds", {
  skip_without_supervisor()
  script <- script_of("stop('never')")
  quietly(error <- expect_error(
    run_with_restarts(script, backoff = 0, max_restarts = 1), class = "rekindle_gave_up"
  ))
  expect_identical(nrow(error$summary$starts), 2L)
})

test_that("a log that cannot be written is an error before anything runs", {
  skip_without_supervisor()
  mark <- withr::local_tempfile()
  script <- script_of("file.create(commandArgs(trailingOnly = TRUE))")
  quietly(expect_error(
    run_with_restarts(script, mark, log = file.path(tempdir(), "none", "log")), class = "rekindle_error"
  ))
  expect_false(file.exists(mark))
})

test_that("a URL is refused before anything runs; a file URL is its path", {
  skip_without_supervisor()
  mark <- withr::local_tempfile()
  script <- script_of("file.create(commandArgs(trailingOnly = TRUE))")
  for (argument in c("backup_dir", "log")) {
    given <- stats::setNames(list(if (argument == "log") "s3://bucket/run" else "hdfs://name/run"), argument)
    cnd <- expect_error(
      do.call(run_with_restarts, c(list(script, mark), given)), "is a URL",
      class = "rekindle_argument"
    )
    expect_identical(cnd$argument, argument)
  }
  expect_false(file.exists(mark))
  log <- withr::local_tempfile()
  quietly(run_with_restarts(script, mark, log = paste0("file://", log)))
  expect_true(file.exists(log))
})

test_that("an interrupt ends the script, and stays one; nothing is left when the session is killed", {
  skip_without_supervisor()
  for (signal in c(tools::SIGINT, tools::SIGKILL)) {
    pid_file <- withr::local_tempfile()
    script <- script_of(
      "writeLines(as.character(Sys.getpid()), commandArgs(trailingOnly = TRUE))",
      "Sys.sleep(600)"
    )
    outer <- script_of(
      "a <- commandArgs(trailingOnly = TRUE)",
      "tryCatch(rekindle::run_with_restarts(a[[1]], a[[2]]), interrupt = function(cnd) cat('interrupted'))"
    )
    session <- processx::process$new(
      file.path(R.home("bin"), "Rscript"), c(outer, script, pid_file),
      env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
      stdout = "|", stderr = NULL
    )
    withr::defer(session$kill())
    within <- function(claim) {
      deadline <- Sys.time() + 600
      while (!claim() && Sys.time() < deadline) Sys.sleep(0.05)
      claim()
    }
    expect_true(within(function() file.exists(pid_file) && length(readLines(pid_file)) == 1))
    pid <- as.integer(readLines(pid_file))
    session$signal(signal)
    expect_true(within(function() !session$is_alive()))
    expect_true(within(function() !tools::pskill(pid, 0L)))
    if (signal == tools::SIGINT) {
      expect_identical(session$read_all_output(), "interrupted")
    }
  }
})
