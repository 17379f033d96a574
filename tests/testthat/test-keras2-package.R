# The package keras, which is Keras 2. Each of its scripts has an R process of its own: loading it decides for
# a whole process which Keras TensorFlow has.
# Loading keras would set TF_USE_LEGACY_KERAS for this process and its children.
skip_without_package_keras <- function() {
  testthat::skip_if(!nzchar(system.file(package = "keras")), "keras is not installed")
}

skip_without_keras2_package <- function() {
  skip_without_keras() # nolint: object_usage_linter. It is in helper.R.
  skip_without_package_keras()
  testthat::skip_if(utils::packageVersion("keras") < "2.16", "keras is older than 2.16")
  testthat::skip_if_not(reticulate::py_module_available("tf_keras"), "this Python lacks tf_keras")
}

run_keras2 <- function(dir, kill_at = c(-2, 0), callback = "rekindle") {
  run_script("keras2.R", dir, kill_at, callback) # nolint: object_usage_linter. It is in helper.R.
}

# A script that begins like one of a user, and prints.
run_with_keras2 <- function(..., packages = c("keras", "rekindle"), env = character()) {
  testthat::skip_on_cran()
  start <- c(
    sprintf("suppressPackageStartupMessages(library(%s))", packages),
    "model_of <- function(units = 1) {",
    "  tensorflow::set_random_seed(7L)",
    "  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3) |> layer_dense(units)",
    "  model |> compile('sgd', 'mse')",
    "  model",
    "}",
    "x <- matrix(1:80 / 80, 20); y <- x[, 1]",
    "run <- function(callback, ..., epochs = 3, model = model_of()) {",
    "  callbacks <- list(..., callback)",
    "  h <- model |> fit(x, y, batch_size = 4, epochs = epochs, verbose = 0, callbacks = callbacks)",
    "  list(weights = get_weights(model), metrics = h$metrics)",
    "}",
    "stop_at <- function(at) {",
    "  callback_lambda(on_epoch_begin = function(epoch, logs) if (epoch == at) stop('power cut'))",
    "}"
  )
  run_r(c(start, ...), env) # nolint: object_usage_linter. It is in helper.R.
}

test_that("a script killed by SIGKILL through keras::fit() ends as the one never killed", {
  skip_without_keras2_package()
  skip_on_os("windows") # it has no signals
  undisturbed <- run_keras2(withr::local_tempdir())
  expect_identical(undisturbed$status, 0L, info = undisturbed$output)
  expect_null(undisturbed$result$resumed)
  expect_length(undisturbed$result$run$metrics$loss, 6)
  expect_identical(undisturbed$result$run$seen$epochs, 0:5)
  expect_false(undisturbed$result$keras_3)

  # 9 batches in an epoch: the checkpoints are after batch 5, 10, 15, 20 ... of the run.
  dir <- withr::local_tempdir()
  expect_identical(run_keras2(dir, c(1, -1))$status, -9L)
  expect_identical(run_keras2(dir, c(3, 6))$status, -9L)
  resumed <- run_keras2(dir)
  expect_identical(resumed$status, 0L, info = resumed$output)
  place <- resumed$result$resumed[c("epoch", "batch", "exact")]
  expect_identical(place, list(epoch = 3L, batch = 3L, exact = TRUE))
  expect_no_match(resumed$output, "InexactWarning", fixed = TRUE)
  expect_identical(resumed$result$run, undisturbed$result$run)
})

test_that("a folder that the callback of keras left is continued, and a damaged one is refused", {
  skip_without_keras2_package()
  skip_on_os("windows")
  dir <- withr::local_tempdir()
  expect_identical(run_keras2(dir, c(3, 4), "keras")$status, -9L)
  expect_true(file.exists(file.path(dir, "chief", "checkpoint")))
  damaged <- withr::local_tempdir()
  file.copy(file.path(dir, "chief"), damaged, recursive = TRUE)
  data <- list.files(file.path(damaged, "chief"), "data-00000", full.names = TRUE)
  for (path in data) flip_last_bit(path)

  resumed <- run_keras2(dir)
  expect_identical(resumed$status, 0L, info = resumed$output)
  place <- resumed$result$resumed[c("epoch", "batch", "exact")]
  expect_identical(place, list(epoch = 3L, batch = 0L, exact = FALSE))
  expect_match(resumed$output, "Resuming from the backup of keras's own callback in", fixed = TRUE)
  expect_match(resumed$output, "at epoch 4", fixed = TRUE)

  refused <- run_keras2(damaged)
  expect_identical(refused$status, 1L)
  expect_match(refused$output, "that is not whole", fixed = TRUE)
})

