# Passes an R function to Python, which wraps it and calls it.
through_python <- function(f) {
  reticulate::py_eval("lambda f: f()")(f)
}

raised_by <- function(f) {
  tryCatch(with_python_conditions(through_python(f)), error = identity)
}

# All fields of a condition except its call and rlang's trace, which names the frames that raised it.
held <- function(cnd) {
  fields <- unclass(cnd)
  fields[setdiff(names(fields), c("trace", "call"))]
}

test_that("an error of stop() comes back as it was thrown", {
  skip_without_python()
  cnd <- raised_by(function() stop("no such table: ", 7))
  expect_s3_class(cnd, "simpleError")
  expect_identical(conditionMessage(cnd), "no such table: 7")
  expect_identical(names(unclass(cnd)), c("message", "call"))
  expect_null(conditionCall(raised_by(function() stop("no such table", call. = FALSE))))
})

test_that("a condition of one's own comes back with its classes and every field", {
  skip_without_python()
  thrown <- structure(
    class = c("my_error", "error", "condition"),
    list(message = "m", call = quote(f(x)), n = 1:3, data = mtcars, nothing = NULL, fun = mean)
  )
  cnd <- raised_by(function() stop(thrown))
  expect_s3_class(cnd, "my_error")
  expect_identical(unclass(cnd), unclass(thrown))
  expect_identical(cnd$n, 1:3)
  expect_identical(cnd[["data"]], mtcars)
  expect_null(cnd$nothing)
})

test_that("an error of rlang::abort() comes back with its classes, its fields and its parents", {
  skip_without_python()
  root <- rlang::catch_cnd(rlang::abort("root", class = "the_root", depth = 2))
  cause <- rlang::catch_cnd(rlang::abort("cause", class = "the_cause", parent = root))
  abort_here <- function() {
    rlang::abort(c("outcome", i = "hint"), class = "the_outcome", table = "t", parent = cause)
  }
  cnd <- raised_by(abort_here)
  thrown <- rlang::catch_cnd(abort_here())
  expect_s3_class(cnd, c("the_outcome", "rlang_error"), exact = FALSE)
  expect_identical(held(cnd)[sort(names(held(cnd)))], held(thrown)[sort(names(held(thrown)))])
  expect_identical(cnd$table, "t")
  expect_identical(cnd$parent, cause)
  expect_identical(cnd$parent$parent$depth, 2)
  expect_identical(conditionMessage(cnd), conditionMessage(thrown))
  expect_s3_class(cnd$trace, "rlang_trace")
})

test_that("a handler takes it by its own class, by \"error\", and by that of the Python exception", {
  skip_without_python()
  wrapped <- function() {
    with_python_conditions(through_python(function() rlang::abort("no", class = "mine")))
  }
  expect_identical(tryCatch(wrapped(), mine = function(e) "mine"), "mine")
  expect_identical(tryCatch(wrapped(), error = function(e) class(e)[[1]]), "mine")
  expect_identical(tryCatch(wrapped(), python.builtin.RuntimeError = function(e) class(e)[[1]]), "mine")
  classes <- class(tryCatch(wrapped(), error = identity))
  expect_identical(
    classes,
    c("mine", "rlang_error", "python.builtin.RuntimeError", "python.builtin.Exception", "error", "condition")
  )
})

test_that("it comes back through several layers of R and Python", {
  skip_without_python()
  cnd <- raised_by(function() through_python(function() rlang::abort("deep", class = "deep", n = 1)))
  expect_s3_class(cnd, "deep")
  expect_identical(cnd$n, 1)
})

