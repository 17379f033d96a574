#' Checkpoint the objects of a custom training loop
#'
#' @description
#' Groups the parts of a training loop, so that you can save and restore them together: models, optimizers and
#' other Python objects, and R values, such as the step, the losses so far, or the parameters of a model
#' written in R.
#'
#' Give the group to a [checkpoint_manager()], which numbers and keeps the checkpoints. Or call its own
#' `$save()`. For a training run by `fit()`, use [callback_backup_and_restore()], which needs none of this.
#'
#' @param ... Named objects. Each of them is:
#'
#'   * a Python object: a Keras model (its compiled optimizer included), layer, optimizer, metric, variable or
#'     `SeedGenerator`; a `tf$Variable`, `tf$Module` or `tf$train$Checkpoint`; a `torch$nn$Module`, optimizer,
#'     scheduler or tensor; an array or a random generator of NumPy, a JAX array; or any object with the
#'     methods `state_dict()` and `load_state_dict()`;
#'   * an R value: numbers, strings, logical values, factors, dates, matrices, arrays, data frames, `NULL`,
#'     and lists of these. rekindle restores types, attributes and missing values as they were;
#'   * a pair of functions for a state that is kept elsewhere: `list(take = function() ..., put =
#'     function(value) ...)`, such as [r_random_state()]. `take()` returns an R value when rekindle saves the
#'     checkpoint. `put()` gets this value back;
#'   * another checkpoint;
#'   * a list, also of lists, that holds nothing but Python objects, such as the parameters of a JAX model.
#'
#'   rekindle refuses functions, environments and values that contain them, because it never reads code from a
#'   file.
#'
#' @returns An object of class `rekindle_checkpoint`. It is a reference, as an environment is: all code that
#'   has the object sees the same values. The named objects are its elements:
#'
#'   * `ckpt$step` is the object named `step` as it is now. After a restore, an R value is the restored value,
#'     while rekindle has changed variables of Python in place.
#'   * `ckpt$step <- ckpt$step + 1` changes it, and `ckpt$name <- value` adds another object. Assigning `NULL`
#'     makes the value `NULL`, which you can save like any other value.
#'   * `names(ckpt)` are the names.
#'
#'   It has the methods and the field:
#'
#'   * `ckpt$save(file_prefix)` saves as `<file_prefix>-<number>` and returns that path. No manager ever
#'     removes a checkpoint that you saved in this way.
#'   * `ckpt$restore(save_path)` restores everything in the checkpoint, or raises an error and changes
#'     nothing. `save_path` is a path that `$save()` returned, or that of [latest_checkpoint()]. With `NULL`,
#'     nothing happens.
#'   * `ckpt$read(save_path)` returns the content of a checkpoint as a named list, without changing anything:
#'     the R values, the numbers and strings of Python, and the arrays of Python as R arrays. Each element is
#'     named by its place, such as `"model/dense/kernel"`. Integers of 64 bits beyond 2^53 lose their last
#'     digits.
#'   * `ckpt$save_counter` is how often you saved the object. A restore brings this number back.
#'
#'   `$restore()` returns a status, invisibly. With it you can say what should have matched:
#'   `$assert_consumed()` is an error unless all saved values were used and all objects here were restored;
#'   `$assert_existing_objects_matched()` allows the checkpoint to hold more; `$expect_partial()` accepts any
#'   match. `$unmatched` and `$unconsumed` are the places without a match. If something did not match and you
#'   called none of these three methods, a warning is printed once the status is gone.
#'
#' @section How are R values restored?:
#' rekindle replaces an R value as a whole by the saved value, since vectors and lists grow while a loop runs.
#' But a value that can only belong to another model is an error of class `rekindle_mismatch`. A matrix or an
#' array can replace only a matrix or an array of the same dimensions, also in a list. A number cannot replace
#' a string. If a value is `NULL`, `NA` or of length 0 in the script, any saved value can replace it.
#'
#' R integers, doubles and strings stay the same to the last bit, and strings come back in UTF-8. They are for
#' R alone: a `rekindle.Checkpoint` of Python restores the models and arrays of such a checkpoint, but nothing
#' into which an R value was saved.
#'
#' @section After the end of the R session:
#' A checkpoint or a manager belongs to its R session. If you read it with [readRDS()], or if RStudio or knitr
#' restore it, its Python part is gone. Whatever you ask of it is then an error of class
#' `rekindle_earlier_session`. Make it again, and restore the saved values. What [backup_info()] and the other
#' functions return about a folder stays as it was.
#'
#' @section Conditions:
#' All have the class `rekindle_error`:
#'
#' * `rekindle_argument`: an object cannot be saved, or a name is not of the accepted form.
#' * `rekindle_mismatch`: the checkpoint does not fit the objects; field `differences`. Nothing was changed.
#'   With the class `rekindle_unmatched`: an assertion about a restore does not hold.
#' * `rekindle_damage`: the checkpoint is not complete.
#' * `rekindle_restore`, `rekindle_save`: there is no checkpoint, or the system refused to read, or to write.
#' * `rekindle_lock`: a manager, or another run, has locked the folder that `$save()` is to write to.
#'
#' @seealso `vignette("custom-loops", package = "rekindle")`.
#' @family functions for custom training loops
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' ckpt <- checkpoint(step = 0L, weights = matrix(0, 2, 3), losses = numeric())
#' ckpt$step <- ckpt$step + 1L
#' ckpt$weights[1, 2] <- 0.5
#' ckpt$losses <- c(ckpt$losses, 0.25)
#' ckpt
#'
#' folder <- tempfile("checkpoints")
#' path <- ckpt$save(file.path(folder, "first"))
#'
#' # In the next session, say, the script makes the same checkpoint again.
#' again <- checkpoint(step = 0L, weights = matrix(0, 2, 3), losses = numeric())
#' again$restore(path)$assert_consumed()
#' again$weights
#'
#' str(again$read(path))
#' unlink(folder, recursive = TRUE)
checkpoint <- function(...) {
  objects <- list2(...)
  check_objects(objects)
  ckpt <- new_checkpoint(rekindle_module()$Checkpoint())
  show_messages()
  for (name in names(objects)) {
    set_object(ckpt, name, objects[[name]])
  }
  ckpt
}

