test_that("backup_dir must be a single path", {
  for (bad in list("", NA_character_, c("a", "b"), 1, NULL)) {
    expect_error(backup_info(bad), class = "rekindle_argument")
  }
  expect_snapshot(error = TRUE, {
    backup_info()
    backup_info(1)
  })
})

test_that("a backup is told with number, place, time, age, size and metrics of each save", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  before <- fingerprint(dir)
  info <- backup_info(dir)
  expect_identical(fingerprint(dir), before)
  expect_s3_class(info, "rekindle_backup_info")
  expect_identical(info$state, "whole")
  expect_false(info$held)
  expect_null(info$holder)

  saves <- as.data.frame(info)
  expect_identical(saves$name, c("ckpt-2", "ckpt-3"))
  expect_identical(saves$number, c(2, 3))
  expect_identical(saves$epoch, c(2, 3))
  expect_identical(saves$batch, c(0, 0))
  expect_identical(saves$step, c(10, 15))
  expect_lt(as.numeric(difftime(Sys.time(), saves$time[[2]], units = "secs")), 3600)
  expect_identical(units(saves$age), "secs")
  expect_true(all(saves$age >= 0 & saves$age < 3600))
  expect_true(all(saves$whole))
  expect_identical(saves$damage, c(NA_character_, NA))
  expect_gt(saves$loss[[1]], saves$loss[[2]])
  expect_gt(info$size, sum(saves$size))
  files <- list.files(dir, all.files = TRUE, no.. = TRUE, full.names = TRUE)
  expect_identical(sum(file.size(files)), info$size)
})

test_that("it prints what there is", {
  skip_without_keras()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L)
  dir <- backup_of_run(3L)
  lines <- format(backup_info(dir))
  expect_output(print(backup_info(dir)), "ckpt-3", fixed = TRUE)
  expect_match(lines[[1]], "2 checkpoints", fixed = TRUE)
  steady_lines <- steady(lines, dir)
  expect_snapshot(writeLines(sub("whole .*", "whole <metrics>", steady_lines)))
})

test_that("a damaged save is told apart, and then the one before it is next", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  flip_last_bit(dir, "ckpt-3.json")
  info <- backup_info(dir)
  expect_identical(info$state, "damaged")
  saves <- as.data.frame(info)
  damaged <- saves[saves$name == "ckpt-3", ]
  expect_false(damaged$whole)
  expect_match(damaged$damage, "digest")
  expect_identical(damaged$epoch, NA_real_)
  expect_match(format(info), "The next run resumes from ckpt-2.", fixed = TRUE, all = FALSE)

  flip_last_bit(dir, "ckpt-2.json")
  info <- backup_info(dir)
  expect_identical(info$state, "lost")
  expect_match(format(info), "No checkpoint is whole", fixed = TRUE, all = FALSE)
})

test_that("missing, empty and foreign folders, and those of keras3, say so", {
  skip_without_python()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L)
  dir <- withr::local_tempdir()
  expect_said <- function(dir, state, text) {
    info <- backup_info(dir)
    expect_identical(info$state, state)
    expect_match(format(info), text, fixed = TRUE, all = FALSE)
    expect_identical(dim(as.data.frame(info)), c(0L, 11L))
  }
  expect_said(file.path(dir, "none"), "missing", "There is no folder")
  expect_said(dir, "empty", "i There is no checkpoint.")
  writeLines("mine", file.path(dir, "notes.txt"))
  expect_said(dir, "foreign", "Files that rekindle did not write: notes.txt.")
  writeLines("{}", file.path(dir, "training_metadata.json"))
  writeLines("x", file.path(dir, "latest.weights.h5"))
  expect_said(dir, "foreign", "a backup by the callback of keras3")
  expect_true(backup_info(dir)$of_keras)
})

test_that("a backup by the callback of keras is named", {
  skip_without_python()
  dir <- withr::local_tempdir()
  dir.create(file.path(dir, "chief"))
  for (name in c("ckpt-5.index", "ckpt-5.data-00000-of-00001")) writeLines("x", file.path(dir, "chief", name))
  info <- backup_info(dir)
  expect_true(info$of_keras_2)
  expect_false(info$of_keras)
  expect_match(format(info), "a backup by the callback of keras (Keras 2)", fixed = TRUE, all = FALSE)
})

test_that("numbers past R's integers come whole", {
  skip_without_python()
  rekindle_module()
  reticulate::py_run_string("import rekindle.inspection as _i; _big = _i.Check('a', 1, 5 * 10**9, None)")
  expect_identical(as_r_list(reticulate::py_eval("_big", convert = FALSE))$bytes, 5e9)
})

test_that("of a run on another machine it cannot be told whether it goes on", {
  skip_without_keras()
  dir <- backup_of_run(1L)
  lock <- file.path(dir, ".lock")
  text <- sub('"host": "[^"]*"', '"host": "elsewhere"', readLines(lock))
  writeLines(formatC(trimws(text), width = -511, flag = " "), lock)
  info <- backup_info(dir)
  expect_identical(info$held, NA)
  expect_identical(info$holder$host, "elsewhere")
  expect_match(
    format(info), "whether a run has locked the folder. The last one was process",
    fixed = TRUE, all = FALSE
  )
})

