test_that("fit() of Keras 2 is resumed exactly, by the same function", {
  skip_on_cran()
  skip_without_keras()
  skip_if_not(reticulate::py_module_available("tf_keras"), "this Python lacks tf_keras")
  printed <- run_r(c(
    paste0("setwd(", deparse(withr::local_tempdir()), ")"),
    'tf_keras <- reticulate::import("tf_keras")',
    "train <- function(dir, die = -1L) {",
    "  tf_keras$utils$set_random_seed(7L)",
    "  layers <- tf_keras$layers",
    "  model <- tf_keras$Sequential(list(layers$Dense(4L), layers$Dropout(0.5), layers$Dense(1L)))",
    '  model$compile("adam", "mse")',
    "  backup <- rekindle::callback_backup_and_restore(dir, save_freq = 2)",
    "  power_cut <- tf_keras$callbacks$LambdaCallback(",
    '    on_epoch_begin = function(epoch, logs) if (epoch == die) stop("power cut")',
    "  )",
    "  history <- model$fit(",
    "    matrix(1:60 / 60, 20), matrix(1:20 / 20), epochs = 3L, batch_size = 4L, verbose = 0L,",
    "    callbacks = list(power_cut, backup)",
    "  )",
    "  list(result = list(model$get_weights(), history$history), report = backup$resume_report)",
    "}",
    'never <- train("never")',
    'try(train("killed", 1L), silent = TRUE)',
    'killed <- train("killed")',
    'cat("resumed at", killed$report$epoch, killed$report$batch, killed$report$exact, "")',
    'cat("identical:", identical(never$result, killed$result))'
  ))
  expect_match(printed, "resumed at 0 4 TRUE identical: TRUE")
})
