#' Back up a training run, and resume it after a kill
#'
#' @description
#' A callback for `fit()` of a Keras model, of keras3 or of keras. During training, rekindle keeps a backup of
#' the run in `backup_dir`. If the process dies for any reason, run the same script again. `fit()` then begins
#' by restoring the last checkpoint, and continues from there. When training completes, rekindle deletes the
#' backup.
#'
#' A checkpoint holds the model, the optimizer, the place in the data, the random states of R, Python, NumPy
#' and the backend, the state of the other callbacks, and the history. A resumed run therefore ends with the
#' weights of a run that was never interrupted. If rekindle cannot restore something exactly, a warning names
#' it. rekindle does not see state that a callback keeps outside of itself: see "Save state kept in R", below.
#'
#' The callback takes the arguments of the keras3 function of the same name, with the same meaning, and can
#' replace that function. They differ in the files that a crash leaves behind. rekindle writes a checkpoint
#' beside the previous checkpoint and makes the new checkpoint valid in a single step, with checksums. A kill,
#' a power cut or a full disk at any instant leaves the last good checkpoint readable. rekindle never changes
#' files in the folder that it did not write.
#'
#' The callback also serves models of the older package keras (Keras 2, the Python package tf_keras): it finds
#' out which of the two it is for when `fit()` begins. The help page of that package says that "`fit()` redoes
#' any partial work during the unfinished epoch". With this callback the result is the same, and no work since
#' the last checkpoint before the interruption is lost. See "Models of keras", below.
#'
#' @param backup_dir Path of the folder for the backup. rekindle creates the folder if it does not exist. The
#'   folder belongs to this training run alone: rekindle refuses a second run that tries to use it at the same
#'   time. Or a place in an object store, such as `"s3://bucket/run7"`: see "Object stores".
#' @param save_freq When to save. `"epoch"` saves at the end of every epoch. A whole number saves after that
#'   many batches, counted across epochs. A time, such as `"90 s"`, `"10 min"`, `"1 h 30 min"` or
#'   `as.difftime(10, units = "mins")`, saves at the first batch end after that much time has passed since the
#'   last checkpoint, or since training began or resumed. `"auto"` saves at intervals that rekindle chooses
#'   during training, see below; [save_auto()] does so with other bounds. `FALSE` never saves by itself.
#' @param double_checkpoint `TRUE` keeps the last two checkpoints instead of the last one. With either value,
#'   rekindle keeps the previous checkpoint while it writes a new one.
#' @param delete_checkpoint `FALSE` keeps the backup after training completes. rekindle then saves the end of
#'   the last epoch whatever `save_freq` is (but not with `"auto"` or `FALSE`). If you run the same script
#'   once more, the script finds the run complete and trains nothing.
#' @param ... Must be empty: name the arguments after it. `on_mismatch = "warn"` is `allow_changes = "all"`.
#' @param restore_history `TRUE` gives the `history` of a resumed run all epochs from the first epoch on, each
#'   under its own number. `FALSE` gives only the epochs that this call of `fit()` ran, as Keras does.
#' @param allow_changes `NULL`, or the names of what you have changed in the script since the backup, such as
#'   `c("learning_rate", "batch_size")`: see "What may I change between two runs?", below. Training continues
#'   with what the script has. If another setting differs, or the model, you get an error.
#' @param on_save_error What to do if rekindle cannot write a checkpoint, for example because the disk is
#'   full. `"warn"` continues training and relies on the previous checkpoint. `"raise"` stops.
#' @param extra_state `NULL`, or a named list of other state that belongs to the run. Each element is a Python
#'   object that has a state, or a pair of R functions. The Python object has the methods `state_dict()` and
#'   `load_state_dict()`, or is a Keras variable, layer, optimizer or metric, or a random generator of Python,
#'   NumPy or PyTorch. The pair is `list(take = function() ..., put = function(value) ...)`. rekindle saves
#'   optimizers that are attributes of the model without an entry here. Build objects that have variables
#'   before `fit()`.
#' @param verbose `0` prints nothing but warnings. `1` reports what was restored. `2` also reports each
#'   checkpoint, once it is safe on the disk. Epochs and batches are counted from 1, as everywhere in R.
#' @param background `TRUE` copies the state when a checkpoint is due, and writes the checkpoint while
#'   training continues. rekindle writes one checkpoint at a time: the next checkpoint that is due waits until
#'   the current one is written. rekindle handles an error at the next batch or epoch. `FALSE` writes at once,
#'   while training waits.
#' @param retention `NULL`, or a [retention()]: which checkpoints to keep. `NULL` keeps the last checkpoint,
#'   or two with `double_checkpoint = TRUE`. With `delete_checkpoint = FALSE`, these checkpoints stay when
#'   training is complete.
#' @param save_before_preemption `TRUE` saves when a signal announces the end of the process, and then ends
#'   training: see "Preemption", below. A [preemption()] does so with other signals, or in another way.
#'   `FALSE` leaves signals alone.
#' @param on_difference What to do if the resumed run sees other batches or other losses than the interrupted
#'   run saw after the checkpoint: see "Is the resumed run the same?", below. `"warn"` gives a warning, once.
#'   `"raise"` ends training with an error of class `rekindle_mismatch`; the checkpoints stay. `"ignore"` only
#'   notes it in `resume_report`. A [tolerance()] lets losses differ a little, as they do on a GPU.
#' @inheritParams latest_checkpoint
#'
#' @returns A Python callback object for the `callbacks` argument of `fit()`. You can use it beside other
#'   Python and R callbacks. After `fit()` has begun, its field `resume_report` is `NULL` if rekindle restored
#'   nothing. Otherwise the field is a list with `epoch` (counted from 0) and `batch`, the place where
#'   training continues; `step`, the training steps done so far; `number` (`NULL` for a backup by keras3) and
#'   `time` of the restored checkpoint, the time in seconds since 1970; `exact`, whether rekindle restored
#'   everything as it was, and nothing that it saw since speaks against it; `notes`, the things that rekindle
#'   could not restore exactly; `evidence` and `compared`, see "Is the resumed run the same?". Its field
#'   `save_report` is a list with `saves`, how many checkpoints are safe on the disk; `seconds_held`, how long
#'   they delayed training; and `seconds_waited`, how much of that delay was waiting for a checkpoint that was
#'   still being written.
#'
#' @section How does rekindle choose intervals?:
#' `save_freq = "auto"` measures the cost of a checkpoint: how long it delays training, and how much longer
#' the steps take while rekindle writes it. From that cost, rekindle chooses the shortest interval that keeps
#' the overhead under the `max_overhead` of [save_auto()], 3.5 % by default. The interval is at least one
#' second, and rekindle continues to measure. rekindle takes the first checkpoint after a few batches, to
#' measure it. CheckFreq (Mohan, Phanishayee and Chidambaram, FAST'21) showed that an interval can be tuned in
#' this way. With a `mean_time_between_failures`, the interval is not shorter than the interval that loses
#' least time, in saving and in repeated work, by the formula of Young (1974) in Daly's higher order (2006).
#' With `verbose = 1`, rekindle reports each choice. [backup_info()] shows it, too.
#'
#' @inheritSection tolerance Is the resumed run the same?
#' @inheritSection tolerance What may I change between two runs?
#'
#' @section Save state kept in R:
#' rekindle saves and restores R's random state, `.Random.seed`. After a resumed `fit()`, the next [runif()]
#' is that of a run that was never killed.
#'
#' For a callback made with keras3's `Callback()` or `new_callback_class()`, rekindle saves numbers, dates,
#' times, raw vectors, matrices and lists of these that the callback assigns to `self`, if `initialize()`
#' or `on_train_begin()` has assigned a first value. A backup changes no string or factor: it may be the
#' name of a file, and a backup never decides where a script writes. Nor does it change a type: numbers
#' stay numbers. `NULL` and an empty list may become anything. A warning names what is lost.
#'
#' rekindle saves R variables that functions of callbacks assign by `<<-`, except text, if reticulate gives R
#' its functions back: 1.46 does, 1.28 does not. To save state in `private` or in an environment, either give
#' the callback the methods `state_dict()`, which returns its state as a list, and `load_state_dict(state)`,
#' which takes such a list: it then has no other state. Or pass the variables to `extra_state`:
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
#' `take()` may return `NULL`, a vector, a factor, a data frame, or a list of these. `put()` gets the same
#' value, missing values and attributes included. rekindle calls `take()` for each checkpoint, and when you
#' create the backup callback.
#'
#' @section Models of keras:
#' A model of the package keras needs the Python package tf_keras, of the same version as TensorFlow. keras
#' 2.16 chooses it when it is loaded: load keras before anything starts Python. rekindle supports
#' `MirroredStrategy` and `MultiWorkerMirroredStrategy` of `tf$distribute`; with `save_freq = "epoch"` and
#' `save_before_preemption = FALSE` also `ParameterServerStrategy`. With several workers, run the same script
#' in each, with the same `backup_dir` in a folder that all of them see. rekindle's tests of several workers
#' are in Python. It refuses the other strategies. If `keras::callback_backup_and_restore()` left a backup in
#' the folder, rekindle resumes from it with the next batch, and warns. Each of keras and keras3 refuses a
#' backup of the other (`rekindle_mismatch`): if you change a script to the other, give it another folder.
#'
#' In R callbacks of keras, epochs count from 0, as in Python. After a resume, keras' own display of metrics
#' may warn "no non-missing arguments to max" in each epoch: it looks for the first epoch of this call of
#' `fit()`.
#'
#' @section Programs of Synalinks:
#' A script may drive Synalinks, programs of language models, through reticulate. The callback serves such a
#' program, too: it finds out which library it is for when `fit()` begins. Only the batches after the last
#' checkpoint are asked, and paid for, again. A checkpoint takes milliseconds: use `save_freq = 1`. Synalinks
#' needs Python 3.12 or newer, and reticulate can load such a Python from version 1.33 on.
#' `vignette("language-models", package = "rekindle")` says what to install, and has a whole script.
#'
#' ```r
#' asyncio <- reticulate::import("asyncio")
#' backup <- callback_backup_and_restore("backup", save_freq = 1)
#' asyncio$run(program$fit(x, y, batch_size = 1L, epochs = 10L, callbacks = list(backup)))
#' ```
#'
#' @section Interrupt and resume:
#' You can end `fit()` with Escape, Ctrl-C or the Stop button at any moment. The last checkpoint is complete,
#' and the session continues. The next `fit()` with the same folder, in this session or another session,
#' resumes. If a signal ended a script, the script resumes when you run it again.
#'
#' @section Preemption:
#' Batch schedulers, and machines that can be taken away, announce the end by a signal. `fit()` then saves the
#' current place and waits until that checkpoint is safe on the disk. `fit()` ends with a condition of class
#' `rekindle_preempted`, whose message says what was saved. Run the same script again to continue from there.
#' A second signal, more than one second after the first, ends training at once, without another checkpoint.
#'
#' If a script (`Rscript`, or any other session that is not interactive) does not catch this condition, the
#' script ends with the exit status 75, or the status that [preemption()] names. A scheduler can tell this
#' status from a failure. To do this, rekindle sets [options()]`("error")` while `fit()` runs. If you have set
#' this option, rekindle does not change it. In an interactive session, rekindle does not set it. A script
#' that catches the condition decides itself what to do:
#'
#' ```r
#' tryCatch(
#'   with_python_conditions(fit(model, ...)),
#'   rekindle_preempted = function(e) quit(status = e$code)
#' )
#' ```
#'
#' Then the signal has been answered, and the script continues.
#'
#' R itself answers SIGUSR1 by saving its workspace and quitting, and SIGUSR2 by quitting. R does so again
#' when `fit()` has ended. If a signal comes after the last epoch, or in a batch in which an error ends
#' `fit()`, rekindle cannot answer it any more. rekindle sends the signal again when `fit()` has ended:
#' SIGTERM then ends the process. After the last epoch, rekindle first waits for the last checkpoint, and does
#' not remove the backup.
#'
#' @section Train in stages, or with fewer epochs:
#' A backup that has more epochs than `fit()` asks for is an error of class `rekindle_mismatch`. rekindle
#' never removes this backup: ask for as many epochs as before, or use another folder.
#'
#' A script may train in stages on one folder, as by `fit(epochs = 3)` and then
#' `fit(initial_epoch = 3, epochs = 6)`. Suppose that you run the script again and the backup is of a later
#' stage. The earlier `fit()` then reports this, runs no epoch and restores nothing. The later `fit()`
#' restores everything. Until then the model holds the values that the script gave it. Several calls from
#' the first epoch, as in a loop, need a folder each: a later call's backup is refused (`rekindle_mismatch`).
#'
#' @section Switch from keras3:
#' If the folder holds no checkpoint of rekindle, but a backup that the callback of keras3 (or of Keras)
#' wrote, `fit()` resumes from that backup, and reports this. You can switch in the middle of a run. Keras
#' itself loads the weights and the optimizer. Training continues from the start of the epoch that the backup
#' names, as with keras3's callback. That backup does not hold the history. rekindle changes or removes none
#' of the files of keras3. When the run is complete, rekindle writes a small file `takeover.json` beside these
#' files, to note that rekindle has finished with them. A half-written backup is an error (`rekindle_damage`)
#' that names the file and the remedy. With `double_checkpoint`, rekindle takes the previous pair of files.
#'
#' @inheritSection latest_checkpoint Object stores
#'
#' @section Conditions:
#' rekindle does not take a number with a class, such as a date or a period of lubridate, for a plain number.
#' Where a time is accepted, give a difftime or a string.
#'
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`. A missing Python,
#' Keras or Keras backend gives an error of class `rekindle_dependency`. Both have the class `rekindle_error`.
#' A `fit()` with two callbacks that back up and restore (the callback of keras3 counts, too) also gives an
#' error of class `rekindle_argument`, before training begins. When `fit()` ends with an error, the last
#' checkpoint is complete and the folder is unlocked at once: this session or another process can resume.
#'
#' Errors that occur during `fit()` have R classes if you wrap the call in [with_python_conditions()]. Errors
#' of R callbacks are then the conditions that these callbacks raised.
#'
#' @seealso `vignette("rekindle", package = "rekindle")`; [backup_info()] and [backup_watch()] for its folder.
#' @family functions for training with fit()
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
                                        allow_changes = NULL,
                                        on_save_error = "warn",
                                        extra_state = NULL,
                                        verbose = 0,
                                        background = TRUE,
                                        retention = NULL,
                                        save_before_preemption = TRUE,
                                        on_difference = "warn",
                                        storage_options = NULL) {
  allow_changes <- allowed_changes(allow_changes, ..., known = names(formals(callback_backup_and_restore)))
  check_folder(backup_dir)
  check_save_freq(save_freq)
  check_flag(double_checkpoint)
  check_flag(delete_checkpoint)
  check_flag(restore_history)
  check_one_of(on_save_error, c("warn", "raise"))
  check_extra_state(extra_state)
  check_one_of(verbose, 0:2)
  check_flag(background)
  check_rules(retention, double_checkpoint, save_before_preemption, save_freq, on_difference, storage_options)
  share_state()
  show_messages()
  convert_exceptions(
    r_door()$backup_and_restore(
      keras_2 = uses_keras_2(),
      backup_dir = as_python_path(backup_dir),
      save_freq = as_python_save_freq(save_freq),
      double_checkpoint = double_checkpoint,
      delete_checkpoint = delete_checkpoint,
      restore_history = restore_history,
      allow_changes = as.list(unname(allow_changes)),
      on_save_error = on_save_error,
      extra_state = as_python_extra_state(extra_state),
      verbose = as.integer(verbose),
      background = background,
      retention = as_python_retention(retention),
      save_before_preemption = as_python_preemption(save_before_preemption),
      on_difference = as_python_difference(on_difference),
      storage_options = as_python_storage_options(storage_options)
    ),
    call = current_env()
  )
}
