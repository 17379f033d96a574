# --- R values ---------------------------------------------------------------------------------------------

r_values <- function() {
  list(
    integer = 3L, double = 3, large = 2^40, string = "a \u00fc\n", flag = TRUE,
    missing = NA, missing_int = NA_integer_, null = NULL, none = list(),
    vector = c(pi, NA, NaN, Inf, -0, 5e-324), named = c(a = 1L, b = NA),
    long = rep(c(0.1, NA, NaN), 100), long_int = c(NA, 1:300),
    words = c("a", NA, "NA", ""), bytes = as.raw(0:255),
    matrix = matrix(c(1, NA, 3, 4), 2, dimnames = list(NULL, c("x", "y"))), array = array(1:24, 2:4),
    factor = factor(c("u", NA, "v")), frame = data.frame(x = c(1.5, NA), y = c("a", NA), z = factor(1:2)),
    time = as.POSIXct("2026-01-02 03:04:05", tz = "UTC"), day = as.Date("2026-01-02"),
    list = list(1L, 1, "a", NULL, list(a = list(), b = matrix(1:4, 2))),
    named_list = list(a = 1, b = c(x = 2))
  )
}

test_that("R values of every kind come back identical, in the session and in a new one", {
  skip_without_python()
  values <- r_values()
  path <- checkpoint(!!!values)$save(file.path(withr::local_tempdir(), "values"))

  blank <- set_names(vector("list", length(values)), names(values))
  again <- checkpoint(!!!blank)
  again$restore(path)$assert_consumed()
  for (name in names(values)) {
    expect_identical(again[[name]], values[[name]], info = name)
  }

  result <- withr::local_tempfile(fileext = ".rds")
  code <- c(
    "blank <- lapply(stats::setNames(NAMES, NAMES), function(name) NULL)",
    "again <- do.call(rekindle::checkpoint, blank)",
    "again$restore(PATH)$assert_consumed()",
    "saveRDS(lapply(stats::setNames(NAMES, NAMES), function(name) again[[name]]), RESULT)"
  )
  code <- c(
    paste("NAMES <-", paste(deparse(names(values)), collapse = "")),
    paste("PATH <-", deparse(path)), paste("RESULT <-", deparse(result)), code
  )
  printed <- run_r(code)
  expect_true(file.exists(result), info = printed)
  expect_identical(readRDS(result), values)
})

test_that("a checkpoint is a reference, whose values are read and set by $ and [[", {
  skip_without_python()
  ckpt <- checkpoint(step = 0L, params = list(w = matrix(0, 2, 2), b = 0))
  change <- function(x) {
    x$step <- x$step + 1L
    x[["params"]]$w[2, 1] <- 5
  }
  change(ckpt)
  expect_identical(ckpt$step, 1L)
  expect_identical(ckpt$params, list(w = matrix(c(0, 5, 0, 0), 2), b = 0))
  ckpt$more <- "added"
  ckpt$step <- NULL
  expect_identical(names(ckpt), c("step", "params", "more"))
  expect_length(ckpt, 3)
  expect_null(ckpt$step)
  cnd <- expect_error(ckpt$sttep, class = "rekindle_argument")
  expect_identical(cnd$argument, "sttep")
  expect_error(ckpt[[1]], class = "rekindle_argument")
  expect_error(ckpt[[1]] <- 2, class = "rekindle_argument")
})

test_that("what can hold code, or only a place in memory, is refused, with where it is", {
  skip_without_python()
  ckpt <- checkpoint(a = 1)
  for (bad in list(mean, sum, globalenv(), quote(x), y ~ x, stdin(), list(1, mean), structure(1, f = mean))) {
    cnd <- expect_error(checkpoint(x = bad), class = "rekindle_argument")
    expect_identical(cnd$argument, "x")
    expect_error(ckpt$a <- bad, class = "rekindle_argument")
  }
  expect_identical(ckpt$a, 1)
  expect_snapshot(error = TRUE, {
    checkpoint(f = mean)
    checkpoint(params = list(w = 1, layers = list(1, function() 2)))
    checkpoint(model = lm(mpg ~ wt, mtcars))
    ckpt$a <- globalenv()
  })
})

