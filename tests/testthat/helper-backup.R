# Makes a backup of `epochs` epochs, as fit() leaves it. Returns the folder.
backup_of_run <- function(epochs = 3L, ..., env = parent.frame()) {
  dir <- file.path(withr::local_tempdir(.local_envir = env), "backup")
  tiny_fit( # nolint: object_usage_linter. It is in helper.R.
    callback_backup_and_restore(dir, double_checkpoint = TRUE, delete_checkpoint = FALSE, ...),
    epochs = epochs
  )
  dir
}

flip_last_bit <- function(...) {
  path <- file.path(...)
  bytes <- readBin(path, "raw", file.size(path))
  bytes[[length(bytes)]] <- xor(bytes[[length(bytes)]], as.raw(1))
  writeBin(bytes, path)
}

# The bytes and times of every file. An inspection must not change them.
fingerprint <- function(dir) {
  files <- list.files(dir, all.files = TRUE, no.. = TRUE, full.names = TRUE)
  list(tools::md5sum(files), file.mtime(files))
}

# Starts a run in another R process. It trains one epoch every half second until it is killed.
running_backup <- function(env = parent.frame()) {
  testthat::skip_on_cran()
  testthat::skip_if_not_installed("processx")
  dir <- file.path(withr::local_tempdir(.local_envir = env), "backup")
  process <- processx::process$new(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", testthat::test_path("running.R"), dir),
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
    stdout = "|", stderr = "2>&1"
  )
  withr::defer(process$kill(), envir = env)
  deadline <- Sys.time() + 600
  # Wait for the second checkpoint or a later one: a run removes a checkpoint as soon as the next one exists,
  # so this loop may miss some.
  later <- "^ckpt-([2-9]|[1-9][0-9]+)[.]json$"
  while (!length(list.files(dir, later)) && Sys.time() < deadline && process$is_alive()) Sys.sleep(0.1)
  testthat::expect_true(process$is_alive(), info = process$read_output())
  list(dir = dir, process = process)
}

# Replaces paths, times and process ids by words, because they differ from run to run.
steady <- function(lines, dir) {
  lines <- gsub(dir, "<dir>", lines, fixed = TRUE)
  lines <- gsub("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}", "<time>", lines)
  lines <- gsub("[0-9.]+ (k?B|bytes)", "<size>", lines)
  gsub(" +", " ", gsub("[0-9]+ seconds?", "<age>", lines))
}
