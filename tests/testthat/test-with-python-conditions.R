test_that("a value passes through", {
  expect_identical(with_python_conditions(1 + 1), 2)
})

test_that("an R error passes through as it is", {
  cnd <- tryCatch(with_python_conditions(rlang::abort("no", class = "mine", field = 1)), mine = identity)
  expect_identical(cnd$field, 1)
})

test_that("a Python error can be caught by the class of it or of its parents", {
  skip_without_python()
  expect_error(with_python_conditions(py_raise("KeyError('a')")), class = "python.builtin.KeyError")
  expect_error(with_python_conditions(py_raise("KeyError('a')")), class = "python.builtin.LookupError")
  expect_error(with_python_conditions(py_raise("KeyError('a')")), class = "python.builtin.Exception")
})

test_that("the message is Python's, without a word of the bridge", {
  skip_without_python()
  cnd <- tryCatch(with_python_conditions(py_raise("RuntimeError('one\\ntwo')")), error = identity)
  expect_identical(conditionMessage(cnd), "RuntimeError: one\ntwo")
})

test_that("wrapping twice changes nothing", {
  skip_without_python()
  once <- tryCatch(with_python_conditions(py_raise("ValueError('x')")), error = identity)
  twice <- tryCatch(
    with_python_conditions(with_python_conditions(py_raise("ValueError('x')"))),
    error = identity
  )
  expect_identical(class(twice), class(once))
  expect_identical(conditionMessage(twice), conditionMessage(once))
})

test_that("an older Python error is not taken for a newer R error", {
  skip_without_python()
  try(py_raise("ValueError('x')"), silent = TRUE)
  cnd <- tryCatch(with_python_conditions(stop("ValueError in R")), error = identity)
  expect_identical(class(cnd), class(simpleError("")))
})