test_that("the example of Keras' help runs, with the epochs that are left", {
  skip_without_keras2_package()
  output <- run_with_keras2(
    "dir <- tempfile()",
    "fit_it <- function(...) {",
    "  run(callback_backup_and_restore(dir, restore_history = FALSE), ..., epochs = 10)",
    "}",
    "tryCatch(with_python_conditions(fit_it(stop_at(4))),",
    "  error = function(e) cat('interrupted:', conditionMessage(e), '\n'))",
    "cat('saved', backup_history(dir)$epoch, '\n')",
    "result <- fit_it(stop_at(-1))",
    "cat('epochs', length(result$metrics$loss), 'left', dir.exists(dir), '\n')",
    "never <- run(callback_backup_and_restore(tempfile()), stop_at(-1), epochs = 10)",
    "cat('identical', identical(never$weights, result$weights), '\n')"
  )
  expect_match(output, "interrupted: power cut", fixed = TRUE)
  expect_match(output, "epochs 6 left FALSE", fixed = TRUE)
  expect_match(output, "identical TRUE", fixed = TRUE)
})

test_that("backups of keras can be looked at, restored and deleted, without Keras 3", {
  skip_without_keras2_package()
  output <- run_with_keras2(
    "dir <- tempfile()",
    "trained <- run(callback_backup_and_restore(dir, delete_checkpoint = FALSE))",
    "cat('info', nrow(backup_info(dir)$saves), '\n')",
    "cat('history', nrow(as.data.frame(backup_history(dir))), '\n')",
    "cat('verified', all(backup_verify(dir)$whole), '\n')",
    "cat('arrays', 'model/layer_with_weights-0/kernel' %in% backup_arrays(dir)$name, '\n')",
    "model <- model_of(); set_weights(model, lapply(get_weights(model), function(w) w + 1))",
    "backup_restore(model, dir)",
    "cat('restored', identical(get_weights(model), trained$weights), '\n')",
    "e <- tryCatch(backup_restore(model_of(2), dir), rekindle_mismatch = identity)",
    "cat('other model', class(e)[[1]], '\n')",
    "cat('keras 3', 'keras' %in% names(reticulate::import('sys')$modules), '\n')",
    "backup_delete(dir, ask = FALSE)",
    "cat('left', dir.exists(dir), '\n')"
  )
  expect_match(output, "info 1 \nhistory 3", fixed = TRUE)
  expect_no_match(output, "overwritten by 'keras3'", fixed = TRUE)
  expect_match(output, "restored TRUE", fixed = TRUE)
  expect_match(output, "other model rekindle_mismatch", fixed = TRUE)
  expect_match(output, "verified TRUE", fixed = TRUE)
  expect_match(output, "arrays TRUE", fixed = TRUE)
  expect_match(output, "keras 3 FALSE", fixed = TRUE)
  expect_match(output, "left FALSE", fixed = TRUE)
})

test_that("errors of keras::fit() have R classes, and R callbacks their own conditions", {
  skip_without_keras2_package()
  output <- run_with_keras2(
    "dir <- tempfile()",
    "run(callback_backup_and_restore(dir, delete_checkpoint = FALSE))",
    "caught <- function(expr) class(tryCatch(with_python_conditions(expr), error = identity))[[1]]",
    "cat('mismatch', caught(run(callback_backup_and_restore(dir), model = model_of(2))), '\n')",
    "two <- list(callback_backup_and_restore(dir), callback_backup_and_restore(tempfile()))",
    "cat('twice', caught(run(two[[1]], two[[2]])), '\n')",
    "own <- callback_lambda(on_epoch_end = function(epoch, logs) {",
    "  rlang::abort('mine', class = 'my_condition')",
    "})",
    "cat('own', caught(run(callback_backup_and_restore(tempfile()), own)), '\n')",
    "cat('again', length(run(callback_backup_and_restore(dir), epochs = 4)$metrics$loss), '\n')"
  )
  expect_match(output, "mismatch rekindle_mismatch", fixed = TRUE)
  expect_match(output, "twice rekindle_argument", fixed = TRUE)
  expect_match(output, "own my_condition", fixed = TRUE)
  expect_match(output, "again 4", fixed = TRUE)
})