test_that("what was seen since the run resumed is said", {
  line <- function(...) cli::ansi_strip(evidence_line(list(...)))
  expect_null(evidence_line(NULL))
  expect_match(
    line(number = 4L, evidence = "verified", batches = 12L, losses = 1L, epochs = 0L),
    "from checkpoint 4: 12 batches and 1 loss equal those of the interrupted run."
  )
  expect_match(
    line(number = 4, evidence = "verified", batches = 2L, losses = 2L, epochs = 1L),
    "2 batches, 2 losses and 1 epoch equal"
  )
  expect_match(line(evidence = "unverified"), "keras3's own callback: the interrupted run left nothing")
  expect_match(line(number = 4L, evidence = "changed"), "the set-up was changed")
  expect_match(line(number = 4L, evidence = "differs"), "^! .*differs from what the interrupted run saw")
  expect_match(line(number = 4L, evidence = list("x"), batches = "9"), "nothing is known|nothing equal")
})

test_that("looking needs no Keras", {
  skip_without_python()
  out <- run_r(c(
    "reticulate::py_run_string(\"import sys; sys.modules['keras'] = None\")",
    "print(rekindle::backup_info(tempdir()))"
  ))
  expect_match(out, "There is no checkpoint", fixed = TRUE)
})

test_that("metrics that are no numbers, or missing in a save, are shown as what they are", {
  saves <- list(
    list(name = "a-1", number = 1, size = 10, metrics = list(loss = NaN, epoch = "x")),
    list(name = "a-2", number = 2, size = 10, metrics = list(loss = 0.5, best = TRUE))
  )
  frame <- saves_frame(saves, Sys.time())
  expect_identical(frame$loss, c(NaN, 0.5))
  expect_identical(frame$epoch.1, c("x", NA))
  expect_identical(frame$best, c(NA, TRUE))
  shown <- saves_table(frame)
  expect_match(shown[[3]], "NaN +x +-$")
  expect_match(shown[[4]], "0.5 +- +TRUE$")
})

test_that("a run in another process is seen, by its process, while it goes on, and is not disturbed", {
  skip_without_keras()
  skip_on_os(c("windows", "mac", "solaris")) # no way to see which process holds a file
  run <- running_backup()
  info <- backup_info(run$dir)
  expect_true(info$held)
  expect_false(info$is_here)
  expect_identical(info$holder$pid, as.numeric(run$process$get_pid()))
  holder <- paste("A run has locked the folder: process", info$holder$pid)
  expect_match(format(info), holder, fixed = TRUE, all = FALSE)
  expect_identical(info$state, "whole")

  # Use all inspection functions, over several saves.
  seen <- character()
  deadline <- Sys.time() + 600
  while (length(unique(seen)) <= 2 && Sys.time() < deadline) {
    seen <- c(seen, backup_info(run$dir)$saves$name)
    expect_true(all(backup_verify(run$dir)$whole))
    history <- as.data.frame(backup_history(run$dir))
    expect_identical(history$epoch, seq_len(nrow(history)))
    kernel <- backup_arrays(run$dir, values = "model/sequential/dense/kernel")[[1]]
    expect_identical(dim(kernel), c(4L, 3L))
    Sys.sleep(0.25)
  }
  expect_gt(length(unique(seen)), 2)
  expect_error(backup_delete(run$dir, ask = FALSE), class = "rekindle_lock")
  expect_true(run$process$is_alive())

  run$process$kill()
  info <- backup_info(run$dir)
  expect_false(info$held)
  expect_identical(info$state, "whole")
  expect_true(suppressMessages(backup_delete(run$dir, ask = FALSE)))
})

test_that("how often the run saves is told", {
  skip_without_keras()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L)
  dir <- file.path(withr::local_tempdir(), "backup")
  often <- callback_backup_and_restore(dir, as.difftime(1e-6, units = "secs"), delete_checkpoint = FALSE)
  tiny_fit(often, epochs = 1L)
  info <- backup_info(dir)
  expect_identical(info$schedule, list(save_freq = "time", interval = 1e-6))
  expect_true("i The run saves every 0.001 ms." %in% format(info))

  expect_null(backup_info(backup_of_run(1L))$schedule)

  auto <- file.path(withr::local_tempdir(), "backup")
  tiny_fit(
    # The second save uses the cost of the first. The bound is so small that the second save is far away.
    callback_backup_and_restore(
      auto, save_auto(max_overhead = 1e-6, mean_time_between_failures = "1 h"),
      delete_checkpoint = FALSE
    ),
    epochs = 2L
  )
  info <- backup_info(auto)
  expect_identical(info$schedule$save_freq, "auto")
  expect_identical(info$schedule$mean_time_between_failures, 3600)
  expect_true(any(grepl("^i The run was still measuring how much a save costs", format(info))))
})

test_that("an interval that was chosen is told with what it was chosen from", {
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L)
  chosen <- list(
    save_freq = "auto", interval = 3.274603, reason = "max_overhead", stall = 0.1, interference = 0.004,
    step = 0.01
  )
  expect_identical(
    schedule_line(chosen),
    paste(
      "i The run saves every 3.27 s, as often as the limit on the overhead allows: a save stalls training",
      "for 0.1 s and slows the steps after it by 4 ms in total; a step takes 0.01 s."
    )
  )
  # Values from a forged checkpoint.
  expect_identical(schedule_line(list(interval = 600, reason = "whim")), "i The run saves every 10 min.")
  expect_match(schedule_line(list(interval = "often")), "was still measuring")
})
