# Each exported function is the first call of a session here, with a Python that has no rekindle of its own.
# The first function must find the bundled copy, whichever function it is.

first_calls <- c(
  backup_arrays = "nrow(backup_arrays(backup)) > 0",
  backup_delete = "isTRUE(backup_delete(backup, ask = FALSE))",
  backup_export = "identical(backup_export(backup, exported, tiny_model()), exported)",
  backup_history = "inherits(backup_history(backup), 'rekindle_history')",
  backup_info = "identical(nrow(backup_info(backup)$saves), 2L)",
  backup_restore = "inherits(backup_restore(tiny_model(), backup), 'keras.src.models.model.Model')",
  backup_report = "file.exists(backup_report(backup, reported, open = FALSE))",
  backup_verify = "identical(backup_verify(backup)$whole, c(TRUE, TRUE))",
  backup_watch = "is.character(backup_watch(backup))",
  callback_backup_and_restore = "identical(saves_in_fit(callback_backup_and_restore(fresh)), 2L)",
  checkpoint = "identical(checkpoint(step = 1)$step, 1)",
  checkpoint_manager = "is.null(checkpoint_manager(checkpoint(step = 1), fresh, 3)$latest_checkpoint)",
  preemption = "inherits(preemption(), 'rekindle_preemption')",
  latest_checkpoint = "endsWith(latest_checkpoint(backup), 'ckpt-2')",
  r_random_state = "is.function(r_random_state()$take)",
  retention = "inherits(retention(), 'rekindle_retention')",
  run_with_restarts = "identical(run_with_restarts(script)$outcome, 'completed')",
  tolerance = "inherits(tolerance(), 'rekindle_tolerance')",
  save_auto = "inherits(save_auto(), 'rekindle_save_auto')",
  with_python_conditions = "with_python_conditions(reticulate::py_eval('True'))"
)

# Defines the arguments of the first calls: folders, a script, a model, a fit(). This code does not start
# Python.
prelude <- function(backup, fresh) {
  script <- file.path(dirname(fresh), "script.R")
  writeLines("stopifnot(rekindle::backup_info('nowhere')$state == 'missing')", script)
  c(
    "library(rekindle)",
    sprintf("backup <- %s; fresh <- %s; script <- %s", deparse(backup), deparse(fresh), deparse(script)),
    "exported <- paste0(fresh, '.weights.h5'); reported <- paste0(fresh, '.html')",
    "tiny_model <- function() {",
    "  keras <- reticulate::import('keras')",
    "  keras$Sequential(list(",
    "    keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(3L, name = 'dense')",
    "  ))",
    "}",
    "saves_in_fit <- function(backup) {",
    "  force(backup)",
    "  model <- tiny_model()",
    "  model$compile('sgd', 'mse')",
    "  model$fit(matrix(0, 8, 4), matrix(0, 8, 3), epochs = 2L, verbose = 0L, callbacks = list(backup))",
    "  backup$save_report$saves",
    "}",
    "stopifnot(!reticulate::py_available())"
  )
}

# The file of the rekindle that this session's Python has imported, if any.
loaded_from <- "
loaded <- if (reticulate::py_available()) {
  reticulate::py_eval(\"getattr(__import__('sys').modules.get('rekindle'), '__file__', None)\")
}
"

# Start Python outside of R, where it cannot find the bundled copy.
expect_python_without_rekindle <- function() {
  look <- "import importlib.util; print([bool(importlib.util.find_spec(n)) for n in ('numpy', 'rekindle')])"
  found <- processx::run(Sys.getenv("RETICULATE_PYTHON"), c("-c", look), wd = withr::local_tempdir())
  reason <- "The Python of these tests must have no rekindle: uninstall it there, and unset PYTHONPATH."
  testthat::expect_identical(trimws(found$stdout), "[True, False]", info = reason)
}

test_that("every exported function has a test as the first call of a session", {
  expect_setequal(names(first_calls), getNamespaceExports("rekindle"))
})

for (name in names(first_calls)) {
  test_that(paste0(name, "() works as the first call of a session"), {
    skip_on_cran()
    skip_without_keras()
    skip_if(name == "run_with_restarts" && .Platform$OS.type != "unix")
    expect_python_without_rekindle()
    out <- run_r(c(
      prelude(backup_of_run(2L), file.path(withr::local_tempdir(), "fresh")),
      paste("stopifnot(", first_calls[[name]], ")"),
      loaded_from,
      "bundled <- system.file('python', 'rekindle', '__init__.py', package = 'rekindle')",
      "stopifnot(is.null(loaded) || normalizePath(loaded) == normalizePath(bundled))",
      "cat('the first call is done')"
    ))
    expect_match(out, "the first call is done", fixed = TRUE)
  })
}

test_that("only r_door() names a private part of the Python package", {
  functions <- mget(ls(asNamespace("rekindle"), all.names = TRUE), asNamespace("rekindle"), mode = "function",
    ifnotfound = list(NULL)
  )
  reaches <- vapply(functions, function(fn) any(grepl("rekindle_module\\(['\"]_", deparse(fn))), NA)
  expect_identical(names(which(reaches)), "r_door")
})

test_that("only rekindle_module() imports the Python package", {
  functions <- mget(ls(asNamespace("rekindle"), all.names = TRUE), asNamespace("rekindle"), mode = "function",
    ifnotfound = list(NULL)
  )
  imports <- vapply(functions, function(fn) {
    any(grepl("import[a-z_]*\\(([^()]*\\()?['\"]rekindle", deparse(fn)))
  }, NA)
  expect_identical(names(which(imports)), "rekindle_module")
})

test_that("a shell finds the bundled package by PYTHONPATH, as the articles say", {
  skip_on_cran()
  skip_on_os("windows")
  skip_without_keras()
  expect_python_without_rekindle()
  bundled <- "$(Rscript -e 'cat(system.file(\"python\", package = \"rekindle\"))')"
  lines <- c(
    sprintf("export PYTHONPATH=\"%s${PYTHONPATH:+:$PYTHONPATH}\"", bundled),
    "\"$1\" -m rekindle info \"$2\""
  )
  shown <- processx::run(
    "bash",
    c("-c", paste(lines, collapse = "\n"), "shell", Sys.getenv("RETICULATE_PYTHON"), backup_of_run(2L)),
    wd = withr::local_tempdir(),
    env = c(
      "current",
      R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep),
      PATH = paste(R.home("bin"), Sys.getenv("PATH"), sep = .Platform$path.sep)
    )
  )
  expect_match(shown$stdout, "2 checkpoints", fixed = TRUE)
  template <- readLines(system.file("templates", "slurm.sh", package = "rekindle"))
  expect_true(any(grepl(lines[[1]], template, fixed = TRUE)))
})
