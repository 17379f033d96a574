test_that("the R and the Python package have one version", {
  lines <- readLines(system.file("python/rekindle/_base/version.py", package = "rekindle"))
  version <- sub('^__version__ = "(.*)"$', "\\1", grep("^__version__", lines, value = TRUE))
  expect_identical(version, as.character(utils::packageVersion("rekindle")))
})

test_that("what R declares to need from pip is what pyproject.toml says", {
  pyproject <- test_path("../../pyproject.toml")
  skip_if_not(file.exists(pyproject), "pyproject.toml is only in the source checkout")
  lines <- paste(readLines(pyproject), collapse = "\n")
  for (requirement in c(python_requirements, object_store_requirement)) {
    expect_match(lines, paste0('"', requirement, '"'), fixed = TRUE)
  }
})

test_that("loading the package starts no Python", {
  skip_without_python()
  out <- run_r("library(rekindle); cat('started:', reticulate::py_available(), '\n')")
  expect_match(out, "started: FALSE", fixed = TRUE)
})

try_to_make <- "
tryCatch(
  rekindle::callback_backup_and_restore('d'),
  error = function(e) cat(class(e), conditionMessage(e), sep = '\n')
)"

test_that("without Python there is one error that says what to install", {
  out <- run_r(try_to_make, env = c(RETICULATE_PYTHON = "/nowhere/python"))
  expect_match(out, "rekindle_dependency\nrekindle_error", fixed = TRUE)
  expect_match(out, "No Python can be started.", fixed = TRUE)
  expect_match(out, "Install Python 3.10 or newer, with keras", fixed = TRUE)
})

test_that("without keras there is one error that says what to install", {
  skip_without_python()
  hide <- "reticulate::py_run_string(\"import sys; sys.modules['keras'] = sys.modules['tf_keras'] = None\")"
  out <- run_r(c(hide, try_to_make))
  expect_match(out, "rekindle_dependency\nrekindle_error\nrekindle.DependencyError", fixed = TRUE)
  expect_match(out, "[Kk]eras")
  expect_match(out, "install", fixed = TRUE)
})

test_that("a missing package that rekindle needs gives an error that says what to install", {
  skip_without_python()
  hide <- "reticulate::py_run_string(\"import sys; sys.modules['xxhash'] = None\")"
  out <- run_r(c(hide, try_to_make))
  expect_match(out, "rekindle_dependency\nrekindle_error", fixed = TRUE)
  expect_match(out, "xxhash", fixed = TRUE)
})

test_that("another version of the Python package that was imported earlier is named once", {
  skip_without_python()
  out <- run_r(c(
    "other <- file.path(tempfile(), 'rekindle')",
    "dir.create(other, recursive = TRUE)",
    "writeLines('__version__ = \"9.9.9\"', file.path(other, '__init__.py'))",
    "invisible(reticulate::import_from_path('rekindle', dirname(other)))",
    "for (i in 1:2) invisible(withCallingHandlers(rekindle:::rekindle_module(), warning = function(w) {",
    "  cat('warned:', class(w)[[1]], conditionMessage(w), '\n')",
    "  invokeRestart('muffleWarning')",
    "}))"
  ))
  expect_length(gregexpr("warned: rekindle_other_copy", out, fixed = TRUE)[[1]], 1)
  expect_match(out, "rekindle 9.9.9", fixed = TRUE)
})
