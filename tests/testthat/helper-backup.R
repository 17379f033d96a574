# A backup of `epochs` epochs, as fit() leaves it; gives the folder.
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

# Every file's bytes and times: what a look must not change.
fingerprint <- function(dir) {
  files <- list.files(dir, all.files = TRUE, no.. = TRUE, full.names = TRUE)
  list(tools::md5sum(files), file.mtime(files))
}

# A run in another R process, which trains until it is killed, one epoch every half second.
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
  # The second save or a later one: each goes as soon as the next is there, and may not be seen.
  later <- "^ckpt-([2-9]|[1-9][0-9]+)[.]json$"
  while (!length(list.files(dir, later)) && Sys.time() < deadline && process$is_alive()) Sys.sleep(0.1)
  testthat::expect_true(process$is_alive(), info = process$read_output())
  list(dir = dir, process = process)
}

# Paths, times and process ids, which differ from run to run, as words.
steady <- function(lines, dir) {
  lines <- gsub(dir, "<dir>", lines, fixed = TRUE)
  lines <- gsub("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}", "<time>", lines)
  lines <- gsub("[0-9.]+ (k?B|bytes)", "<size>", lines)
  gsub(" +", " ", gsub("[0-9]+ seconds?", "<age>", lines))
}
