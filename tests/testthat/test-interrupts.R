# Sessions in a pseudo-terminal, and a script. Each receives a real SIGINT in the middle of fit().

skip_without_terminal <- function() {
  testthat::skip_on_cran()
  testthat::skip_on_os("windows")
  testthat::skip_if_not_installed("processx")
}

session_env <- function(dir, time_spent_in, saves = "epoch") {
  c(
    "current",
    R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep),
    INTERRUPTIBLE_DIR = dir,
    INTERRUPTIBLE_IN = time_spent_in,
    INTERRUPTIBLE_SAVES = saves,
    TERM = "dumb"
  )
}

# Starts R as people use it in a terminal, with the training loaded. The tests read each part of its output
# only once.
terminal_r <- function(..., frame = parent.frame()) {
  session <- processx::process$new(
    file.path(R.home("bin"), "R"),
    # readline discards input that arrives before its prompt.
    c("--vanilla", "--quiet", "--interactive", "--no-readline"),
    pty = TRUE,
    env = session_env(...)
  )
  withr::defer(session$kill(), envir = frame)
  printed <- ""
  wait_for <- function(text, seconds = 600) {
    end <- Sys.time() + seconds
    repeat {
      session$poll_io(200)
      printed <<- gsub("\r", "", paste0(printed, session$read_output()), fixed = TRUE)
      at <- regexpr(text, printed, fixed = TRUE)
      if (at > 0) {
        before <- substr(printed, 1, at - 1)
        printed <<- substr(printed, at + nchar(text), nchar(printed))
        return(before)
      }
      if (Sys.time() > end || !session$is_alive()) {
        stop("The session did not print \"", text, "\", but: ", printed)
      }
    }
  }
  # The terminal echoes the input. So a typed line must not contain the text that it prints.
  type <- function(line) session$write_input(paste0(line, "\n"))
  type(sprintf("source(%s); cat('rea', 'dy\\n', sep = '')", deparse(normalizePath("interruptible.R"))))
  wait_for("ready")
  list(process = session, type = type, wait_for = wait_for)
}

press_ctrl_c <- function(session) session$process$write_input("\003")
send_sigint <- function(session) tools::pskill(session$process$get_pid(), tools::SIGINT)

# If the user's callbacks include an R function, reticulate 1.46 loses a few interrupts in a thousand. A
# person then presses again.
presses <- 4

# Interrupts the session. The session must report the interrupt and stay usable.
expect_interruptible <- function(session, press, says = NULL, at_most = presses) {
  for (attempt in seq_len(at_most)) {
    press(session)
    answer <- paste("still here", attempt)
    session$type(sprintf("cat('still', 'here', %d, '\\n')", attempt))
    heard <- tryCatch(session$wait_for(answer, if (attempt < at_most) 20 else 600), error = identity)
    if (!inherits(heard, "error")) break
  }
  testthat::expect_type(heard, "character")
  if (!is.null(says)) testthat::expect_match(heard, says, fixed = TRUE)
}

expect_whole <- function(session) {
  session$type("verify()")
  said <- session$wait_for("verified")
  testthat::expect_match(said, "saves 1 of them damaged 0", fixed = TRUE)
}

interrupts <- list("Ctrl-C in the terminal" = press_ctrl_c, "a SIGINT to the session" = send_sigint)
for (name in names(interrupts)) {
  for (time_spent_in in c("python", "r")) {
    title <- sprintf("%s while %s runs ends fit() at once; the next one resumes", name, time_spent_in)
    test_that(title, {
      skip_without_terminal()
      skip_without_keras()
      session <- terminal_r(withr::local_tempdir(), time_spent_in)
      session$type("train(slow_from = 3L)")
      session$wait_for("now in epoch 3")
      Sys.sleep(0.3)
      expect_interruptible(session, interrupts[[name]])
      expect_whole(session)
      session$type("train()")
      said <- session$wait_for("complete after epochs 6")
      expect_match(said, "Resuming at epoch 4 (saved", fixed = TRUE)
      expect_false(grepl("now in epoch 2", said, fixed = TRUE))
    })
  }
}

