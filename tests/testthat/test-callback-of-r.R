# A callback that R makes: reticulate::PyClass() gives its class no `__module__`.

test_that("the vectors and lists of an R callback may grow from nothing, and come back", {
  skip_without_keras()
  keras <- reticulate::import("keras")
  make_growing <- function() {
    class <- reticulate::PyClass("Growing", inherit = keras$callbacks$Callback, defs = list(
      on_train_begin = function(self, logs) {
        self$losses <- numeric()
        self$flags <- c()
        self$best <- 0
        self$log <- list()
        NULL
      },
      on_epoch_end = function(self, epoch, logs) {
        self$losses <- c(self$losses, epoch)
        self$flags <- c(self$flags, epoch > 1)
        self$best <- c(self$best, -epoch)
        self$log <- utils::modifyList(as.list(self$log), stats::setNames(list(epoch), paste0("e", epoch)))
        NULL
      }
    ))
    class()
  }
  state <- function(callback) list(callback$losses, callback$flags, callback$best, callback$log)
  never <- make_growing()
  tiny_fit(never, epochs = 5L)
  dir <- file.path(withr::local_tempdir(), "backup")
  interrupted(tiny_fit(callback_backup_and_restore(dir), make_growing(), interrupt_at(3), epochs = 5L))
  callback <- callback_backup_and_restore(dir)
  resumed <- make_growing()
  tiny_fit(callback, resumed, epochs = 5L)
  expect_identical(callback$resume_report$epoch, 3L)
  expect_length(callback$resume_report$notes, 0)
  expect_identical(state(resumed), state(never))
})
