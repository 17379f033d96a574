# Checks for the arguments of exported functions. If a check fails, it raises `rekindle_argument` with the
# fields `argument` and `value`. The error names the user's argument and the user's call.

abort_argument <- function(message, value, arg, call) {
  abort(
    c(message, i = hint_at_value(value, message[[1]])),
    class = c("rekindle_argument", "rekindle_error"),
    argument = arg,
    value = value,
    call = call
  )
}

# `role` explains the path to a user who left it out.
check_path <- function(x,
                       arg = caller_arg(x),
                       call = caller_env(),
                       role = "the folder for the backup of this training run alone") {
  if (missing(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` is absent, with no default."),
        i = paste0("It is ", role, ".")
      ),
      NULL, arg, call
    )
  }
  if (!is.character(x) || length(x) != 1 || is.na(x)) {
    abort_argument(
      paste0("`", arg, "` must be a single path as a string, not ", describe(x), "."),
      x, arg, call
    )
  }
  if (!nzchar(x)) {
    abort_argument(
      c(
        paste0("`", arg, "` must not be an empty string."),
        i = "`\".\"` is the working directory."
      ),
      x, arg, call
    )
  }
}

# Checks the path of a folder, which need not exist. If a file is in its place, Python would report that only
# when training begins, or wait for the folder.
check_folder <- function(x,
                         arg = caller_arg(x),
                         call = caller_env(),
                         role = "the folder for the backup of this training run alone") {
  check_path(x, arg, call, role)
  check_place(as_python_path(x), x, arg, call)
}

# Checks that `folder` exists, or that it can be made.
check_place <- function(folder, x, arg, call) {
  if (is_url(folder)) {
    return(check_url(folder, arg, call))
  }
  there <- folder
  while (!file.exists(there) && dirname(there) != there) there <- dirname(there)
  if (dir.exists(there) || !file.exists(there)) {
    return(invisible())
  }
  problem <- if (there == as_python_path(x)) {
    paste0("`", arg, "` must be a folder, and ", describe(as.character(x)), " is a file.")
  } else {
    paste0("No folder can be made for `", arg, "`: ", describe(there), " is a file.")
  }
  abort_argument(c(problem, i = "Give another path, or move the file away."), x, arg, call)
}

# Checks the path of a file that is written.
check_new_file <- function(x, endings, arg = caller_arg(x), call = caller_env(), role = "the file to write") {
  force(arg)
  check_path(x, arg, call, role)
  x <- as.character(x)
  if (!any(endsWith(x, endings))) {
    accepted <- paste(vapply(endings, describe, ""), collapse = " or ")
    abort_argument(paste0("`", arg, "` must end in ", accepted, ", not ", describe(x), "."), x, arg, call)
  }
  folder <- dirname(as_python_path(x))
  if (!is_url(x) && !dir.exists(folder)) {
    abort_argument(
      c(
        paste0("`", arg, "` must be in a folder that exists, not ", describe(x), "."),
        x = paste0("There is no folder ", describe(folder), ".")
      ),
      x, arg, call
    )
  }
}

check_flag <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.logical(x) || length(x) != 1 || is.na(x)) {
    abort_argument(paste0("`", arg, "` must be TRUE or FALSE, not ", describe(x), "."), x, arg, call)
  }
}

check_save_freq <- function(x, arg = caller_arg(x), call = caller_env()) {
  word <- any(vapply(list("epoch", "auto", FALSE), identical, NA, x)) || inherits(x, "rekindle_save_auto")
  if (!word && !is_count(x) && !is_time(x)) {
    accepted <- "\"epoch\", a whole number >= 1, a time, \"auto\", a `save_auto()` or FALSE"
    abort_argument(
      c(
        paste0("`", arg, "` must be ", accepted, ", not ", describe(x), "."),
        i = "A number is in batches, counted across epochs.",
        i = "A time is a difftime, or a string such as \"90 s\", \"10 min\", \"1.5 h\" or \"1 day\".",
        i = hint_at_difftime(x)
      ),
      x, arg, call
    )
  }
}

# Whether as_python_time() accepts the value: a length of time above 0. The units are those of Python's
# _base/durations.py.
is_time <- function(x) {
  if (inherits(x, "difftime")) {
    has_unit <- isTRUE(attr(x, "units") %in% c("secs", "mins", "hours", "days", "weeks"))
    return(has_unit && length(x) == 1 && isTRUE(is.finite(x) && x > 0))
  }
  unit <- "(s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?)"
  pattern <- paste0("^([[:space:]]*([0-9]+[.]?[0-9]*|[.][0-9]+)[[:space:]]*", unit, "[[:space:]]*)+$")
  is_string(x) && grepl(pattern, x, ignore.case = TRUE) && grepl("[1-9]", x)
}

hint_at_difftime <- function(x) {
  if (inherits(x, c("Period", "Duration", "Interval"))) {
    "A lubridate time `x` as a difftime is `as.difftime(as.numeric(x, \"secs\"), units = \"secs\")`."
  }
}

