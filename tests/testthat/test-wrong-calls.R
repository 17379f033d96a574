# The calls are in wrong-calls.R, and their messages in _snaps/wrong-calls/.

# What an R user sees of a failed call, without paths of this machine.
told <- function(cnd, folder) {
  call <- conditionCall(cnd)
  # At top level, `$` has no calling function. Here, it has eval().
  from <- if (is.call(call) && !identical(call[[1]], quote(eval))) paste0(" in ", deparse(call[[1]]), "()")
  lines <- c(
    paste0("  <", class(cnd)[[1]], "> Error", from, ":"),
    paste0("  ", strsplit(conditionMessage(cnd), "\n")[[1]])
  )
  gsub(folder, "<dir>", lines, fixed = TRUE)
}

# Evaluates each call in `path`. Returns the calls and their messages. A line with "# " begins a heading.
wrong_calls <- function(path, env, folder) {
  calls <- parse(path, keep.source = TRUE)
  unlist(Map(function(call, source) {
    cnd <- tryCatch(
      {
        eval(call, env)
        stop("This call is not refused.")
      },
      error = identity
    )
    c(paste0("> ", as.character(source)), told(cnd, folder), "")
  }, calls, attr(calls, "srcref")))
}

# A time as lubridate makes it: a number of seconds with an S4 class.
lubridate_like <- function(env = parent.frame()) {
  period <- methods::setClass("Period", contains = "numeric", slots = c(minute = "numeric"), where = env)
  function(n) period(60 * n, minute = n)
}

scratch_folder <- function(env = parent.frame()) {
  folder <- normalizePath(withr::local_tempdir(.local_envir = env), winslash = "/")
  withr::local_dir(folder, .local_envir = env)
  writeLines("", "file.txt")
  dir.create("empty")
  folder
}

snapshot_lines <- function(lines, name) {
  path <- withr::local_tempfile(fileext = ".txt")
  writeLines(enc2utf8(lines), path, useBytes = TRUE)
  testthat::expect_snapshot_file(path, name, compare = testthat::compare_file_text)
}

test_that("each wrong call gets one message that says what is accepted", {
  skip_on_os(c("windows", "mac", "solaris")) # They have no /proc.
  skip_without_python()
  path <- normalizePath(test_path("wrong-calls.R"))
  folder <- scratch_folder()
  env <- new.env(parent = environment())
  env$minutes <- lubridate_like()
  env$ckpt <- checkpoint(step = 1L, weights = c(1, 2))
  env$manager <- checkpoint_manager(env$ckpt, "ckpts", max_to_keep = 3)
  env$manager$save()
  lines <- wrong_calls(path, env, folder)
  env$manager$close()
  expect_false(any(grepl("This call is not refused", lines)))
  # Python's names and spelling have no place in R's messages.
  expect_no_match(lines, "rekindle[.]|\\bNone\\b|\\bTrue\\b|\\bFalse\\b|Received:|<class|RuntimeError")
  expect_gt(sum(startsWith(lines, "> ")), 100)
  snapshot_lines(lines, "messages.txt")
})

test_that("a folder that cannot be made, and a function of the user that fails, are named in fit(), too", {
  skip_on_os(c("windows", "mac", "solaris"))
  skip_without_keras()
  folder <- scratch_folder()
  fit <- function(dir, take = function() 1, put = function(value) NULL, ...) {
    backup <- callback_backup_and_restore(
      dir,
      delete_checkpoint = FALSE, extra_state = list(log = list(take = take, put = put))
    )
    with_python_conditions(tiny_fit(backup, ...))
    backup
  }
  expect_error(fit("/proc/run"), "'/proc/run' cannot be opened: no file or folder can be made there")

  # A function that fails while a run goes on costs only its own state.
  calls <- 0
  closes <- function() {
    calls <<- calls + 1
    if (calls > 1) stop("the log is closed")
    1
  }
  told <- cli::ansi_strip(utils::capture.output(invisible(fit("run", closes, epochs = 1L)), type = "message"))
  expect_match(told, "extra_state['log'] cannot be saved", fixed = TRUE, all = FALSE)
  expect_match(told, "`extra_state$log$take()` failed: the log is closed", fixed = TRUE, all = FALSE)
  expect_no_match(told, "RuntimeError|state_dict")

  fit("run2", epochs = 1L)
  cnd <- expect_error(
    fit("run2", put = function(value) stop("the log is full"), epochs = 2L),
    class = "rekindle_mismatch"
  )
  expect_match(conditionMessage(cnd), "`extra_state$log$put()` failed: the log is full", fixed = TRUE)
  expect_no_match(conditionMessage(cnd), "RuntimeError|ExternalState")
})