test_that("each object has a name of its own that the checkpoint does not use itself", {
  skip_without_python()
  expect_error(checkpoint(1), class = "rekindle_argument")
  expect_error(checkpoint(a = 1, a = 2), class = "rekindle_argument")
  expect_error(checkpoint(`_a` = 1), class = "rekindle_argument")
  expect_identical(sort(own_names), sort(unlist(as.list(
    reticulate::import_builtins()$list(reticulate::import("rekindle.checkpoint")$`_own_names`())
  ))))
  for (name in own_names) {
    cnd <- expect_error(checkpoint(!!name := 1), class = "rekindle_argument")
    expect_identical(cnd$argument, name)
  }
  expect_snapshot(error = TRUE, {
    checkpoint(1)
    checkpoint(save = 1)
    checkpoint(`_a` = 1)
  })
})

# --- restoring --------------------------------------------------------------------------------------------

test_that("restore() changes everything or nothing, and says what does not fit", {
  skip_without_python()
  path <- checkpoint(
    step = 5L, w = matrix(1, 2, 3), params = list(a = matrix(1, 2, 2), b = 1:3), name = "x"
  )$save(file.path(withr::local_tempdir(), "m"))
  refused <- function(...) {
    ckpt <- checkpoint(...)
    before <- lapply(set_names(names(ckpt)), function(name) ckpt[[name]])
    cnd <- expect_error(ckpt$restore(path), class = "rekindle_mismatch")
    expect_identical(lapply(set_names(names(ckpt)), function(name) ckpt[[name]]), before)
    expect_identical(ckpt$save_counter, 0L)
    unlist(cnd$differences)
  }
  expect_identical(refused(step = 0, w = matrix(0, 2, 4)), "w/dim: expected 2 x 4, found 2 x 3")
  expect_identical(refused(step = "a"), "step/type: expected strings, found numbers")
  expect_identical(
    refused(step = 0, params = list(a = matrix(0, 3, 2), b = 1)),
    "params/a/dim: expected 3 x 2, found 2 x 2"
  )
  expect_identical(
    refused(params = list(b = 1, other = matrix(0, 1, 1))),
    c("params/other: expected 1 x 1, found nothing", "params/a: expected nothing, found 2 x 2")
  )
  np <- reticulate::import("numpy", convert = FALSE)
  expect_match(refused(name = "y", w = np$zeros(c(2L, 3L))), "^w: expected float64 \\(2, 3\\), found")
})

test_that("vectors and lists may have grown, and what is empty or missing takes any value", {
  skip_without_python()
  path <- checkpoint(
    losses = c(1, 2, 3), log = list(1, "a"), best = 0.5, name = "x", w = matrix(1, 2, 2), count = 2
  )$save(file.path(withr::local_tempdir(), "g"))
  ckpt <- checkpoint(losses = 0, log = list(), best = NA, name = NULL, w = numeric(), count = 1L)
  ckpt$restore(path)$assert_consumed()
  expect_identical(ckpt$losses, c(1, 2, 3))
  expect_identical(ckpt$log, list(1, "a"))
  expect_identical(ckpt$best, 0.5)
  expect_identical(ckpt$name, "x")
  expect_identical(ckpt$w, matrix(1, 2, 2))
  expect_identical(ckpt$count, 2)
})

