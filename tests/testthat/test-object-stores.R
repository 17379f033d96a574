# Everything that a failed call shows, and all that it keeps for later.
shown_of <- function(cnd) {
  c(
    conditionMessage(cnd), format(conditionCall(cnd)), utils::capture.output(print(cnd)), cnd$traceback,
    utils::capture.output(utils::str(unclass(cnd), give.attr = FALSE)), format(cnd$trace)
  )
}

saved_text <- function(object) {
  file <- withr::local_tempfile()
  saveRDS(object, file, compress = FALSE)
  bytes <- readBin(file, "raw", file.size(file))
  rawToChar(bytes[bytes != 0])
}

test_that("storage_options is NULL or a named list of settings, and its values are never shown", {
  for (good in list(NULL, list(), list(endpoint = "a", max = 3, allow_http = TRUE), c(endpoint = "a"))) {
    expect_null(check_storage_options(good))
  }
  secret <- "rekindle-secret-value"
  bad <- list(
    secret, c(secret, secret), c(a = secret, a = secret), list(secret), list(a = secret, secret),
    list(a = c(secret, secret)), list(a = list(secret)), list(a = NA_character_), list(a = NULL),
    list(a = mean), factor(secret), data.frame(a = secret), 8241, TRUE, mean, list(a = 8241i)
  )
  for (value in bad) {
    cnd <- expect_error(
      callback_backup_and_restore("s3://bucket/run", storage_options = value),
      class = "rekindle_argument"
    )
    expect_identical(cnd$argument, "storage_options")
    expect_null(cnd$value)
    expect_no_match(shown_of(cnd), "rekindle-secret|8241")
  }
})

test_that("settings go to Python as strings, and TRUE as itself", {
  expect_null(as_python_storage_options(NULL))
  expect_null(as_python_storage_options(list()))
  expect_identical(
    as_python_storage_options(list(max = 100000, share = 0.5, allow_http = TRUE, endpoint = "http://a")),
    list(max = "100000", share = "0.5", allow_http = TRUE, endpoint = "http://a")
  )
  expect_identical(as_python_storage_options(c(a = "b")), list(a = "b"))
})

test_that("every function that takes a place takes its settings, last", {
  takes <- Filter(function(name) {
    any(c("backup_dir", "directory") %in% names(formals(getExportedValue("rekindle", name))))
  }, getNamespaceExports("rekindle"))
  expect_length(takes, 13)
  for (name in setdiff(takes, "run_with_restarts")) {
    arguments <- formals(getExportedValue("rekindle", name))
    expect_identical(names(arguments)[[length(arguments)]], "storage_options", info = name)
    expect_true("..." %in% names(arguments), info = name)
  }
})

test_that("a call in an error, and in its backtrace, has no settings, also in an uncaught error", {
  expect_identical(
    without_settings(quote(f(g("a", storage_options = list(key = "b")), x[, 1], storage = "c"))),
    quote(f(g("a", storage_options = ...), x[, 1], storage = ...))
  )
  outer <- function(...) backup_info("hdfs:///x", ...)
  cnd <- expect_error(outer(storage_options = list(key = store_secret, 1)), class = "rekindle_argument")
  expect_no_match(shown_of(cnd), store_secret, fixed = TRUE)
  out <- run_r(sprintf(
    "f <- function() rekindle::backup_info('s3://b/x', storage_options = list('k', a = \"%s\"))\nf()",
    store_secret
  ))
  expect_match(out, "must have a name of its own", fixed = TRUE)
  expect_no_match(out, store_secret, fixed = TRUE)
})

test_that("no local path is made of a URL", {
  urls <- c("s3://b/x", "S3:/b", "s3a://b", "gs://b", "az://c", "abfss://c@h/x", "memory://a")
  expect_true(all(is_object_url(urls)))
  expect_false(any(is_object_url(c("/s3://b", "s3", "hdfs://x", "file:///a", "C:/a", "s3:b"))))
  withr::local_options(cli.hyperlink = TRUE, cli.num_colors = 256L)
  expect_no_match(place_text("s3://bucket/run"), "file:", fixed = TRUE)
})

test_that("every form of a URL has one spelling", {
  skip_without_python()
  expect_identical(places(c("s3:/bucket/x", "gs://bucket/run/")), c("s3://bucket/x", "gs://bucket/run"))
})

