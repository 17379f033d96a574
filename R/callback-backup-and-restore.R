#' Back up a training run, and go on with it after it was killed
#'
#' @description
#' A callback for `fit()` of a Keras 3 model. While training goes on it keeps a backup of it in `backup_dir`.
#' When the process dies, however it dies, run the same script again: `fit()` then begins by restoring the
#' last save, and goes on from there. When training completes, the backup is deleted.
#'
#' A save holds the model, the optimizer, the place in the data, the random states of R, Python, NumPy and
#' the backend, the state of the other callbacks, and the history. A resumed run therefore ends with the
#' weights of the run that was never interrupted; where something cannot be brought back exactly, a warning
#' says what. What a callback remembers outside of itself is not seen: see "State kept in R", below.
#'
#' It takes the arguments of the function of the same name in keras3, with the same meaning, and can stand in
#' its place. What differs is what a crash leaves behind: a save is written beside the one before and becomes
#' valid in a single step, with checksums, so that a kill, a power cut or a full disk at any instant leaves
#' the last good save readable; and nothing in the folder that rekindle did not write is ever touched.
#'
#' @param backup_dir Path of the folder for the backup. Created when it does not exist. It belongs to this
#'   training run alone: a second run that tries to use it at the same time is refused. The folder is on
#'   this machine's file system: a URL such as `"s3://bucket/run"` is refused, and `"file:///data/run"`
#'   means `"/data/run"`.
#' @param save_freq When to save: `"epoch"`, at the end of every epoch; a whole number, every so many
#'   batches, counted across epochs; a time, such as `"90 s"`, `"10 min"`, `"1 h 30 min"` or
#'   `as.difftime(10, units = "mins")`, at the first batch end after that long since the last save, or since
#'   training began or went on; `"auto"`, at intervals that are chosen while training goes on, see below;
#'   `FALSE`, never by itself.
#' @param double_checkpoint `TRUE` keeps the last two saves instead of one. While a save is being written the
#'   one before it always stays, whatever is chosen here.
#' @param delete_checkpoint `FALSE` keeps the backup after training completed. The end of the last epoch is
#'   then saved whatever `save_freq` is (but not with `"auto"` or `FALSE`), so that the same script, run once
#'   more, finds the run complete and trains nothing.
#' @param ... Must be empty: the arguments after it must be named.
#' @param restore_history `TRUE` gives the `history` of a resumed run all epochs from the first one on, each
#'   under its own number. `FALSE` gives only the epochs that this call of `fit()` ran, as Keras does.
#' @param on_mismatch What to do when the optimizer, the loss, the batch size, the shuffling, the steps or the
#'   length of the data are not those of the backup: `"error"` stops, `"warn"` goes on. A backup of another
#'   model is always an error.
#' @param on_save_error What to do when a save cannot be written, because the disk is full, say: `"warn"` goes
#'   on training on the strength of the save before, `"raise"` stops.
#' @param extra_state `NULL`, or a named list of what else belongs to the run. Each element is either a Python
#'   object that has a state (one with the methods `state_dict()` and `load_state_dict()`, or a Keras
#'   variable, layer, optimizer or metric, or a random generator of Python, NumPy or PyTorch), or a pair of R
#'   functions: `list(take = function() ..., put = function(value) ...)`. Optimizers other than the one of
#'   `compile()` are saved only so. Build what has variables before `fit()`.
#' @param verbose `0` is silent but for warnings, `1` says what was restored, `2` also says each save, once it
#'   is safe on the disk. Epochs and batches are counted from 1, as everywhere in R.
#' @param background `TRUE` copies the state when a save is due, and writes it while training goes on. One
#'   save is written at a time: the next one that is due waits for it. What goes wrong is dealt with at the
#'   next batch or epoch. `FALSE` writes at once, while training waits.
#' @param max_overhead With `save_freq = "auto"`, how much longer saves may make training: a share, 0.035 is
#'   3.5 %.
#' @param mean_time_between_failures With `save_freq = "auto"`, how long such a run lasts, on average, until
#'   it is killed: a number of seconds, a time as for `save_freq`, or `NULL` when it is not known.
#' @param max_to_keep How many of the newest saves to keep: 1, or 2 with `double_checkpoint = TRUE`; `NULL`
#'   keeps all.
#' @param keep_checkpoint_every_n_hours `NULL`, or a number of hours: a save that would be removed stays when
#'   it was taken at least so long after the last one that did.
#' @param keep_best `NULL`, or `list(metric, mode, n)`, such as `list("val_loss", "min", 2)`: beside the
#'   newest, the `n` saves are kept whose metric is the lowest (`"min"`) or the highest (`"max"`). It is
#'   looked for in the logs that Keras gives when the save is taken: those of validation are there at the end
#'   of an epoch only. A run goes on from the newest save all the same. `delete_checkpoint = FALSE` lets them
#'   stay when training is complete.
#' @param save_before_preemption `TRUE` answers a signal that announces the end of the process by a save, at
#'   the end of the batch or the step of validation that is under way: see "Preemption", below.
#' @param preemption_signals Names of those signals. Those that the system lacks are passed over.
#' @param after_preemption What to do after that save: `"stop"` ends training; `"continue"`, for signals that
#'   come as an early warning, trains on.
#' @param preemption_exit_code The exit status of a script that ends so, from 1 to 255. 75 is what Unix calls
#'   a temporary failure, and what [run_with_restarts()] takes it for.
#' @param grace_seconds Seconds between such a signal and the kill that follows it. When a save is being
#'   written as the signal comes, and another one would not be done in time, that one has to do.
#'
#' @returns A Python callback object for the `callbacks` argument of `fit()`. It can stand there beside other
#'   Python and R callbacks. After `fit()` has begun, its field `resume_report` is `NULL` when nothing was
#'   restored. Otherwise it is a list with `epoch` (counted from 0) and `batch`, the place that training goes
#'   on from; `step`, the training steps done so far; `number` (`NULL` for a backup by keras3) and `time` of
#'   the restored save, the time in seconds since 1970; `exact`, whether everything could be brought back as
#'   it was; and `notes`, what could not. Its field `save_report` is a list with `saves`, how many saves are
#'   safe on the disk; `seconds_held`, how long they held training up; and `seconds_waited`, how much of that
#'   was waiting for a save that was still being written.
#'
#' @section Intervals chosen while training goes on:
#' `save_freq = "auto"` measures what a save costs: how long it holds training up, and how much longer the
#' steps take while it is written. From that it chooses the shortest interval that keeps the overhead under
#' `max_overhead`, a second at least, and goes on measuring. The first save, after a few batches, is there to
#' be measured. That an interval can be tuned so was shown by CheckFreq (Mohan, Phanishayee and Chidambaram,
#' FAST'21). With `mean_time_between_failures` it is not shorter than what loses least time, in saves and in
#' work done again, by the formula of Young (1974) in Daly's higher order (2006). With `verbose = 1` each
#' choice is said, and [backup_info()] tells it.
#'
#' @section State kept in R:
#' R's random state, `.Random.seed`, is saved and put back: the next [runif()] after a resumed `fit()` is that
#' of the run never killed.
#'
#' Of a callback made with keras3's `Callback()` or `new_callback_class()`, numbers and lists that it assigns
#' to `self` are saved, if `initialize()` or `on_train_begin()` has assigned a first value. A backup does not
#' change a string: it may be the name of a file, and a backup never decides where a script writes. A warning
#' names what does not come back. What a callback keeps in `private`, in an environment, or in variables of an
#' enclosing function stays in R, where nobody sees it. Either give the callback the methods `state_dict()`,
#' which returns its state as a list, and `load_state_dict(state)`, which takes such a list; what is saved of
#' the callback is then that list alone. Or let `extra_state` see the variables:
#'
#' ```r
#' seen <- 0
#' count <- callback_lambda(on_epoch_end = function(epoch, logs) seen <<- seen + 1)
#' backup <- callback_backup_and_restore(
#'   "backup",
#'   extra_state = list(
#'     seen = list(take = function() seen, put = function(value) seen <<- value)
#'   )
#' )
#' ```
#'
#' What `take()` returns may be `NULL`, a vector, a factor, a data frame, or a list of these. `put()` is given
#' the same value, missing values and attributes included. `take()` is called at each save, and when the
#' backup callback is made.
#'
#' @section Interrupts:
#' `fit()` can be ended by Escape, Ctrl-C or the Stop button at any moment. The last save is whole, the
#' session goes on, and the next `fit()` with the same folder, in this session or another one, resumes. So
#' does a script that was ended by a signal and is run again.
#'
#' @section Preemption:
#' Batch schedulers, and machines that can be taken away, announce the end by a signal. `fit()` then saves the
#' place where it is, waits until that save is safe on the disk, and ends by a condition of class
#' `rekindle_preempted`, whose message says what was saved. The same script, run again, goes on from there. A
#' second signal, more than a second after the first, ends training at once, without another save.
#'
#' A script (`Rscript`, or any other session that is not interactive) that nothing catches this condition in
#' ends with the exit status `preemption_exit_code`, so that a scheduler can tell it from a failure. For that
#' [options()]`("error")` is set while `fit()` runs; where it has a value of yours, that is left alone, and so
#' is an interactive session. A script that catches the condition decides itself:
#'
#' ```r
#' tryCatch(
#'   with_python_conditions(fit(model, ...)),
#'   rekindle_preempted = function(e) quit(status = e$code)
#' )
#' ```
#'
#' Then the signal has been answered, and the script goes on.
#'
#' R's own answer to SIGUSR1 is to save its workspace and quit, and to SIGUSR2 to quit. It is that again when
#' `fit()` has ended. A signal that comes after the last epoch, or in a batch that an error ends `fit()` in,
#' is too late for rekindle to answer. It is sent again when `fit()` has ended: SIGTERM then ends the process.
#' After the last epoch, rekindle first waits for the last save; the backup is then not removed.
#'
#' @section Stages, and fewer epochs:
#' A backup that has more epochs than `fit()` asks for is an error of class `rekindle_mismatch`. It is never
#' removed: ask for as many epochs as before, or use another folder.
#'
#' A script may train in stages on one folder, as by `fit(epochs = 3)` and then
#' `fit(initial_epoch = 3, epochs = 6)`. When the script is run again and the backup is of a later stage, the
#' earlier `fit()` says so, runs no epoch and restores nothing; the later one restores everything. Until then
#' the model holds what the script made.
#'
#' @section Taking over from keras3:
#' When the folder holds no save of rekindle, but a backup that keras3's (or Keras') own callback wrote,
#' `fit()` goes on with that, and says so: a run can change over in the middle. Weights and optimizer are
#' loaded by Keras itself, and training goes on with the epoch that the backup names, from its start, as with
#' keras3's callback. Its history is not in that backup. Of the files of keras3 nothing is changed or removed:
#' when the run is complete, a small file `takeover.json` beside them notes that they are done with. A backup
#' that is half-written is an error (`rekindle_damage`) that names the file and what to do; with
#' `double_checkpoint`, the pair before is taken.
#'
#' @section Conditions:
#' A number with a class, such as a date or a period of lubridate, is not taken for its value. Where a time is
#' accepted, give a difftime or a string.
#'
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`; a missing Python,
#' Keras or Keras backend one of class `rekindle_dependency`. Both have the class `rekindle_error`.
#' A `fit()` with two callbacks that back up and restore, keras3's among them, gives one of class
#' `rekindle_argument`, too, before training begins.
#' When `fit()` ends by an error, the last save is whole and the folder is unlocked at once: this session or
#' another process can resume.
#'
#' Errors that come up during `fit()` have R classes when the call stands in [with_python_conditions()]; those
#' of R callbacks are then the conditions that they raised.
#'
#' @seealso [with_python_conditions()]; `vignette("rekindle", package = "rekindle")`.
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' fit <- function(...) {
#'   model <- keras$Sequential(list(
#'     keras$layers$Input(reticulate::tuple(20L)),
#'     keras$layers$Dense(10L)
#'   ))
#'   model$compile(optimizer = "sgd", loss = "mse")
#'   model$fit(
#'     np$ones(c(5L, 20L)), np$zeros(c(5L, 10L)),
#'     epochs = 10L, batch_size = 1L, verbose = 0L,
#'     callbacks = list(callback_backup_and_restore(backup_dir), ...)
#'   )
#' }
#'
#' # Something goes wrong in epoch 4 (counting from 0) ...
#' interrupt <- keras$callbacks$LambdaCallback(
#'   on_epoch_begin = function(epoch, logs) if (epoch == 4) stop("Interrupting!")
#' )
#' tryCatch(
#'   with_python_conditions(fit(interrupt)),
#'   python.builtin.RuntimeError = function(e) message("Interrupted!")
#' )
#'
#' # ... and the same call again runs the 6 epochs that are left.
#' history <- fit()
#' length(history$epoch)
callback_backup_and_restore <- function(backup_dir,
                                        save_freq = "epoch",
                                        double_checkpoint = FALSE,
                                        delete_checkpoint = TRUE,
                                        ...,
                                        restore_history = TRUE,
                                        on_mismatch = "error",
                                        on_save_error = "warn",
                                        extra_state = NULL,
                                        verbose = 0,
                                        background = TRUE,
                                        max_overhead = 0.035,
                                        mean_time_between_failures = NULL,
                                        max_to_keep = if (double_checkpoint) 2 else 1,
                                        keep_checkpoint_every_n_hours = NULL,
                                        keep_best = NULL,
                                        save_before_preemption = TRUE,
                                        preemption_signals = c("SIGTERM", "SIGUSR1", "SIGUSR2"),
                                        after_preemption = "stop",
                                        preemption_exit_code = 75,
                                        grace_seconds = 30) {
  check_path(backup_dir)
  check_save_freq(save_freq)
  check_flag(double_checkpoint)
  check_flag(delete_checkpoint)
  check_dots_unused(..., known = names(formals(callback_backup_and_restore)))
  check_flag(restore_history)
  check_one_of(on_mismatch, c("error", "warn"))
  check_one_of(on_save_error, c("warn", "raise"))
  check_extra_state(extra_state)
  check_one_of(verbose, 0:2)
  check_flag(background)
  check_max_overhead(max_overhead)
  check_used_by_auto(max_overhead, 0.035, save_freq)
  check_between_failures(mean_time_between_failures)
  check_used_by_auto(mean_time_between_failures, NULL, save_freq)
  check_max_to_keep(max_to_keep)
  check_double_checkpoint(double_checkpoint, max_to_keep)
  check_hours(keep_checkpoint_every_n_hours)
  check_keep_best(keep_best, where = "the logs of the save")
  check_flag(save_before_preemption)
  check_saves_at_all(save_before_preemption, save_freq)
  check_preemption_signals(preemption_signals)
  check_one_of(after_preemption, c("stop", "continue"))
  check_exit_code(preemption_exit_code)
  check_seconds(grace_seconds)

  keras_part <- rekindle_module("keras")
  add_random_seed()
  show_messages()
  convert_exceptions(
    keras_part$BackupAndRestore(
      backup_dir = as_python_path(backup_dir),
      save_freq = as_python_save_freq(save_freq),
      double_checkpoint = double_checkpoint,
      delete_checkpoint = delete_checkpoint,
      restore_history = restore_history,
      on_mismatch = on_mismatch,
      on_save_error = on_save_error,
      extra_state = as_python_extra_state(extra_state),
      verbose = as.integer(verbose),
      background = background,
      max_overhead = as.double(max_overhead),
      mean_time_between_failures = as_python_time(mean_time_between_failures),
      max_to_keep = if (!is.null(max_to_keep)) as.integer(max_to_keep),
      keep_checkpoint_every_n_hours = as_python_float(keep_checkpoint_every_n_hours),
      keep_best = as_python_keep_best(keep_best),
      save_before_preemption = save_before_preemption,
      preemption_signals = as.list(unname(preemption_signals)),
      after_preemption = after_preemption,
      preemption_exit_code = as.integer(preemption_exit_code),
      grace_seconds = as.double(grace_seconds)
    ),
    call = current_env()
  )
}