# Names that have another meaning, either here or in the Python class.
own_names <- c("read", "restore", "save", "save_counter", "was_restored")

check_objects <- function(objects, call = caller_env()) {
  if (length(objects) && (!is_named(objects) || anyDuplicated(names(objects)))) {
    abort_argument(
      c(
        "Each object in a checkpoint must have a name of its own.",
        i = "The name identifies the object when the checkpoint is restored."
      ),
      objects, "...", call
    )
  }
  for (name in names(objects)) {
    check_object(objects[[name]], name, call)
  }
}

check_object <- function(x, name, call) {
  check_object_name(x, name, call)
  if (is_checkpoint(x)) {
    return(check_checkpoint_session(x, call))
  }
  pair_problem <- pair_problem(x, name)
  if (!is.null(pair_problem)) {
    abort_argument(
      c(
        paste0(pair_problem, "."),
        i = "A pair of functions is `list(take = function() ..., put = function(value) ...)`."
      ),
      x, name, call
    )
  }
  if (is_python(x) || is_pair(x) || is_python_tree(x)) {
    return(invisible())
  }
  problem <- unsaveable_in(x, name)
  if (!is.null(problem)) {
    abort_argument(
      c(
        paste0("The value of `", name, "` cannot be saved: ", problem, "."),
        i = paste(
          "You can save Python objects, and R numbers, strings, factors, data frames, NULL and lists of",
          "these."
        ),
        i = paste(
          "A list may also hold nothing but Python objects. Give another Python object a name of its own, or",
          "put it into a `checkpoint()` inside this one."
        ),
        i = paste(
          "To save a state that is kept elsewhere, give",
          "`list(take = function() ..., put = function(value) ...)`."
        )
      ),
      x, name, call
    )
  }
}

check_object_name <- function(x, name, call) {
  if (name %in% own_names || startsWith(name, "_")) {
    abort_argument(
      c(
        paste0("An object in a checkpoint cannot have the name `", name, "`."),
        i = if (name %in% own_names) {
          "The checkpoint itself uses this name."
        } else {
          "Names must not begin with an underscore."
        }
      ),
      x, name, call
    )
  }
}