test_that("without obstore there is one error that says how R installs it", {
  skip_without_python()
  hide <- "reticulate::py_run_string(\"import sys; sys.modules['obstore'] = None\")"
  out <- run_r(c(hide, "
    tryCatch(
      rekindle::backup_info('s3://bucket/run'),
      error = function(e) cat(class(e)[1:3], conditionMessage(e), sep = '\n')
    )"))
  expect_match(out, "rekindle_dependency\nrekindle_error\nrekindle.DependencyError", fixed = TRUE)
  expect_match(out, "'s3://bucket/run' is in an object store", fixed = TRUE)
  expect_match(out, "reticulate::py_install(\"obstore\", pip = TRUE)", fixed = TRUE)
  expect_no_match(out, "python -m pip")
})

test_that("reticulate is asked for obstore once, at the first URL of an object store", {
  out <- run_r("
    library(rekindle)
    tell <- function(packages) cat('asked for', packages, reticulate::py_available(), '\n')
    utils::assignInNamespace('declare_requirements', tell, 'rekindle')
    for (place in c('/nowhere/run', 's3://bucket/run', 'gs://bucket/run')) {
      cat(place, '\n')
      try(backup_info(place, storage_options = list(credential_provider = TRUE)), silent = TRUE)
    }
  ", env = c(RETICULATE_PYTHON = "/nowhere/python"))
  shown <- c("/nowhere/run", "s3://bucket/run", "asked for obstore>=0.12 FALSE", "gs://bucket/run")
  expect_match(out, paste(shown, collapse = " \n"), fixed = TRUE)
  expect_length(gregexpr("asked for", out, fixed = TRUE)[[1]], 1)
})

test_that("a script killed by SIGKILL resumes from S3, with variables that it set after Python began", {
  skip_without_keras()
  skip_on_os("windows") # it has no signals
  endpoint <- s3_server()
  run <- function(url, epoch) {
    run_script("to-object-store.R", url, endpoint, store_key, store_secret, epoch)
  }
  undisturbed <- run("s3://rekindle-tests/undisturbed", 0)
  expect_identical(undisturbed$status, 0L, info = undisturbed$output)
  expect_identical(run("s3://rekindle-tests/run7", 4)$status, -9L)
  expect_true(any(startsWith(names(objects_in(endpoint)), "run7/ckpt-")))
  resumed <- run("s3://rekindle-tests/run7", 0)
  expect_identical(resumed$status, 0L, info = resumed$output)
  expect_match(resumed$output, "Resuming at epoch", fixed = TRUE)
  expect_identical(resumed$result$resumed$evidence, "verified")
  expect_identical(resumed$result$weights, undisturbed$result$weights)
  expect_identical(resumed$result$loss, undisturbed$result$loss)
  # Training was complete.
  expect_length(objects_in(endpoint), 0)
  expect_no_match(c(undisturbed$output, resumed$output), store_secret, fixed = TRUE)
})

test_that("the functions that look into a backup take a URL and its settings", {
  skip_without_keras()
  endpoint <- s3_server()
  options <- store_options(endpoint)
  url <- "s3://rekindle-tests/runs/a"
  backup <- callback_backup_and_restore(url, delete_checkpoint = FALSE, storage_options = options)
  fitted <- tiny_fit(backup, epochs = 3L)

  info <- backup_info(url, storage_options = options)
  expect_identical(info$directory, url)
  expect_identical(info$state, "whole")
  expect_false(info$held)
  expect_match(format(info), url, fixed = TRUE, all = FALSE)
  expect_match(format(info), "No run has locked this place.", fixed = TRUE, all = FALSE)
  expect_identical(nrow(as.data.frame(backup_history(url, storage_options = options))), 3L)
  expect_identical(backup_verify(url, storage_options = options)$whole, TRUE)
  array <- backup_arrays(url, storage_options = options)$name[[1]]
  expect_named(backup_arrays(url, values = array, storage_options = options), array)
  expect_message(state <- backup_watch(url, storage_options = options), "has finished")
  expect_identical(state, "finished")
  file <- withr::local_tempfile(fileext = ".html")
  backup_report(url, file, open = FALSE, storage_options = options)
  page <- paste(readLines(file), collapse = "\n")
  expect_match(page, url, fixed = TRUE)

  # Nothing that is shown or saved has the secret.
  texts <- c(
    page, unlist(objects_in(endpoint)), saved_text(backup), saved_text(info), format(info),
    utils::capture.output(print(backup), str(backup), print(info)), reticulate::py_repr(backup)
  )
  expect_no_match(texts, store_secret, fixed = TRUE, useBytes = TRUE)

  expect_message(backup_delete(url, ask = FALSE, storage_options = options), url, fixed = TRUE)
  expect_length(objects_in(endpoint), 0)
  expect_identical(
    format(backup_info(url, storage_options = options)),
    paste0("There is no backup at ", place_text(url), ".")
  )
})

test_that("weights of a backup in an object store come into a model, and into a file", {
  skip_without_keras()
  endpoint <- s3_server()
  withr::local_envvar(store_variables(endpoint))
  url <- "s3:/rekindle-tests/run8"
  fitted <- tiny_fit(callback_backup_and_restore(url, delete_checkpoint = FALSE), epochs = 2L)
  model <- reticulate::import("keras")$Sequential(list(
    reticulate::import("keras")$layers$Input(reticulate::tuple(4L)),
    reticulate::import("keras")$layers$Dense(3L, name = "dense")
  ))
  backup_restore(model, url)
  expect_identical(model$get_weights(), fitted$weights)
  file <- withr::local_tempfile(fileext = ".weights.h5")
  backup_export(url, file, model, storage_options = store_options(endpoint))
  expect_true(file.exists(file))
})

test_that("a checkpoint manager saves into an object store, and restores from it", {
  skip_without_python()
  endpoint <- s3_server()
  options <- store_options(endpoint)
  url <- "s3://rekindle-tests/loop"
  ckpt <- checkpoint(step = 0, words = c("a", "b"))
  manager <- checkpoint_manager(ckpt, url, max_to_keep = 2, storage_options = options)
  for (step in 1:3) {
    ckpt$step <- step
    path <- manager$save(with_metadata = list(loss = 1 / step))
  }
  expect_identical(path, paste0(url, "/ckpt-3"))
  expect_identical(manager$checkpoints, paste0(url, "/ckpt-", 2:3))
  expect_identical(manager$directory, url)
  expect_identical(manager$metadata(path), list(loss = 1 / 3))
  expect_match(format(manager), "ckpt-3.*loss = 0.3333", all = FALSE)
  expect_identical(latest_checkpoint(url, storage_options = options), path)
  other <- checkpoint_manager(checkpoint(step = 0), url, max_to_keep = 2, storage_options = options)
  cnd <- expect_error(other$save(), class = "rekindle_lock")
  expect_identical(cnd$directory, url)
  texts <- c(
    shown_of(cnd), saved_text(manager), format(manager), utils::capture.output(str(manager)),
    unlist(objects_in(endpoint))
  )
  expect_no_match(texts, store_secret, fixed = TRUE, useBytes = TRUE)
  manager$close()

  again <- checkpoint(step = 0, words = character())
  second <- checkpoint_manager(again, url, max_to_keep = 2, storage_options = options)
  expect_identical(second$restore_or_initialize(), path)
  second$close()
  expect_identical(again$step, 3L)
  expect_identical(again$words, c("a", "b"))

  # The methods of a checkpoint take the settings from the environment.
  withr::local_envvar(store_variables(endpoint))
  final <- again$save(paste0(url, "/final"))
  expect_identical(again$read(final)$step, 3L)
})

test_that("run_with_restarts() sees the progress of a script in an object store", {
  skip_without_python()
  skip_on_os("windows")
  endpoint <- s3_server()
  withr::local_envvar(store_variables(endpoint))
  url <- "s3://rekindle-tests/again"
  script <- withr::local_tempfile(fileext = ".R", lines = c(
    "ckpt <- rekindle::checkpoint(step = 0)",
    "manager <- rekindle::checkpoint_manager(ckpt, commandArgs(trailingOnly = TRUE), 2)",
    "manager$restore_or_initialize()",
    "ckpt$step <- ckpt$step + 1",
    "manager$save()",
    "if (ckpt$step < 3) tools::pskill(Sys.getpid(), tools::SIGKILL)"
  ))
  shown <- utils::capture.output(type = "message", {
    done <- run_with_restarts(
      script, url,
      backoff = 0, max_idle_restarts = 0, backup_dir = c("s3:/rekindle-tests/again/", tempdir())
    )
  })
  expect_no_match(shown, store_secret, fixed = TRUE)
  expect_identical(done$outcome, "completed")
  expect_identical(done$starts$progress, c(TRUE, TRUE, TRUE))
  expect_identical(done$backup_dir, url)
})

test_that("settings that the store does not accept give an error without their values", {
  skip_without_python()
  skip_if_not(reticulate::py_module_available("obstore"))
  for (name in c("nonsense", "bucket")) {
    cnd <- expect_error(
      backup_info("s3://bucket/x", storage_options = set_names(list(store_secret), name)),
      paste0("'", name, "'"),
      class = "rekindle_argument"
    )
    expect_no_match(shown_of(cnd), store_secret, fixed = TRUE)
  }
  endpoint <- s3_server()
  options <- store_options(endpoint)
  url <- "s3://no-bucket/x"
  uses <- list(
    backup_info, backup_verify, backup_history, backup_arrays, latest_checkpoint, backup_watch,
    function(...) backup_delete(..., ask = FALSE),
    function(...) backup_report(..., file = withr::local_tempfile(fileext = ".html")),
    function(...) checkpoint_manager(checkpoint(step = 1), ..., max_to_keep = 1)$restore_or_initialize()
  )
  for (use in uses) {
    cnd <- expect_error(use(url, storage_options = options), class = "rekindle_restore")
    expect_match(conditionMessage(cnd), "no such bucket")
    expect_no_match(shown_of(cnd), store_secret, fixed = TRUE)
  }
})

test_that("settings for a folder change nothing", {
  skip_without_python()
  folder <- withr::local_tempdir()
  expect_identical(backup_info(folder, storage_options = list(endpoint = "http://nowhere"))$state, "empty")
  expect_null(latest_checkpoint(folder, storage_options = c(endpoint = "http://nowhere")))
})
