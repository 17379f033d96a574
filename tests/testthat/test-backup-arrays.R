test_that("values must be TRUE, FALSE or names", {
  for (bad in list(NULL, NA, 1, character(), NA_character_, list("a"))) {
    expect_error(backup_arrays("d", values = bad), class = "rekindle_argument")
  }
  expect_error(backup_arrays("d", "latest", TRUE), class = "rekindle_argument")
  expect_snapshot(error = TRUE, backup_arrays("d", values = 1))
})

test_that("names, types, shapes and sizes are listed, and values come as R arrays", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  trained <- tiny_fit(callback_backup_and_restore(dir, delete_checkpoint = FALSE))
  arrays <- backup_arrays(dir)
  kernel <- which(arrays$name == "model/sequential/dense/kernel")
  expect_identical(arrays$type[[kernel]], "float32")
  expect_identical(arrays$shape[[kernel]], c(4L, 3L))
  expect_identical(arrays$bytes[[kernel]], 48)
  scalar <- which(arrays$name == "optimizer/sgd/iteration")
  expect_identical(arrays$shape[[scalar]], integer())

  values <- backup_arrays(dir, values = c("optimizer/sgd/iteration", "model/sequential/dense/kernel"))
  expect_named(values, c("optimizer/sgd/iteration", "model/sequential/dense/kernel"))
  expect_equal(as.vector(values[[1]]), 50)
  expect_identical(values[[2]], trained$weights[[1]])
  expect_named(backup_arrays(dir, values = TRUE), arrays$name)
})

test_that("a name that is none is an error", {
  skip_without_keras()
  cnd <- expect_error(backup_arrays(backup_of_run(1L), values = "none"), class = "rekindle_argument")
  expect_match(conditionMessage(cnd), "has no array 'none'")
})

test_that("types that R does not have come as doubles", {
  skip_without_python()
  arrays <- reticulate::py_eval(
    "{'a': __import__('numpy').ones((2, 3), __import__('ml_dtypes').bfloat16)}",
    convert = FALSE
  )
  expect_identical(r_door()$as_convertible(arrays)$a, matrix(1, 2, 3))
})