test_that("the status tells what was not matched, and each assertion what it says", {
  skip_without_python()
  path <- checkpoint(a = 1, b = 2)$save(file.path(withr::local_tempdir(), "s"))
  fewer <- checkpoint(a = 0)$restore(path)
  expect_identical(fewer$unconsumed, "b")
  expect_identical(fewer$unmatched, character())
  expect_s3_class(fewer$assert_existing_objects_matched(), "rekindle_restore_status")
  cnd <- expect_error(fewer$assert_consumed(), class = "rekindle_unmatched")
  expect_s3_class(cnd, "rekindle_mismatch")

  more <- checkpoint(a = 0, b = 0, c = 0)$restore(path)
  expect_identical(more$unmatched, "c")
  expect_error(more$assert_existing_objects_matched(), class = "rekindle_unmatched")
  expect_identical(more$expect_partial(), more)

  nothing <- checkpoint(a = 0)$restore(NULL)
  expect_error(nothing$assert_consumed(), class = "rekindle_unmatched")
  expect_snapshot({
    print(fewer)
    print(more)
    print(checkpoint(a = 0, b = 0)$restore(path))
  })
})

test_that("a restore in part whose result is not looked at gives a warning", {
  skip_without_python()
  path <- checkpoint(a = 1, b = 2)$save(file.path(withr::local_tempdir(), "s"))
  ignore <- function() invisible(checkpoint(a = 0)$restore(path))
  said <- capture.output(
    {
      ignore()
      for (i in 1:3) gc()
    },
    type = "message"
  )
  expect_match(paste(said, collapse = "\n"), "restored in part:\n- b: expected nothing", fixed = TRUE)
})

test_that("a checkpoint that is not there, or not whole, is an error of its own class", {
  skip_without_python()
  dir <- withr::local_tempdir()
  ckpt <- checkpoint(x = rnorm(1000))
  expect_error(ckpt$restore(file.path(dir, "none-1")), class = "rekindle_restore")
  expect_error(ckpt$read(file.path(dir, "none-1")), class = "rekindle_restore")
  path <- ckpt$save(file.path(dir, "c"))
  pack <- list.files(dir, "safetensors$", full.names = TRUE)
  bytes <- readBin(pack, "raw", file.size(pack))
  bytes[[length(bytes) - 5]] <- xor(bytes[[length(bytes) - 5]], as.raw(1))
  writeBin(bytes, pack)
  before <- ckpt$x
  expect_error(ckpt$restore(path), class = "rekindle_damage")
  expect_error(ckpt$read(path), class = "rekindle_damage")
  expect_identical(ckpt$x, before)
})

test_that("save() numbers on, takes any path, and checks its argument", {
  skip_without_python()
  dir <- withr::local_tempdir(pattern = "\u00fcml\u00e4ut")
  withr::local_dir(dir)
  ckpt <- checkpoint(step = 1)
  expect_identical(basename(ckpt$save("a")), "a-1")
  second <- ckpt$save(file.path("sub", "b"))
  expect_identical(second, file.path(getwd(), "sub", "b-2"))
  expect_true(file.exists(paste0(second, ".json")))
  expect_identical(ckpt$save_counter, 2L)
  for (bad in list("", 1, NA_character_, NULL, c("a", "b"))) {
    expect_error(ckpt$save(bad), class = "rekindle_argument")
    expect_error(ckpt$read(bad), class = "rekindle_argument")
    if (!is.null(bad)) expect_error(ckpt$restore(bad), class = "rekindle_argument")
  }
  cnd <- expect_error(ckpt$save(), class = "rekindle_argument")
  expect_identical(cnd$argument, "file_prefix")
})

test_that("print() shows each object in a line", {
  skip_without_python()
  np <- reticulate::import("numpy", convert = FALSE)
  ckpt <- checkpoint(
    step = 3L, name = "x", nothing = NULL, losses = c(1, 2), w = matrix(0, 2, 3), a = array(0, 1:3),
    frame = mtcars, f = factor("a"), list = list(1), w2 = np$zeros(2L), seed = r_random_state(),
    inside = checkpoint(a = 1, b = 2)
  )
  expect_snapshot(print(ckpt))
  expect_snapshot(print(checkpoint()))
  expect_identical(utils::.DollarNames(ckpt, "^s"), c("step", "seed", "save", "save_counter"))
})
