# Functions of a script, as this package sees them.
of_script <- function(expr) {
  env <- new.env(parent = globalenv())
  eval(substitute(expr), env)
  env
}

test_that("the variables are those that a function, or one that it calls, assigns outside of itself", {
  script <- of_script({
    count <- 0
    box <- list(n = 1)
    held <- new.env()
    made <- local({
      total <- 0
      function() {
        total <<- total + 1
        own <- 2
        own
      }
    })
    helper <- function() box$n <<- box$n + 1
    hook <- function(epoch, logs) {
      count <<- count + 1
      held <<- NULL
      made()
      later <<- epoch
      inner <- function() names(box)[[1]] <<- "m"
      print(mean(epoch))
      helper()
    }
  })
  found <- outer_places(script$hook)
  expect_setequal(names(found), c("count", "later", "box", "total"))
  expect_identical(found$count$env, script)
  expect_identical(found$later$env, globalenv())
  expect_identical(found$total$env, environment(script$made))
  expect_length(outer_states(of_script(fn <- function(x) x <- 1)$fn), 0)
  expect_length(outer_states(mean), 0)
  expect_length(outer_states("no function"), 0)
})

test_that("a state of them comes back, and changes no text", {
  skip_without_python()
  script <- of_script({
    count <- 0L
    rates <- NULL
    path <- "a.txt"
    fn <- function() {
      count <<- count + 1
      rates <<- c(rates, first = NA, second = 2)
      path <<- "b.txt"
    }
  })
  states <- outer_states(script$fn)
  before <- lapply(states, function(state) state$state_dict())
  expect_identical(script$count, 0L)
  script$fn()
  expect_error(states$path$state_dict(), "it was set to text during training")
  expect_match(states$path$state_differences(before$path), "expected a value of type \"character\" without")
  after <- lapply(states[c("count", "rates")], function(state) state$state_dict())
  for (name in names(after)) {
    expect_length(states[[name]]$state_differences(before[[name]]), 0)
    states[[name]]$load_state_dict(before[[name]])
  }
  expect_identical(script$count, 0L)
  expect_null(script$rates)
  for (name in names(after)) states[[name]]$load_state_dict(after[[name]])
  expect_identical(script$count, 1)
  expect_identical(script$rates, c(first = NA, second = 2))
  script$count <- "one"
  expect_match(states$count$state_differences(after$count), "^expected a value of type \"character\"")
})

test_that("variables of one name in two environments are both found", {
  script <- of_script({
    make <- function() {
      total <- 0
      function() total <<- total + 1
    }
    first <- make()
    second <- make()
    fn <- function() {
      first()
      second()
      first()
    }
  })
  found <- outer_places(script$fn)
  expect_named(found, c("total", "total.1"))
  expect_identical(found$total$env, environment(script$first))
  expect_identical(found$total.1$env, environment(script$second))
})

test_that("a large variable is not captured at each checkpoint", {
  skip_without_python()
  script <- of_script({
    rows <- 1
    fn <- function() rows <<- as.list(seq_len(1e5))
  })
  state <- outer_states(script$fn)$rows
  expect_identical(state$state_dict(), state$state_dict())
  script$fn()
  expect_error(state$state_dict(), "it is larger than 1 MiB, so give it in `extra_state`")
})

test_that("a function of a package has none", {
  expect_identical(outer_places(stats::sd), list())
  expect_identical(outer_places(rlang::abort), list())
})

test_that("variables of R functions are part of a backup", {
  skip_without_keras()
  skip_if_not(gives_functions_back())
  fit_script <- function(dir, until) {
    script <- of_script({
      count <- 0
      seen <- c()
      hook <- function(epoch, logs) {
        count <<- count + 1
        seen <<- c(seen, count)
        if (epoch == until) stop("stopped")
      }
    })
    script$until <- until
    hook <- reticulate::import("keras")$callbacks$LambdaCallback(on_epoch_begin = script$hook)
    backup <- callback_backup_and_restore(dir)
    try(tiny_fit(hook, backup, epochs = 5L), silent = TRUE)
    list(seen = script$seen, report = backup$resume_report)
  }
  dir <- file.path(withr::local_tempdir(), "backup")
  expect_identical(fit_script(dir, until = 3)$seen, c(1, 2, 3, 4))
  resumed <- fit_script(dir, until = -1)
  expect_identical(resumed$seen, c(1, 2, 3, 4, 5))
  expect_true(resumed$report$exact)
})
