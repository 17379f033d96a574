#' Keep numbered checkpoints of a training loop of one's own
#'
#' @description
#' Saves a [checkpoint()] again and again into one folder, under numbers, and removes the older ones by rules.
#' A script that begins with `$restore_or_initialize()` can be killed at any instant and run again.
#'
#' It is TensorFlow's `tf.train.CheckpointManager`, for loops on JAX, PyTorch, TensorFlow, NumPy and plain R,
#' with its arguments, methods and numbers. A save is one atomic commit, with checksums: a crash, a power cut
#' or a full disk leaves the save before it or the new one, whole.
#'
#' @param checkpoint What to save: a [checkpoint()]; or, of Python's, a `tf$train$Checkpoint` or a
#'   `rekindle.Checkpoint`.
#' @param directory Path of the folder. The first save makes it. Only one manager can save in it at a time.
#'   A URL such as `"s3://bucket/run"` is refused; `"file:///data/run"` means `"/data/run"`.
#' @param max_to_keep How many checkpoints to keep, a whole number; `NULL` keeps all.
#' @param keep_checkpoint_every_n_hours `NULL`, or a number of hours. A checkpoint that would be removed stays
#'   for good when it was saved at least so long after the last one that did. It is then no longer listed.
#' @param checkpoint_name First part of the names of the files.
#' @param step_counter What the current step is, for `checkpoint_interval`: the name of a whole number in
#'   `checkpoint`; a function without arguments that returns one; or an integer variable of Python's.
#' @param checkpoint_interval `NULL`, or a whole number of steps: `$save()` saves nothing when fewer have
#'   passed since the last save.
#' @param init_fn `NULL`, or a function without arguments, for `$restore_or_initialize()` to call when there
#'   is no checkpoint.
#' @param last_checkpoint_step `NULL`, or the step of the last save, from which the interval counts. By
#'   default the first `$save()` saves.
#' @param ... Must be empty: the arguments after it must be named.
#' @param keep_best `NULL`, or `list(metric, mode, n)`, such as `list("val_loss", "min", 2)`: beside the
#'   newest, the `n` checkpoints are kept whose metric, a number given as `with_metadata`, is the lowest
#'   (`"min"`) or the highest (`"max"`).
#' @param background `TRUE` copies the state when `$save()` is called, and writes it behind the loop; see
#'   below.
#'
#' @returns An object of class `rekindle_checkpoint_manager`, which prints what is kept, with the methods
#'
#'   * `$save(checkpoint_number = NULL, check_interval = TRUE, with_metadata = NULL)`: saves, lets older ones
#'     go, and gives the path, invisibly, or `NULL` when the interval asked for no save. The number is that of
#'     the save counter, unless `checkpoint_number` is given. `check_interval = FALSE` saves whatever the
#'     interval says, but not twice for one step. `with_metadata` is a named list of what belongs to it, such
#'     as metrics.
#'   * `$restore_or_initialize()`: brings back the newest checkpoint that is whole, and gives its path;
#'     without one, calls `init_fn` and gives `NULL`. Both invisibly.
#'   * `$sync()`: waits until everything that was asked for is on the disk.
#'   * `$close()`: does so, and lets go of the folder. A later `$save()` takes it again.
#'   * `$metadata(path)`: the list that was given as `with_metadata`.
#'
#'   and the fields `$checkpoints`, a character vector of the paths, in the order of saving;
#'   `$latest_checkpoint`, a path or `NULL`; `$directory`, as an absolute path; `$checkpoint`;
#'   `$checkpoint_interval`; and `$waited`, the seconds that the loop has waited for saves still being
#'   written.
#'
#' @section Saving in the background:
#' With `background = TRUE`, R values and variables are still taken when `$save()` is called, in the session's
#' own thread; only the writing goes on behind. `$checkpoints` lists a save once it is on the disk, and an
#' error in it is raised by the next `$save()` or `$sync()`. When the session ends by itself or by [quit()],
#' the last save is completed first; a session that is killed loses at most that one. Before version 1.39 of
#' reticulate the writing goes on only while the session runs Python code, as it does in a training step.
#'
#' @section Differences from TensorFlow:
#' `vignette("custom-loops", package = "rekindle")` lists them, with the reasons.
#'
#' @section Conditions:
#' All have the class `rekindle_error`:
#'
#' * `rekindle_argument`: an argument, or something in the checkpoint, is not of the accepted form.
#' * `rekindle_lock`: another manager, or run, holds the folder; fields `directory`, `host`, `pid`, `started`.
#' * `rekindle_save`: a save could not be written; those before it still stand.
#' * `rekindle_mismatch`: the checkpoint does not fit the objects; field `differences`. Nothing was changed.
#' * `rekindle_damage`: there are checkpoints, and none is whole.
#' * `rekindle_restore`: the system refused to read.
#'
#' An error raised by `init_fn` or `step_counter` comes out as it was raised.
#'
#' @seealso [checkpoint()], [latest_checkpoint()]; `vignette("custom-loops", package = "rekindle")`.
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' folder <- tempfile("checkpoints")
#'
#' # Gradient descent by hand, in plain R: as many steps of it as there are left.
#' train <- function(until) {
#'   ckpt <- checkpoint(step = 0L, beta = c(0, 0))
#'   manager <- checkpoint_manager(ckpt, folder, max_to_keep = 3)
#'   path <- manager$restore_or_initialize()
#'   x <- cbind(1, scale(mtcars$wt))
#'   while (ckpt$step < until) {
#'     residuals <- mtcars$mpg - drop(x %*% ckpt$beta)
#'     ckpt$beta <- ckpt$beta + 0.1 * colMeans(x * residuals)
#'     ckpt$step <- ckpt$step + 1L
#'     manager$save(with_metadata = list(loss = mean(residuals^2)))
#'   }
#'   print(manager)
#'   manager$close()
#'   ckpt$beta
#' }
#'
#' train(until = 10L)
#' train(until = 20L) # goes on at step 10
#' unlink(folder, recursive = TRUE)
checkpoint_manager <- function(checkpoint,
                               directory,
                               max_to_keep,
                               keep_checkpoint_every_n_hours = NULL,
                               checkpoint_name = "ckpt",
                               step_counter = NULL,
                               checkpoint_interval = NULL,
                               init_fn = NULL,
                               last_checkpoint_step = NULL,
                               ...,
                               keep_best = NULL,
                               background = FALSE) {
  check_checkpoint(checkpoint)
  check_path(directory, role = "the folder that the checkpoints are kept in")
  check_max_to_keep(max_to_keep)
  check_hours(keep_checkpoint_every_n_hours)
  check_file_prefix(checkpoint_name)
  check_step_counter(step_counter, checkpoint)
  check_interval(checkpoint_interval, step_counter)
  check_function(init_fn)
  check_step(last_checkpoint_step)
  check_dots_unused(..., known = names(formals(checkpoint_manager)))
  check_keep_best(keep_best)
  check_flag(background)

  module <- rekindle_module()
  show_messages()
  py <- call_python(
    module$CheckpointManager(
      checkpoint = if (is_checkpoint(checkpoint)) .subset2(checkpoint, "py") else checkpoint,
      directory = as_python_path(directory),
      max_to_keep = as_python_int(max_to_keep),
      keep_checkpoint_every_n_hours = as_python_float(keep_checkpoint_every_n_hours),
      checkpoint_name = enc2utf8(checkpoint_name),
      step_counter = as_python_step_counter(step_counter, checkpoint),
      checkpoint_interval = as_python_int(checkpoint_interval),
      init_fn = as_python_init_fn(init_fn),
      last_checkpoint_step = as_python_int(last_checkpoint_step),
      keep_best = as_python_keep_best(keep_best),
      background = background
    ),
    call = current_env()
  )
  new_manager(py, checkpoint, rules_text(max_to_keep, keep_checkpoint_every_n_hours, keep_best), background)
}