test_that("a script changed from keras to keras3 is told what its folder is, and the other way round", {
  skip_without_keras2_package()
  skip_if_not_installed("keras3")
  dir <- withr::local_tempdir()
  folders <- file.path(dir, c("theirs", "ours", "theirs3", "ours3"))
  train <- function(package, refused, left, theirs) {
    other <- if (package == "keras") "keras::" else "keras3::"
    run_with_keras2(
      sprintf("for (dir in c(%s)) {", paste(encodeString(refused, quote = "'"), collapse = ", ")),
      "  backup <- rekindle::callback_backup_and_restore(dir)",
      "  e <- tryCatch(with_python_conditions(run(backup)), error = identity)",
      "  cat(class(e)[[1]], conditionMessage(e), '\n')",
      "}",
      sprintf("theirs <- %scallback_backup_and_restore(%s)", other, deparse(theirs)),
      "try(run(theirs, stop_at(2)), silent = TRUE)",
      sprintf("run(rekindle::callback_backup_and_restore(%s, delete_checkpoint = FALSE))", deparse(left)),
      "cat('done\n')",
      packages = c(package, "rekindle")
    )
  }
  first <- train("keras", character(), folders[[2]], folders[[1]])
  expect_match(first, "done", fixed = TRUE)
  before <- fingerprint(file.path(folders[[1]], "chief"))
  second <- train("keras3", folders[1:2], folders[[4]], folders[[3]])
  expect_match(second, "rekindle_mismatch The BackupAndRestore of Keras 2", fixed = TRUE)
  expect_match(second, "found Keras 2 (tf_keras; keras in R) in the backup", fixed = TRUE)
  expect_match(second, "done", fixed = TRUE)
  expect_identical(fingerprint(file.path(folders[[1]], "chief")), before)
  third <- train("keras", folders[3:4], withr::local_tempfile(), withr::local_tempfile())
  expect_match(third, "is of a backup by the callback of Keras 3 (R: keras3)", fixed = TRUE)
  expect_match(third, "found Keras 3 (keras; keras3 in R) in the backup", fixed = TRUE)
})

test_that("attached before or after keras, which function the name means is said once", {
  skip_without_package_keras()
  said <- function(...) {
    lines <- strsplit(run_r(c(sprintf("library(%s)", c(...)), "library(rekindle)")), "\n")[[1]]
    grep("callback_backup_and_restore()` is now the function of", lines, fixed = TRUE, value = TRUE)
  }
  expect_match(said("keras"), "now the function of rekindle, which was attached last", fixed = TRUE)
  expect_match(said("rekindle", "keras"), "now the function of keras, which was attached last", fixed = TRUE)
})

test_that("loaded too late for Keras 2, the callback serves the model of Keras 3 that fit() has", {
  skip_without_keras2_package()
  output <- run_with_keras2(
    "tf <- reticulate::import('tensorflow')",
    "stopifnot(startsWith(tf$keras$`__version__`, '3'))",
    "loadNamespace('keras')",
    "model <- tf$keras$Sequential(list(tf$keras$layers$Dense(1L)))",
    "model$compile('sgd', 'mse')",
    "callback <- callback_backup_and_restore(tempfile(), delete_checkpoint = FALSE)",
    "h <- model$fit(x, matrix(y), epochs = 3L, verbose = 0L, callbacks = list(callback))",
    "cat('saves', callback$save_report$saves, '\n')",
    packages = "rekindle",
    env = c(KERAS_BACKEND = "tensorflow")
  )
  expect_match(output, "saves 3", fixed = TRUE)
})
