values <- function() {
  list(
    NULL, TRUE, c(NA, FALSE), logical(),
    integer(), c(1L, NA, -.Machine$integer.max, 100000L),
    double(), c(pi, NA, NaN, Inf, -Inf, -0, 5e-324, .Machine$double.xmax, 0.1, 1e5),
    character(), "", "NA", NA_character_, c("a b", NA, "\u00fc\n"),
    as.raw(0:255), matrix(1:4, 2, dimnames = list(NULL, c("x", "y"))), c(a = 1),
    list(), list(NULL), list("a"), list(1, "a", c(b = 2)), list(a = 1, b = list()),
    1i, complex(), c(NA, complex(real = NaN, imaginary = -0), -1e-300i), matrix(1i * 1:100, 10),
    as.difftime(c(1.5, NA), units = "mins"),
    as.POSIXct(c(0.25, NA), origin = "1970-01-01", tz = "Europe/Berlin"),
    structure(c(5e-324, NA), class = "integer64"), factor("b", c("a", "b"), ordered = TRUE),
    factor(c("a", NA)), mtcars[1:3, ], Sys.Date(), as.POSIXlt(.POSIXct(0, "UTC")),
    # Long vectors.
    rep(c(NA, TRUE, FALSE), 50), c(NA, seq_len(100)), rep(c(pi, NA, NaN, Inf, -Inf, -0, 5e-324), 20),
    as.raw(rep(0:255, 2)), matrix(rep(c(NA, 0.1), 100), 20), array(1:120, 2:5), rep("a", 100),
    data.frame(n = c(NA, 1:199), x = rep(c(0.5, NA), 100)), set_names(as.double(1:100), paste0("n", 1:100))
  )
}

test_that("a value is the same after it was encoded and decoded", {
  for (value in values()) {
    expect_identical(decode_value(encode_value(value)), value)
  }
  withr::with_seed(1, numbers <- stats::rnorm(1000) * 10^stats::runif(1000, -300, 300))
  expect_identical(decode_value(encode_value(numbers)), numbers)
})

test_that("a value is the same after it went through Python and the format of a save", {
  skip_without_keras()
  rekindle_module("keras")
  there_and_back <- reticulate::py_run_string("
import json
from rekindle._codec import tree as _tree

def there_and_back(state):
    arrays = {}
    saved = json.dumps(_tree.flatten(state.state_dict(), '', arrays))
    state.load_state_dict(_tree.unflatten(json.loads(saved), arrays))
")$there_and_back
  for (value in values()) {
    back <- "not called"
    there_and_back(external_state(function() value, function(value) back <<- value))
    expect_identical(back, value)
  }
})

test_that("what may hold code or a connection is refused", {
  for (bad in list(mean, sum, globalenv(), quote(a), quote(a + b), list(1, mean), y ~ x, stdin())) {
    expect_error(encode_value(bad), class = "rekindle_unsupported")
  }
})

test_that("R's random state is put back, its absence included", {
  withr::local_preserve_seed()
  set.seed(1, kind = "Wichmann-Hill")
  state <- decode_value(encode_value(take_random_seed()))
  drawn <- stats::runif(3)
  RNGkind("default")
  put_random_seed(state)
  expect_identical(stats::runif(3), drawn)

  put_random_seed(NULL)
  expect_null(take_random_seed())
  put_random_seed(NULL)
  expect_null(take_random_seed())
})

test_that("a vector that is no random state of R is refused, and nothing is changed", {
  before <- take_random_seed()
  on.exit(put_random_seed(before))
  set.seed(1)
  seed <- take_random_seed()
  for (kind in c("Wichmann-Hill", "Mersenne-Twister", "Knuth-TAOCP-2002", "L'Ecuyer-CMRG")) {
    suppressWarnings(RNGkind(kind))
    runif(3)
    expect_identical(random_seed_problems(take_random_seed()), character())
  }
  put_random_seed(seed)
  of_kind <- function(code) c(code, seed[-1])
  forged <- list(
    "seed", 1, integer(), seed[-1], c(seed[[1]], 700L, seed[-(1:2)]),
    of_kind(99999L), of_kind(NA), of_kind(-1L)
  )
  for (value in forged) {
    expect_error(put_random_seed(value), class = "rekindle_random_state")
    expect_identical(take_random_seed(), seed)
  }
})

test_that("R values that a callback keeps in itself come back as they were", {
  skip_without_keras()
  values <- function(epoch) {
    moment <- as.POSIXct("2026-10-25 02:30:00", tz = "Europe/Berlin") + epoch
    list(
      # An older reticulate makes an array of it that no checkpoint takes.
      moment = if (utils::packageVersion("reticulate") >= "1.41") moment,
      day = as.Date("2026-02-27") + epoch,
      span = as.difftime(epoch + 0.5, units = "hours"),
      bytes = as.raw(c(0, 255, epoch)), imaginary = epoch + 1i,
      numbers = c(NA, NaN, -Inf, epoch), counts = c(NA, epoch), known = c(TRUE, epoch > 1),
      table = list(a = epoch, b = list(c = NULL, d = 0.5)), weights = matrix(epoch + c(0.25, NA), 2)
    )
  }
  seen <- NULL
  train <- function(dir, ...) {
    set <- function(callback, epoch) {
      kept <- values(as.integer(epoch))
      for (name in names(kept)) reticulate::py_set_attr(callback, name, kept[[name]])
    }
    look <- function(callback, epoch) {
      seen[[paste("epoch", epoch)]] <<- lapply(names(values(0L)), function(name) {
        reticulate::py_to_r(reticulate::py_get_attr(callback, name))
      })
    }
    keep <- reticulate::py_run_string("
import keras
class _Keep(keras.callbacks.Callback):
    def __init__(self, set, look):
        super().__init__()
        self.set, self.look = set, look
    def on_train_begin(self, logs=None):
        self.set(self, 0)
    def on_epoch_begin(self, epoch, logs=None):
        self.look(self, epoch)
    def on_epoch_end(self, epoch, logs=None):
        self.set(self, epoch)
")$`_Keep`(set, look)
    tiny_fit(keep, callback_backup_and_restore(dir), ..., epochs = 4L)
  }
  train(withr::local_tempdir())
  undisturbed <- seen
  dir <- withr::local_tempdir()
  interrupted(train(dir, interrupt_at(2)))
  seen <- NULL
  train(dir)
  expect_named(seen, c("epoch 2", "epoch 3"))
  expect_identical(seen, undisturbed[names(seen)])
})
