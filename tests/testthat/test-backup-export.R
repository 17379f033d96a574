test_that("the arguments are checked", {
  for (bad in list(1, NULL, NA_character_, c("a.weights.h5", "b.weights.h5"), "", "net.h5", "net.json")) {
    expect_refused(backup_export("d", bad), "file")
  }
  for (bad in list(1, NULL, "model")) {
    expect_refused(backup_export("d", "net.weights.h5", bad), "model")
  }
  expect_refused(backup_export("d", "net.variables.json", 1), "model")
  expect_refused(backup_export("d", "net.variables.json", force = NA), "force")
  expect_refused(backup_export("d", "net.variables.json", which = -1), "which")
  expect_snapshot(error = TRUE, {
    backup_export("d", "net.h5")
    backup_export("d", "net.weights.h5")
    backup_export("d", "net.variables.json", 1)
    backup_export("d", "net.variables.json", NULL, "latest", TRUE)
  })
})

test_that("keras loads the file", {
  skip_without_keras()
  dir <- withr::local_tempfile()
  trained <- tiny_fit(callback_backup_and_restore(dir, delete_checkpoint = FALSE))
  before <- fingerprint(dir)
  file <- withr::local_tempfile(fileext = ".weights.h5")
  keras <- reticulate::import("keras")
  a_model <- function() {
    keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(3L, name = "dense")))
  }
  expect_identical(withVisible(backup_export(dir, file, a_model())), list(value = file, visible = FALSE))
  model <- a_model()
  model$load_weights(file)
  expect_identical(model$get_weights(), trained$weights)
  expect_identical(fingerprint(dir), before)

  expect_error(backup_export(dir, file, a_model()), class = "rekindle_foreign_file")
  backup_export(dir, file, a_model(), force = TRUE)
})

test_that("a checkpoint that is not of Synalinks gives no variables", {
  skip_without_keras()
  dir <- backup_of_run(1L)
  file <- withr::local_tempfile(fileext = ".variables.json")
  expect_error(backup_export(dir, file), "not of a program", class = "rekindle_mismatch")
  expect_false(file.exists(file))
  expect_error(backup_export(withr::local_tempdir(), file), class = "rekindle_restore")
})