test_that("each interrupt in the midst of saving ends fit() and leaves a whole save", {
  skip_without_terminal()
  skip_without_keras()
  session <- terminal_r(withr::local_tempdir(), "python", saves = "batch")
  for (pause in c(0.21, 0.34, 0.47, 0.08, 0.55, 0.02, 0.13, 0.29, 0.61, 0.05)) {
    session$type("train(epochs = 5000L)")
    # The first epoch is long, and there is a checkpoint only after it.
    for (epoch in 1:3) session$wait_for("now in epoch")
    Sys.sleep(pause)
    expect_interruptible(session, press_ctrl_c, at_most = 1)
    expect_whole(session)
  }
})

test_that("an R function of ours that Python calls is not cut off by an interrupt, which Python then gets", {
  testthat::skip_on_cran()
  testthat::skip_on_os("windows")
  skip_without_keras()
  show_messages()
  ended <- 0
  interrupted_in <- uninterrupted(for_python(function() {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    # R checks for interrupts from time to time while it evaluates code.
    for (i in 1:1e5) sqrt(i)
    ended <<- ended + 1
  }))
  # The KeyboardInterrupt must reach R. Otherwise reticulate 1.28 would turn the next error into an interrupt.
  python <- reticulate::py_run_string("
import time
def call_and_go_on(function):
    function()
    for _ in range(500):
        time.sleep(0.01)
", local = TRUE)
  for (attempt in 1:20) {
    outcome <- tryCatch(python$call_and_go_on(interrupted_in), interrupt = function(cnd) "interrupted")
    expect_identical(outcome, "interrupted")
    expect_identical(ended, as.numeric(attempt))
  }
})

test_that("an interrupt is not lost where Python lets no exception go further", {
  testthat::skip_on_cran()
  testthat::skip_on_os("windows")
  skip_without_keras()
  show_messages()
  python <- reticulate::import_from_path("ignoring", normalizePath("."))
  for (place in c("in_a_destructor", "in_a_finalizer", "in_the_garbage_collector")) {
    for (attempt in 1:3) {
      outcome <- tryCatch(python$go_on_after(python[[place]]), interrupt = function(cnd) "interrupted")
      expect_identical(outcome, "interrupted", info = place)
    }
  }
})

test_that("with_python_conditions() lets an interrupt be caught as one", {
  skip_without_terminal()
  skip_without_keras()
  for (time_spent_in in c("python", "r")) {
    session <- terminal_r(withr::local_tempdir(), time_spent_in)
    session$type(paste(
      "tryCatch(rekindle::with_python_conditions(train(slow_from = 1L)),",
      "interrupt = function(e) cat('caught', 'an interrupt\\n'), error = function(e) cat('an', 'error\\n'))"
    ))
    session$wait_for("now in epoch 1")
    Sys.sleep(0.3)
    expect_interruptible(session, press_ctrl_c, says = "caught an interrupt")
  }
})

test_that("Rscript ends by a SIGINT, and the script run again resumes", {
  skip_without_terminal()
  skip_without_keras()
  dir <- withr::local_tempdir()
  script <- withr::local_tempfile(fileext = ".R")
  start <- function(call) {
    source_it <- sprintf("source(%s)", deparse(normalizePath("interruptible.R")))
    writeLines(c(source_it, call, "cat('the end\\n')"), script)
    processx::process$new(
      file.path(R.home("bin"), "Rscript"), c("--vanilla", script),
      env = session_env(dir, "python"), stdout = "|", stderr = "2>&1"
    )
  }
  first <- start("train(slow_from = 3L)")
  withr::defer(first$kill())
  printed <- ""
  end <- Sys.time() + 600
  while (!grepl("now in epoch 3", printed) && Sys.time() < end) {
    first$poll_io(200)
    printed <- paste0(printed, first$read_output())
  }
  Sys.sleep(0.3)
  for (attempt in seq_len(presses)) {
    first$interrupt()
    first$wait(if (attempt < presses) 20000 else 600000)
    if (!first$is_alive()) break
  }
  expect_false(first$is_alive())
  expect_false(grepl("the end", paste0(printed, first$read_output()), fixed = TRUE))

  second <- start("train()")
  withr::defer(second$kill())
  second$wait(600000)
  printed <- second$read_all_output()
  expect_match(printed, "Resuming at epoch 4 (saved", fixed = TRUE)
  expect_match(printed, "complete after epochs 6", fixed = TRUE)
})