# A single finite number without a class. A number with a class, such as a date, a factor or a lubridate
# period, means something other than its value.
is_number <- function(x) {
  is.numeric(x) && !is.object(x) && length(x) == 1 && is.finite(x)
}

# A double can hold every whole number up to 2^53.
is_whole <- function(x, from = -2^53, to = 2^53) {
  is_number(x) && x >= from && x <= to && x == trunc(x)
}

is_count <- function(x) {
  is_whole(x, 1, .Machine$integer.max)
}

check_one_of <- function(x, choices, arg = caller_arg(x), call = caller_env()) {
  one <- if (is.character(choices)) is.character(x) && length(x) == 1 else is_number(x)
  if (!one || !x %in% choices) {
    shown <- vapply(choices, describe, "")
    last <- length(shown)
    shown <- paste(paste(shown[-last], collapse = ", "), "or", shown[last])
    abort_argument(
      c(
        paste0("`", arg, "` must be ", shown, ", not ", describe(x), "."),
        i = if (is.numeric(choices)) hint_at_number(x),
        i = if (is.numeric(choices) && is_bool(x)) paste0("Write ", as.integer(x), " instead of ", x, ".")
      ),
      x, arg, call
    )
  }
}

check_extra_state <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  if (!is.list(x) || is.object(x)) {
    abort_argument(paste0("`", arg, "` must be NULL or a named list, not ", describe(x), "."), x, arg, call)
  }
  if (length(x) && (!is_named(x) || anyDuplicated(names(x)))) {
    abort_argument(
      c(
        paste0("Each element of `", arg, "` must have a name of its own."),
        i = "The name identifies the element when a run resumes."
      ),
      x, arg, call
    )
  }
  for (name in names(x)) {
    check_state(x[[name]], paste0(arg, "$", name), name, arg, call)
  }
}

# Checks one element of `extra_state`. Python checks which Python objects have a state.
check_state <- function(x, shown, name, arg, call) {
  if (name == ".Random.seed") {
    abort_argument(
      c(
        paste0("`", arg, "` must not have an element `.Random.seed`."),
        i = "R's random state is always saved."
      ),
      x, arg, call
    )
  }
  if (is_python(x)) {
    return(invisible())
  }
  problem <- pair_problem(x, shown)
  if (!is_pair(x) || !is.null(problem)) {
    problem <- problem %||%
      paste0("`", shown, "` must be a Python object or a pair of functions, not ", describe(x))
    abort_argument(
      c(
        paste0(problem, "."),
        i = "A pair is `list(take = function() ..., put = function(value) ...)`."
      ),
      x, arg, call
    )
  }
  try_fetch(
    encode_value(naming(paste0("`", shown, "$take()`"), x$take())),
    rekindle_unsupported = function(cnd) {
      abort_argument(
        c(
          paste0("`", shown, "$take()` must return a value that can be saved."),
          x = conditionMessage(cnd),
          i = "NULL, vectors, factors, data frames and lists of these can be saved."
        ),
        x, arg, call
      )
    }
  )
}

# The names that Python's _training/changes.py accepts.
known_changes <- c(
  "learning_rate", "weight_decay", "optimizer", "loss", "batch_size", "steps", "data", "epochs", "callbacks",
  "language_models", "backend", "devices", "versions", "all"
)

check_allow_changes <- function(x, arg = caller_arg(x), call = caller_env()) {
  unknown <- if (is.character(x)) setdiff(x, known_changes)
  if (!is.null(x) && !is.character(x) || length(unknown) > 0) {
    problem <- if (is.character(x)) {
      paste0("`", arg, "` must not have ", describe(unknown[[1]]), ".")
    } else {
      paste0("`", arg, "` must be NULL or names of changes, not ", describe(x), ".")
    }
    abort_argument(
      c(problem, i = paste0("The names are ", paste0("\"", known_changes, "\"", collapse = ", "), ".")),
      x, arg, call
    )
  }
}

# The changes that are allowed. The argument was `on_mismatch` before it had names: "warn" stood for all.
allowed_changes <- function(allow_changes, ..., on_mismatch = NULL, known, call = caller_env()) {
  check_dots_unused(..., known = known, call = call)
  check_allow_changes(allow_changes, call = call)
  if (is.null(on_mismatch)) {
    return(allow_changes)
  }
  check_one_of(on_mismatch, c("error", "warn"), call = call)
  if (!is.null(allow_changes)) {
    abort_argument("Give `allow_changes` or `on_mismatch`, not both.", on_mismatch, "on_mismatch", call)
  }
  if (on_mismatch == "warn") "all"
}

# The arguments of the callback that take options as objects.
check_rules <- function(retention, double_checkpoint, save_before_preemption, save_freq, on_difference,
                        storage_options, call = caller_env()) {
  check_retention(retention, double_checkpoint, call = call)
  check_save_before_preemption(save_before_preemption, save_freq, call = call)
  check_on_difference(on_difference, call = call)
  check_storage_options(storage_options, call = call)
}
