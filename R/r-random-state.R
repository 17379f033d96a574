#' Save R's random state
#'
#' @description
#' A pair of functions that stands for `.Random.seed`, for a [checkpoint()]. After a restore, the next
#' [runif()] is that of a run that was never killed. [callback_backup_and_restore()] saves this state by
#' itself.
#'
#' The random states of Python, NumPy and the backend are separate. Give a Keras `SeedGenerator` or a
#' generator of NumPy to the checkpoint as an object of its own.
#'
#' @returns A list of the functions `take` and `put`.
#' @family functions for custom training loops
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' ckpt <- checkpoint(seed = r_random_state())
#' folder <- tempfile("checkpoints")
#'
#' set.seed(1)
#' path <- ckpt$save(file.path(folder, "seed"))
#' first <- runif(2)
#'
#' status <- ckpt$restore(path)
#' identical(runif(2), first)
#' unlink(folder, recursive = TRUE)
r_random_state <- function() {
  list(take = take_random_seed, put = put_random_seed)
}
