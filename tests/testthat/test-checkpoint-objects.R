# Python objects, pairs of functions, and checkpoints inside of a checkpoint.

test_that("variables of Python's are changed in place, and what cannot be is read from the checkpoint", {
  skip_without_python()
  np <- reticulate::import("numpy", convert = FALSE)
  w <- np$zeros(c(2L, 3L))
  rng <- np$random$default_rng(1L)
  pair <- reticulate::tuple(1L, "a")
  ckpt <- checkpoint(w = w, rng = rng, pair = pair)
  expect_identical(ckpt$w, w)
  np$copyto(w, 2.5)
  path <- ckpt$save(file.path(withr::local_tempdir(), "p"))
  drawn <- reticulate::py_to_r(rng$random(3L))
  np$copyto(w, 0)
  ckpt$pair <- reticulate::tuple(2L, "b")

  ckpt$restore(path)$assert_consumed()
  expect_identical(reticulate::py_to_r(w), matrix(2.5, 2, 3))
  expect_identical(reticulate::py_to_r(rng$random(3L)), drawn)
  expect_identical(reticulate::py_to_r(ckpt$pair), list(1L, "a"))
})

test_that("a Keras model and its optimizer are restored in place, and its arrays read as R's", {
  skip_without_keras()
  keras <- reticulate::import("keras")
  make <- function(seed) {
    keras$utils$set_random_seed(seed)
    layers <- list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(2L, name = "d"))
    model <- keras$Sequential(layers)
    model$compile(optimizer = keras$optimizers$Adam(0.1), loss = "mse")
    model
  }
  model <- make(1L)
  x <- matrix(as.double(1:20), 5)
  model$train_on_batch(x, x[, 1:2])
  path <- checkpoint(model = model, step = 1L)$save(file.path(withr::local_tempdir(), "m"))

  other <- make(2L)
  ckpt <- checkpoint(model = other, step = 0L)
  ckpt$restore(path)$assert_consumed()
  expect_identical(other$get_weights(), model$get_weights())
  expect_identical(ckpt$step, 1L)
  expect_identical(other$train_on_batch(x, x[, 1:2]), model$train_on_batch(x, x[, 1:2]))

  held <- ckpt$read(path)
  expect_identical(held$step, 1L)
  kernel <- grep("kernel$", grep("^model/", names(held), value = TRUE), value = TRUE)[[1]]
  expect_identical(dim(held[[kernel]]), c(4L, 2L))
})

test_that("pairs of functions and checkpoints inside of a checkpoint are saved and put back", {
  skip_without_python()
  hidden <- 1L
  ckpt <- checkpoint(
    hidden = list(take = function() hidden, put = function(value) hidden <<- value),
    inside = checkpoint(a = "a", deeper = checkpoint(b = 1:3))
  )
  path <- ckpt$save(file.path(withr::local_tempdir(), "n"))
  hidden <- 99L
  ckpt$inside$a <- "changed"
  ckpt$inside$deeper$b <- 0L
  ckpt$restore(path)$assert_consumed()
  expect_identical(hidden, 1L)
  expect_identical(ckpt$inside$a, "a")
  expect_identical(ckpt$inside$deeper$b, 1:3)
  expect_identical(ckpt$read(path), list(hidden = 1L, `inside/a` = "a", `inside/deeper/b` = 1:3))
})

test_that("an error of the user's own function keeps its class and names it, and nothing is saved", {
  skip_without_python()
  dir <- withr::local_tempdir()
  ckpt <- checkpoint(x = list(take = function() abort("No!", class = "mine"), put = function(value) NULL))
  cnd <- expect_error(ckpt$save(file.path(dir, "e")), class = "mine")
  expect_identical(cnd$message, "`x$take()` failed: No!")
  expect_null(latest_checkpoint(dir))
  expect_identical(ckpt$save_counter, 0L)
})

test_that("a list of Python objects is saved and restored as the tree that it is", {
  skip_without_python()
  np <- reticulate::import("numpy", convert = FALSE)
  tree <- function(x) list(dense = list(w = np$full(2L, x), b = np$full(1L, x)), rest = list(np$full(3L, x)))
  values <- function(params) rapply(params, reticulate::py_to_r, how = "list")
  dir <- withr::local_tempdir()
  ckpt <- checkpoint(params = tree(1), step = 1L)
  expect_identical(values(ckpt$params), values(tree(1)))
  expect_match(format(ckpt), "params: list of 3 Python objects", fixed = TRUE, all = FALSE)
  # As a training loop of JAX does: new arrays in each step.
  ckpt$params <- tree(2)
  path <- ckpt$save(file.path(dir, "ckpt"))

  new <- checkpoint(params = tree(0), step = 0L)
  new$restore(path)$assert_consumed()
  expect_identical(values(new$params), values(tree(2)))
  expect_s3_class(new$params$dense$w, "numpy.ndarray")
  expect_error(
    checkpoint(params = list(w = np$ones(2L), lr = 0.1)),
    class = "rekindle_argument"
  )
})

test_that("a data.table is saved without the note of where it lies in memory", {
  skip_without_python()
  # What data.table adds to a data frame. An external pointer cannot be saved.
  table <- structure(data.frame(a = 1:3), class = c("data.table", "data.frame"))
  pointed <- structure(table, .internal.selfref = methods::new("externalptr"))
  ckpt <- checkpoint(table = pointed)
  path <- ckpt$save(withr::local_tempfile())
  new <- checkpoint(table = table[0, , drop = FALSE])
  new$restore(path)
  expect_identical(new$table, table)
})
