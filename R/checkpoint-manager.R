#' Keep numbered checkpoints of a custom training loop
#'
#' @description
#' Saves a [checkpoint()] again and again into one folder, each time under a number, and removes older
#' checkpoints by rules. If your script begins with `$restore_or_initialize()`, you can kill it at any instant
#' and run it again.
#'
#' This is TensorFlow's `tf.train.CheckpointManager`, for loops on JAX, PyTorch, TensorFlow, NumPy and plain
#' R. It has the same arguments, methods and numbers. Each checkpoint is one atomic commit, with checksums. A
#' crash, a power cut or a full disk leaves the previous checkpoint or the new checkpoint, complete.
#'
#' @param checkpoint What to save: a [checkpoint()]; or a `tf$train$Checkpoint` or a `rekindle.Checkpoint` of
#'   Python.
#' @param directory Path of the folder. The first `$save()` creates it. Only one manager can save in the
#'   folder at a time. Or a place in an object store, such as `"s3://bucket/run7"`: see "Object stores",
#'   below. `"file:///data/run"` means `"/data/run"`.
#' @param max_to_keep How many checkpoints to keep, a whole number; `NULL` keeps all.
#' @param keep_checkpoint_every_n_hours `NULL`, or a number of hours. A checkpoint that rekindle would remove
#'   stays for good if it was saved at least that many hours after the last checkpoint that stayed. The
#'   manager then no longer lists it.
#' @param checkpoint_name First part of the names of the files.
#' @param step_counter The current step, for `checkpoint_interval`: the name of a whole number in
#'   `checkpoint`; a function without arguments that returns a whole number; or an integer variable of Python.
#' @param checkpoint_interval `NULL`, or a whole number of steps. If fewer steps have passed since the last
#'   checkpoint, `$save()` saves nothing.
#' @param init_fn `NULL`, or a function without arguments. `$restore_or_initialize()` calls it if there is no
#'   checkpoint.
#' @param last_checkpoint_step `NULL`, or the step of the last checkpoint, from which the interval counts. By
#'   default the first `$save()` saves.
#' @param ... Must be empty: the arguments after it must be named.
#' @param keep_best `NULL`, or `list(metric, mode, n)`, such as `list("val_loss", "min", 2)`. Beside the
#'   newest checkpoints, the manager keeps the `n` checkpoints whose metric is the lowest (`"min"`) or the
#'   highest (`"max"`). The metric is a number that you give as `with_metadata`.
#' @param background `TRUE` copies the state when you call `$save()`, and writes the checkpoint while the loop
#'   continues; see below.
#' @param on_difference What to do if a resumed loop reports other batches or losses to `$witness()` than the
#'   interrupted loop did: see "Is the resumed loop the same?", below. `"warn"` gives a warning, once.
#'   `"raise"` gives an error of class `rekindle_mismatch`; the checkpoints stay. `"ignore"` only notes it in
#'   `$resume_report`. A [tolerance()] lets losses differ a little, as they do on a GPU.
#' @inheritParams latest_checkpoint
#'
#' @returns An object of class `rekindle_checkpoint_manager`. It prints the checkpoints that it keeps. It has
#'   the methods
#'
#'   * `$save(checkpoint_number = NULL, check_interval = TRUE, with_metadata = NULL)`: saves a checkpoint,
#'     removes older ones, and returns the path, or `NULL` if the interval asked for no checkpoint, invisibly.
#'     The number is that of the save counter, unless you give `checkpoint_number`. `check_interval = FALSE`
#'     saves whatever the interval is, but not twice for one step. `with_metadata` is a named list of data
#'     that belong to the checkpoint, such as metrics.
#'   * `$restore_or_initialize()`: restores the newest complete checkpoint, and returns its path. If there is
#'     no such checkpoint, it calls `init_fn` and returns `NULL`. Both values are invisible.
#'   * `$witness(step, batch = NULL, loss = NULL)`: notes what a step of the loop saw, and compares it with
#'     the interrupted loop; see below. Returns `NULL`, invisibly.
#'   * `$sync()`: waits until all requested checkpoints are on the disk.
#'   * `$close()`: waits in the same way, and unlocks the folder. A later `$save()` locks it again.
#'   * `$metadata(path)`: returns the list that you gave as `with_metadata`.
#'
#'   and the fields `$checkpoints`, a character vector of the paths, in the order of saving;
#'   `$latest_checkpoint`, a path or `NULL`; `$directory`, as an absolute path; `$checkpoint`;
#'   `$checkpoint_interval`; `$waited`, the seconds that the loop has waited for checkpoints that were
#'   still being written; and `$resume_report`, see below.
#'
#' @section Save in the background:
#' With `background = TRUE`, `$save()` still takes R values and variables in the session's own thread, when
#' you call it. Only the writing happens in the background. `$checkpoints` lists a checkpoint once it is on
#' the disk. If writing it fails, the next `$save()` or `$sync()` raises the error. If the session ends by
#' itself or by [quit()], rekindle first completes the last checkpoint. A session that is killed loses at most
#' this checkpoint. Before version 1.39 of reticulate, the writing continues only while the session runs
#' Python code, as it does in a training step.
#'
#' @section Is the resumed loop the same?:
#' A killed loop has trained some steps after its last checkpoint. The resumed loop trains them again. If both
#' call `$witness()` after each step, rekindle compares them: it notes a digest of the batch and the loss in
#' the file `ckpt.witness` of the folder, for the last 4096 steps. It looks at fewer steps if looking would
#' cost more than a thousandth of the time of a step. `step` is the number of the step, counted over the whole
#' run: a whole number or an integer variable of Python. `batch` is the data: vectors, arrays, data frames,
#' Python arrays, or lists of these. `loss` is a number, or an array of Python with one number in it.
#'
#' `$resume_report` is `NULL` if `$restore_or_initialize()` restored nothing. Otherwise it is a list:
#' `number` and `time` of the restored checkpoint; its `step`, if there is a `step_counter`; `evidence`,
#' `"verified"` if everything compared so far was the same, `"differs"` from the first difference on,
#' `"unverified"` if there was no loss to compare; `notes`, the first difference; `compared`, how many
#' `batches` and `losses` were the same, and the `largest` relative difference of a loss. Later checkpoints
#' keep the result, and [backup_info()] shows it.
#'
#' @inheritSection latest_checkpoint Object stores
#'
#' @section Differences from TensorFlow:
#' `vignette("custom-loops", package = "rekindle")` lists them, with the reasons.
#'
#' @section Conditions:
#' All have the class `rekindle_error`:
#'
#' * `rekindle_argument`: an argument, or something in the checkpoint, is not of the accepted form.
#' * `rekindle_lock`: another manager or run has locked the folder; fields `directory`, `host`, `pid`,
#'   `started`.
#' * `rekindle_save`: rekindle could not write a checkpoint; the earlier checkpoints are still there.
#' * `rekindle_mismatch`: the checkpoint does not fit the objects; field `differences`. Nothing was changed.
#'   Or with `on_difference = "raise"`, the resumed loop differs from the interrupted loop.
#' * `rekindle_damage`: there are checkpoints, and none is complete.
#' * `rekindle_restore`: the system refused to read.
#'
#' If `init_fn` or `step_counter` raises an error, you get that error unchanged.
#'
#' @seealso [backup_info()] for its folder; `vignette("custom-loops", package = "rekindle")`.
#' @family functions for custom training loops
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
#'     manager$witness(ckpt$step, loss = mean(residuals^2))
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
#'
#' # The same in an object store. This one is in the memory of the session, and needs no account.
#' if (reticulate::py_module_available("obstore")) {
#'   ckpt <- checkpoint(step = 0L)
#'   manager <- checkpoint_manager(ckpt, "memory://demo/run", max_to_keep = 3)
#'   for (step in 1:5) {
#'     ckpt$step <- step
#'     manager$save()
#'   }
#'   print(manager)
#'   manager$close()
#'   backup_delete("memory://demo/run", ask = FALSE)
#' }
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
                               background = FALSE,
                               on_difference = "warn",
                               storage_options = NULL) {
  check_dots_unused(..., known = names(formals(checkpoint_manager)))
  check_checkpoint(checkpoint)
  check_folder(directory, role = "the folder for the checkpoints")
  check_max_to_keep(max_to_keep)
  check_hours(keep_checkpoint_every_n_hours)
  check_file_prefix(checkpoint_name)
  check_step_counter(step_counter, checkpoint)
  check_interval(checkpoint_interval, step_counter)
  check_function(init_fn)
  check_step(last_checkpoint_step)
  check_manager_options(keep_best, background, on_difference, storage_options)

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
      background = background,
      on_difference = as_python_difference(on_difference),
      storage_options = as_python_storage_options(storage_options)
    ),
    call = current_env()
  )
  new_manager(py, checkpoint, rules_text(max_to_keep, keep_checkpoint_every_n_hours, keep_best), background)
}
