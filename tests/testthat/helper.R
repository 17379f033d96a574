# The tests use Python only if the machine names one. They never download Python.
skip_without_keras <- function() {
  testthat::skip_if(!nzchar(Sys.getenv("RETICULATE_PYTHON")), "RETICULATE_PYTHON names no Python")
  testthat::skip_if_not(
    reticulate::py_module_available("keras"),
    "the Python of RETICULATE_PYTHON cannot be started, or lacks keras or its backend"
  )
}

skip_without_python <- function() {
  testthat::skip_if(!nzchar(Sys.getenv("RETICULATE_PYTHON")), "RETICULATE_PYTHON names no Python")
  testthat::skip_if_not(
    reticulate::py_available(initialize = TRUE) && reticulate::py_module_available("numpy"),
    "the Python of RETICULATE_PYTHON cannot be started, or lacks numpy"
  )
}

# Runs `code` in a new R process with this library path; returns what it printed, warnings included.
run_r <- function(code, env = character()) {
  testthat::skip_if_not_installed("processx")
  script <- withr::local_tempfile(fileext = ".R")
  writeLines(code, script)
  result <- processx::run(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", script),
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep), env),
    stderr_to_stdout = TRUE,
    error_on_status = FALSE,
    timeout = 600
  )
  result$stdout
}

# Runs a script from the tests' folder. Its arguments are `dir`, a file for its result, and the rest. Returns
# its exit status, its output and its result.
run_script <- function(script, dir, ..., wd = NULL, timeout = 900) {
  # Trainings in separate processes take minutes, and R CMD check must be quick. `make test-r` runs them.
  testthat::skip_on_cran()
  testthat::skip_if_not_installed("processx")
  result <- withr::local_tempfile(fileext = ".rds")
  process <- processx::run(
    file.path(R.home("bin"), "Rscript"),
    c("--vanilla", normalizePath(testthat::test_path(script)), dir, result, ...),
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
    wd = wd,
    stderr_to_stdout = TRUE,
    error_on_status = FALSE,
    timeout = timeout
  )
  list(
    status = process$status,
    output = process$stdout,
    result = if (file.exists(result)) readRDS(result)
  )
}

# Raises in Python the exception that the expression names. It stands for any Python call from R.
py_raise <- function(expression) {
  rekindle_module()
  reticulate::py_run_string(paste0("import rekindle\nraise ", expression))
}

# A model of one dense layer; `units` and the number of `rows` decide its shapes and batches.
tiny_fit <- function(..., epochs = 10L, units = 3L, rows = 5L) {
  keras <- reticulate::import("keras")
  np <- reticulate::import("numpy", convert = FALSE)
  keras$utils$set_random_seed(1L)
  model <- keras$Sequential(list(
    keras$layers$Input(reticulate::tuple(4L)),
    keras$layers$Dense(as.integer(units), name = "dense")
  ))
  model$compile(optimizer = "sgd", loss = "mse")
  history <- model$fit(
    np$ones(c(as.integer(rows), 4L)), np$zeros(c(as.integer(rows), as.integer(units))),
    epochs = epochs, batch_size = 1L, verbose = 0L, callbacks = list(...)
  )
  list(history = history, weights = model$get_weights())
}

# An R callback that raises an R error at the beginning of epoch `at`, counted from 0, or in batch `batch` of
# that epoch.
interrupt_at <- function(at, batch = NULL) {
  now <- NULL
  lambda <- reticulate::import("keras")$callbacks$LambdaCallback
  if (is.null(batch)) {
    return(lambda(on_epoch_begin = function(epoch, logs) if (epoch == at) stop("Interrupting!")))
  }
  lambda(
    on_epoch_begin = function(epoch, logs) now <<- epoch,
    on_train_batch_begin = function(batch_now, logs) {
      if (now == at && batch_now == batch) stop("Interrupting!")
    }
  )
}

interrupted <- function(expr) {
  tryCatch(
    with_python_conditions(expr),
    python.builtin.RuntimeError = function(e) "Interrupted!"
  )
}

# Expects the error about one argument, which it names.
expect_refused <- function(object, argument) {
  cnd <- testthat::expect_error(object, class = "rekindle_argument")
  testthat::expect_s3_class(cnd, "rekindle_error")
  testthat::expect_identical(cnd$argument, argument)
}

# Whether reticulate gives R's functions back when Python calls R with them. Older versions do not.
gives_functions_back <- function() {
  code <- "look = lambda fn, r: r(fn.__closure__[0].cell_contents)"
  look <- reticulate::py_run_string(code, local = TRUE)$look
  isTRUE(look(function() NULL, function(x) is.function(x)))
}
