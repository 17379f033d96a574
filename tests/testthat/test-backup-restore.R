a_model <- function(units = 3L, built = TRUE) {
  keras <- reticulate::import("keras")
  layers <- list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(units, name = "dense"))
  keras$Sequential(if (built) layers else layers[-1])
}

test_that("model must be one of Keras", {
  for (bad in list(1, NULL, "model", list())) {
    expect_error(backup_restore(bad, "d"), class = "rekindle_argument")
  }
  expect_snapshot(error = TRUE, {
    backup_restore(1, "d")
    backup_restore()
  })
  skip_without_keras()
  expect_error(backup_restore(reticulate::py_eval("[]", convert = FALSE), withr::local_tempdir()),
    class = "rekindle_argument"
  )
})

test_that("the weights of a run come into a model made again", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  trained <- tiny_fit(callback_backup_and_restore(dir, delete_checkpoint = FALSE))
  before <- fingerprint(dir)
  model <- a_model()
  expect_identical(withVisible(backup_restore(model, dir))$visible, FALSE)
  expect_identical(model$get_weights(), trained$weights)
  expect_identical(fingerprint(dir), before)
})

test_that("an older save can be taken", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  newest <- backup_restore(a_model(), dir)$get_weights()
  expect_identical(backup_restore(a_model(), dir, 3)$get_weights(), newest)
  expect_false(identical(backup_restore(a_model(), dir, "ckpt-2")$get_weights(), newest))
})

test_that("another model is refused with the differences, and stays as it is", {
  skip_without_keras()
  dir <- backup_of_run(2L)
  model <- a_model(units = 5L)
  before <- model$get_weights()
  cnd <- expect_error(backup_restore(model, dir), class = "rekindle_mismatch")
  expect_length(cnd$differences, 2)
  expect_match(cnd$differences[[1]], "expected float32 (4, 5), found float32 (4, 3)", fixed = TRUE)
  expect_identical(model$get_weights(), before)
  expect_error(backup_restore(a_model(built = FALSE), dir), class = "rekindle_mismatch")
})

test_that("a damaged newest save falls back to the one before", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  second <- backup_restore(a_model(), dir, 2)$get_weights()
  third <- backup_restore(a_model(), dir, 3)$get_weights()
  flip_last_bit(dir, "ckpt-3.safetensors")
  expect_identical(backup_restore(a_model(), dir)$get_weights(), second)

  # The changed byte does not belong to the weights.
  expect_identical(backup_restore(a_model(), dir, 3)$get_weights(), third)
  flip_last_bit(dir, "ckpt-3.json")
  expect_error(backup_restore(a_model(), dir, 3), class = "rekindle_damage")
})
