evil <- "a\u001b[2Jb\nc\rd\u009b1me\u202ef\u2028{stop('run')}"
shown <- "a\\x1b[2Jb\\nc\\rd\\x9b1me\\u202ef\\u2028{stop('run')}"

expect_harmless <- function(lines) {
  testthat::expect_false(any(grepl(unprintable, cli::ansi_strip(lines), perl = TRUE)))
}

test_that("what would not print as itself is escaped, and nothing else", {
  letters <- c("gr\u00f6\u00dfer \u65e5", "{a} 'b' \\", "")
  expect_identical(printable(c(evil, NA, letters)), c(shown, NA, letters))
  expect_identical(printable(character()), character())
  expect_identical(printable("a\xffb"), "a<ff>b")
  expect_identical(
    all_printable(list(a = 1, `b\n` = list("\033", NULL))),
    list(a = 1, `b\\n` = list("\\x1b", NULL))
  )
})

# A folder in which metrics of a checkpoint and other files have such names.
evil_backup <- function(env = parent.frame()) {
  dir <- file.path(withr::local_tempdir(.local_envir = env), "b\033[2J{stop('run')}")
  reticulate::py_run_string(paste(
    "import numpy, os",
    "from rekindle._format.manifest import Position",
    "from rekindle._format.snapshot import Snapshot",
    "from rekindle._repository.repository import Repository",
    "from rekindle._storage.resolve import resolve",
    "def evil_backup(directory, name):",
    "    folder = Repository(resolve(directory), '1.2.3')",
    "    for last in ('\\ud800', '\\0'):",
    "        metrics = {name + last: [1.0, 2.0]}",
    "        state = {'history': {'epoch': [0, 1], 'metrics': metrics}, 'metadata': {name + last: name}}",
    "        folder.commit(Snapshot({name + last: numpy.zeros(1)}, state, Position(1, 2, 0)))",
    "    folder.close()",
    "    open(os.path.join(directory, 'x\\x1b[2J{stop(1)}.json'), 'w').close()",
    sep = "\n"
  ))
  reticulate::py$evil_backup(dir, evil)
  dir
}

test_that("what is printed of a folder is letters, and no code", {
  skip_without_python()
  rekindle_module("inspection")
  dir <- evil_backup()
  info <- backup_info(dir)
  expect_harmless(format(info))
  expect_match(format(info), shown, fixed = TRUE, all = FALSE)
  expect_harmless(capture.output(print(info)))
  expect_harmless(capture.output(print(backup_history(dir))))
  expect_harmless(capture.output(print(as.data.frame(info))))
  expect_identical(names(as.data.frame(info)), names(info$saves))
  expect_harmless(capture.output(print(backup_verify(dir))))
  expect_harmless(capture.output(print(backup_arrays(dir))))
  expect_length(backup_arrays(dir, values = TRUE), 1)
  deletion <- list(removed = "x", kept = list(evil))
  expect_harmless(capture.output(tell_deletion(deletion, info), type = "message"))
  expect_harmless(capture.output(backup_delete(dir, ask = FALSE), type = "message"))
  expect_harmless(format(backup_info(dir)))
  expect_harmless(format(backup_info(file.path(dir, evil))))
})

test_that("errors that name what is in a folder are letters", {
  skip_without_python()
  rekindle_module("inspection")
  dir <- evil_backup()
  cnd <- expect_error(backup_history(dir, paste0(evil, "-1")), class = "rekindle_error")
  expect_harmless(gsub("\n", " ", conditionMessage(cnd)))
  reticulate::py_run_string("import rekindle")
  bad <- quote(py_raise("rekindle.DamageError('a\\x1b{x}\\ud800', directory='d\\x1b', damages=['\\ud800'])"))
  cnd <- expect_error(convert_exceptions(eval(bad)), class = "rekindle_damage")
  expect_harmless(conditionMessage(cnd))
})
