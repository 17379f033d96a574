# Checks the arguments of checkpoint_manager() and of its methods, and converts them for Python.

check_checkpoint <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (missing(x) || !(is_checkpoint(x) || is_python(x))) {
    given <- if (!missing(x)) x
    abort_argument(
      c(
        if (missing(x)) {
          paste0("`", arg, "` is absent, with no default.")
        } else {
          paste0("`", arg, "` must be a checkpoint, not ", describe(x), ".")
        },
        i = "`checkpoint(model = model, step = 0)` makes one."
      ),
      given, arg, call
    )
  }
  if (is_checkpoint(x)) check_checkpoint_session(x, call)
}

check_max_to_keep <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (missing(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` is absent, with no default."),
        i = "It is the number of checkpoints to keep. NULL keeps all."
      ),
      NULL, arg, call
    )
  }
  if (!is.null(x) && !is_count(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be NULL or a whole number >= 1, not ", describe(x), "."),
        i = "NULL keeps all checkpoints."
      ),
      x, arg, call
    )
  }
}

check_hours <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && !(is_number(x) && x > 0)) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a number of hours above 0, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_file_prefix <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is_string(x) || !nzchar(x) || startsWith(x, ".") || grepl("[/\\\\\n\r\"]", x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be the first part of a file name, not ", describe(x), "."),
        i = "It must not contain a folder or begin with a dot."
      ),
      x, arg, call
    )
  }
}

check_step_counter <- function(x, checkpoint, arg = caller_arg(x), call = caller_env()) {
  if (is.null(x) || is.function(x) || is_python(x)) {
    return(invisible())
  }
  if (!is_string(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be a name, a function or a Python variable, not ", describe(x), "."),
        i = "The name is that of a whole number in the checkpoint, such as \"step\"."
      ),
      x, arg, call
    )
  }
  if (is_checkpoint(checkpoint) && !(x %in% names(checkpoint) && is_step(checkpoint[[x]]))) {
    abort_argument(
      c(
        paste0("`", arg, "` must name a whole number in the checkpoint, and ", describe(x), " does not."),
        i = paste0("It has ", paste0("`", names(checkpoint), "`", collapse = ", "), ".")
      ),
      x, arg, call
    )
  }
}

# Whether as_python_int() accepts the value.
is_step <- function(x) {
  is_python(x) || is_whole(x)
}

check_interval <- function(x, step_counter, arg = caller_arg(x), call = caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  if (!is_count(x)) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a whole number of steps >= 1, not ", describe(x), "."),
      x, arg, call
    )
  }
  if (is.null(step_counter)) {
    abort_argument(
      c(
        paste0("`step_counter` must be given with `", arg, "`."),
        i = "It gives the current step, as in `step_counter = \"step\"`."
      ),
      NULL, "step_counter", call
    )
  }
}

check_function <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && !is.function(x)) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a function without arguments, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_step <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && !is_whole(x)) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a whole number, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_number <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && !is_python(x) && !is_whole(x, from = 0)) {
    abort_argument(
      paste0("`", arg, "` must be NULL or a whole number >= 0, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_witnessed <- function(step, loss, call = caller_env()) {
  if (!is_python(step) && !is_whole(step, from = 0)) {
    abort_argument(
      c(
        paste0("`step` must be a whole number >= 0, not ", describe(step), "."),
        i = "It is the number of the step, counted over the whole run."
      ),
      step, "step", call
    )
  }
  # A loss may be NaN.
  if (!is.null(loss) && !is_python(loss) && !(is.numeric(loss) && !is.object(loss) && length(loss) == 1)) {
    abort_argument(
      paste0("`loss` must be NULL, a number or a Python array with one number, not ", describe(loss), "."),
      loss, "loss", call
    )
  }
}

# `where` names the place that holds the metric's value. It is a part of the message.
check_keep_best <- function(x, arg = caller_arg(x), call = caller_env(), where = "`with_metadata`") {
  if (!is.null(x) && !is_best_rule(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be NULL or `list(metric, mode, n)`, not ", describe(x), "."),
        i = paste0("A name of a value in ", where, ", \"min\" or \"max\", and a whole number >= 1."),
        i = "For instance: `list(\"val_loss\", \"min\", 2)`."
      ),
      x, arg, call
    )
  }
}

# The arguments that tf.train's manager does not have.
check_manager_options <- function(keep_best, background, on_difference, storage_options,
                                  call = caller_env()) {
  check_keep_best(keep_best, call = call)
  check_flag(background, call = call)
  check_on_difference(on_difference, call = call)
  check_storage_options(storage_options, call = call)
}

is_best_rule <- function(x) {
  if (!is_plain_list(x) || length(x) != 3 || !is.null(names(x))) {
    return(FALSE)
  }
  is_name(x[[1]]) && list(x[[2]]) %in% list("min", "max") && is_count(x[[3]])
}

is_name <- function(x) {
  is_string(x) && nzchar(x)
}

# --- to Python --------------------------------------------------------------------------------------------

as_python_float <- function(x) {
  if (!is.null(x)) as.double(x)
}

# The data of a step, for a digest: numbers as NumPy arrays, and the parts of lists without their names.
as_python_batch <- function(x, call = caller_env()) {
  if (is.null(x) || is_python(x)) {
    return(x)
  }
  if (is.list(x)) {
    return(lapply(unname(as.list(x)), as_python_batch, call = call))
  }
  if (is.character(x) || is.factor(x)) {
    return(as.list(enc2utf8(as.character(x))))
  }
  as_numpy_array(x, call)
}

as_numpy_array <- function(x, call) {
  if (!typeof(x) %in% c("logical", "integer", "double", "complex", "raw")) {
    abort_argument(
      c(
        paste0("`batch` must not have ", describe(x), " in it."),
        i = "It takes vectors, arrays, data frames, Python arrays, and lists of these."
      ),
      x, "batch", call
    )
  }
  shape <- dim(x) %||% length(x)
  # Classes, such as that of dates, are not NumPy's. reticulate makes no array of raw values.
  x <- if (is.raw(x)) as.integer(x) else as.vector(unclass(x))
  dim(x) <- shape
  reticulate::r_to_py(x)
}

as_python_step_counter <- function(step_counter, checkpoint) {
  if (is_string(step_counter) && is_checkpoint(checkpoint)) {
    name <- step_counter
    step_counter <- function() checkpoint[[name]]
  }
  if (!is.function(step_counter) || is_python(step_counter)) {
    return(step_counter)
  }
  for_python(function() {
    step <- naming("`step_counter()`", step_counter())
    if (!is_step(step)) {
      abort_argument(
        c(
          paste0("`step_counter` must give a whole number, not ", describe(step), "."),
          i = "`checkpoint_interval` is counted in steps."
        ),
        step, "step_counter", NULL
      )
    }
    as_python_int(step)
  })
}

as_python_init_fn <- function(init_fn) {
  if (is.null(init_fn) || is_python(init_fn)) {
    return(init_fn)
  }
  for_python(function() {
    naming("`init_fn()`", init_fn())
    NULL
  })
}

as_python_keep_best <- function(keep_best) {
  if (!is.null(keep_best)) {
    reticulate::tuple(keep_best[[1]], keep_best[[2]], as.integer(keep_best[[3]]))
  }
}
