test_that("the R class follows from the Python class name", {
  expect_identical(
    rekindle_classes(c("rekindle.ForeignFileError", "rekindle.RekindleError", "python.builtin.RuntimeError")),
    c("rekindle_foreign_file", "rekindle_error")
  )
  expect_identical(rekindle_classes("rekindle.RekindleError"), "rekindle_error")
  expect_null(rekindle_classes(c("python.builtin.OSError", "other.LockError")))
})

test_that("every exception of rekindle becomes a condition with its classes and its message", {
  skip_without_python()
  rekindle_module()
  exceptions <- grep("Error$", unlist(rekindle_module()$`__all__`), value = TRUE)
  expect_true("LockError" %in% exceptions)
  for (name in exceptions) {
    cnd <- expect_error(
      with_python_conditions(py_raise(sprintf("rekindle.%s('what happened')", name))),
      class = "rekindle_error"
    )
    bases <- reticulate::py_eval(sprintf("[c.__name__ for c in __import__('rekindle').%s.__mro__]", name))
    bases <- setdiff(bases, c("object", "BaseException"))
    spelled <- ifelse(bases %in% exceptions, paste0("rekindle.", bases), paste0("python.builtin.", bases))
    expect_true(all(c(rekindle_classes(spelled), spelled, "error", "condition") %in% class(cnd)))
    expect_identical(class(cnd)[[1]], rekindle_classes(spelled)[[1]])
    expect_identical(conditionMessage(cnd), "what happened")
  }
})

test_that("the attributes of an exception are the fields of its condition", {
  skip_without_python()
  rekindle_module()
  cnd <- tryCatch(
    with_python_conditions(py_raise(
      "rekindle.LockError('held', directory='/d', host='h', pid=7, started=1.5)"
    )),
    rekindle_lock = identity
  )
  expect_identical(cnd$directory, "/d")
  expect_identical(cnd$host, "h")
  expect_identical(cnd[["pid"]], 7L)
  expect_identical(cnd$started, 1.5)
  expect_null(cnd$nothing)
  expect_identical(cnd$message, "held")

  cnd <- tryCatch(
    with_python_conditions(py_raise("rekindle.SaveError('full', errno=28, free=0)")),
    rekindle_save = identity
  )
  expect_identical(cnd$errno, 28L)
})

test_that("the call is the user's, or none; never one inside the bridge", {
  skip_without_python()
  rekindle_module()
  raised <- function(...) {
    tryCatch(convert_exceptions(py_raise("rekindle.DamageError('x')"), ...), error = conditionCall)
  }
  expect_null(raised())
  mine <- function() raised(call = rlang::current_env())
  expect_identical(mine(), quote(mine()))
})

test_that("the traceback is kept, and the Python object", {
  skip_without_python()
  rekindle_module()
  cnd <- tryCatch(with_python_conditions(py_raise("rekindle.DamageError('x')")), error = identity)
  expect_match(cnd$traceback, "Traceback (most recent call last)", fixed = TRUE)
  expect_match(cnd$traceback, "rekindle.DamageError: x", fixed = TRUE)
  expect_s3_class(cnd$exception, "rekindle.DamageError")
})