test_that("an error that was dealt with on the way is not brought back", {
  skip_without_python()
  expect_identical(
    with_python_conditions(through_python(function() tryCatch(stop("inside"), error = function(e) "well"))),
    "well"
  )
  caught_in_python <- reticulate::py_run_string("
def caught_in_python(f):
    try:
        f()
    except RuntimeError:
        raise KeyError('mine')
")$caught_in_python
  cnd <- tryCatch(
    with_python_conditions(caught_in_python(function() rlang::abort("inside", class = "inner"))),
    error = identity
  )
  expect_s3_class(cnd, "python.builtin.KeyError")
  expect_false(inherits(cnd, "inner"))
})

test_that("an interrupt in an R callback comes out as an interrupt", {
  skip_without_python()
  caught <- tryCatch(
    with_python_conditions(through_python(function() rlang::interrupt())),
    error = function(e) "error",
    interrupt = function(e) "interrupt"
  )
  expect_identical(caught, "interrupt")
  expect_identical(through_python(function() 7), 7)
})

test_that("reticulate is as it was afterwards, also after an error", {
  skip_without_python()
  calls <- "safe_do_call"
  skip_if_not(exists(calls, asNamespace("reticulate"), inherits = FALSE), "reticulate is older than 1.29")
  before <- get(calls, asNamespace("reticulate"))
  raised_by(function() stop("x"))
  with_python_conditions(with_python_conditions(1))
  expect_identical(get(calls, asNamespace("reticulate")), before)
  expect_false(the$is_remembering)
  expect_null(the$r_condition)
})

# --- in fit() -------------------------------------------------------------------------------------------

test_that("an error in a LambdaCallback given R functions comes out of fit(), and the run resumes", {
  skip_without_keras()
  dir <- withr::local_tempdir()
  fails <- reticulate::import("keras")$callbacks$LambdaCallback(
    on_epoch_begin = function(epoch, logs) {
      if (epoch == 4) rlang::abort("metric store is gone", class = "store_error", table = "runs")
    }
  )
  cnd <- tryCatch(
    with_python_conditions(tiny_fit(callback_backup_and_restore(dir), fails)),
    store_error = identity
  )
  expect_s3_class(cnd, "store_error")
  expect_identical(cnd$table, "runs")

  resumed <- callback_backup_and_restore(dir)
  tiny_fit(resumed)
  expect_identical(resumed$resume_report$epoch, 4L)
})

test_that("an error in a callback class written with PyClass() comes out of fit()", {
  skip_without_keras()
  fails <- reticulate::PyClass(
    "Fails",
    list(on_epoch_begin = function(self, epoch, logs = NULL) rlang::abort("no", class = "mine", n = 2)),
    reticulate::import("keras")$callbacks$Callback
  )
  cnd <- tryCatch(with_python_conditions(tiny_fit(fails())), mine = identity)
  expect_identical(cnd$n, 2)
})

test_that("errors in callbacks of keras3 come out of its fit()", {
  skip_if_not_installed("keras3")
  skip_without_keras()
  dir <- withr::local_tempdir()
  model <- keras3::keras_model_sequential(input_shape = 4) |> keras3::layer_dense(1)
  keras3::compile(model, "sgd", "mse")
  fit <- function(...) {
    keras3::fit(
      model, matrix(1, 4, 4), matrix(0, 4, 1),
      epochs = 3, verbose = 0, callbacks = list(callback_backup_and_restore(dir), ...)
    )
  }
  fail <- function(epoch, logs = NULL) if (epoch == 2) rlang::abort("no", class = "mine", n = 2)
  callbacks <- list(
    keras3::callback_lambda(on_epoch_begin = fail),
    keras3::Callback("Fails", on_epoch_begin = fail)()
  )
  for (callback in callbacks) {
    cnd <- tryCatch(with_python_conditions(fit(callback)), mine = identity)
    expect_s3_class(cnd, "mine")
    expect_identical(cnd$n, 2)
    # Without the wrapper, keras3 users see the fields, which reticulate copies, but not the class.
    bare <- tryCatch(fit(callback), error = identity)
    expect_s3_class(bare, "python.builtin.RuntimeError")
    expect_identical(bare$n, 2)
  }
})
