#' See what is in a backup
#'
#' @description
#' Lists the checkpoints in a backup folder, and shows which process has locked the folder. You can call
#' `backup_info()` at any time: while a run continues in this session or in another session, after the run
#' died, and for a folder from another machine. `backup_info()` does not lock the folder and changes nothing
#' in it.
#'
#' @param backup_dir Path of the folder, or the URL of a place in an object store, as given to
#'   [callback_backup_and_restore()].
#' @param ... Must be empty: the arguments after it must be named.
#' @inheritParams latest_checkpoint
#'
#' @returns A list of class `rekindle_backup_info`, which prints itself, with the elements
#' * `directory`: the folder, as an absolute path;
#' * `state`: `"whole"`; `"damaged"` if a checkpoint is damaged and another checkpoint is complete; `"lost"`
#'   if there are checkpoints and none is complete; `"foreign"` if there is no checkpoint, but other files;
#'   `"empty"`; or `"missing"` if there is no such folder;
#' * `held`: whether a run has locked the folder now; `NA` if this machine cannot tell, as for a run on
#'   another machine;
#' * `holder`: `NULL`, or a list with `host`, `pid` and `started` (a time) of the process that has locked the
#'   folder;
#' * `is_here`: whether that process is this very R session;
#' * `saves`: a data frame of the checkpoints, see below;
#' * `schedule`: `NULL`, or with a `save_freq` by the clock, a list that the newest complete checkpoint
#'   contains: `save_freq` (`"time"` or `"auto"`) and the `interval` in seconds. With `"auto"` also the two
#'   bounds that you gave; the `reason` for the interval: `"max_overhead"`, `"mean_time_between_failures"`,
#'   `"writing"` (as often as a checkpoint can be written) or `"shortest"` (one second); and in seconds, the
#'   cost of a checkpoint, `stall` and `interference`, its `duration`, and the duration of a `step`. A first
#'   checkpoint, which rekindle takes to measure it, has only the bounds;
#' * `evidence`: `NULL`, or of a run that had resumed before its newest complete checkpoint, a list: the
#'   `number` of the checkpoint that it resumed from, with its `epoch` and `batch` (of a custom loop that
#'   reports its steps, its `step`); the `evidence` (`"verified"`, `"unverified"`, `"changed"` or `"differs"`,
#'   see [callback_backup_and_restore()]); and how many `batches`, `losses` and `epochs` were those of the
#'   interrupted run, with the `largest` relative difference of a loss;
#' * `size`: bytes of all files of the backup;
#' * `set_aside`: sizes of damaged files that rekindle has quarantined (renamed), by their new names;
#' * `foreign`: names of files that rekindle did not write;
#' * `of_keras`, `of_keras_2`: whether a backup by the callback of keras3, or of keras, is among these.
#'
#' [as.data.frame()] returns the data frame of the checkpoints, oldest first. Its columns are `name`;
#' `number`; `epoch`, how many epochs were done; `batch`, how many batches of the next epoch; `step`, training
#' steps in all; `time` and `age`; `size`, bytes of the files that were written with the checkpoint; `shared`,
#' bytes of arrays that did not change since an older checkpoint and lie in the files of that checkpoint;
#' `whole`; `damage`, the description of the damage; and a column for each metric that was reported. Here,
#' `whole` means that every byte of the manifest is intact and that the arrays have the right sizes.
#' [backup_verify()] reads all bytes of the arrays. If rekindle cannot read a manifest, all values from it are
#' `NA`.
#'
#' [format()] returns the lines that are printed.
#'
#' @section Conditions:
#' An argument that is not of the accepted form gives an error of class `rekindle_argument`. A folder that the
#' system refuses to read gives an error of class `rekindle_restore`. A missing Python gives an error of class
#' `rekindle_dependency`.
#'
#' @seealso [backup_delete()], [latest_checkpoint()]. The same from a shell: `python -m
#'   rekindle info`. If you did not install the Python package with pip as well, set the variable `PYTHONPATH`
#'   in the shell to the folder `system.file("python", package = "rekindle")`.
#' @family functions that look into a backup
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")
#' keras <- reticulate::import("keras")
#' np <- reticulate::import("numpy", convert = FALSE)
#' backup_dir <- tempfile("backup")
#'
#' model <- keras$Sequential(list(keras$layers$Input(reticulate::tuple(4L)), keras$layers$Dense(1L)))
#' model$compile(optimizer = "sgd", loss = "mse")
#' history <- model$fit(
#'   np$ones(c(20L, 4L)), np$zeros(c(20L, 1L)),
#'   epochs = 3L, verbose = 0L,
#'   callbacks = list(callback_backup_and_restore(backup_dir, delete_checkpoint = FALSE))
#' )
#'
#' backup_info(backup_dir)
#' as.data.frame(backup_info(backup_dir))
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_info <- function(backup_dir, ..., storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_info)))
  check_folder(backup_dir)
  check_storage_options(storage_options)
  found <- convert_exceptions(
    as_r_list(inspection()$info(
      as_python_path(backup_dir),
      storage_options = as_python_storage_options(storage_options)
    )),
    call = current_env()
  )
  looked <- Sys.time()
  structure(
    list(
      directory = found$directory,
      state = found$state,
      held = found$held %||% NA,
      holder = as_holder(found$holder),
      is_here = found$is_here,
      saves = saves_frame(found$saves, looked),
      schedule = newest_field(found$saves, "schedule"),
      evidence = newest_field(found$saves, "evidence"),
      size = found$size,
      set_aside = unlist(found$set_aside) %||% set_names(numeric(), character()),
      foreign = as.character(unlist(found$foreign)),
      of_keras = found$of_keras,
      of_keras_2 = found$of_keras_2,
      looked = looked
    ),
    class = "rekindle_backup_info"
  )
}

newest_field <- function(saves, field) {
  whole <- Filter(function(save) is.null(save$damage), saves)
  found <- if (length(whole)) whole[[length(whole)]][[field]]
  if (length(found)) found
}

as_holder <- function(holder) {
  if (!is.null(holder)) {
    list(
      host = value_or_na(holder$host, "character"),
      pid = value_or_na(holder$pid, "double"),
      started = as_time(value_or_na(holder$started, "double"))
    )
  }
}

saves_frame <- function(saves, looked) {
  column <- function(field, type) {
    vapply(saves, function(save) value_or_na(save[[field]], type), vector(type, 1))
  }
  time <- as_time(column("time", "double"))
  damage <- column("damage", "character")
  frame <- data.frame(
    name = column("name", "character"),
    number = column("number", "double"),
    epoch = column("epoch", "double"),
    batch = column("batch", "double"),
    step = column("step", "double"),
    time = time,
    age = as.difftime(pmax(0, as.numeric(looked) - as.numeric(time)), units = "secs"),
    size = column("size", "double"),
    shared = column("shared", "double"),
    whole = is.na(damage),
    damage = damage
  )
  cbind(frame, metrics_frame(saves, names(frame)))
}

# One column for each metric that any checkpoint has. `taken` holds the names of the other columns.
metrics_frame <- function(saves, taken) {
  metrics <- lapply(saves, function(save) save$metrics)
  names <- unique(unlist(lapply(metrics, names)))
  columns <- lapply(names, function(name) {
    values <- lapply(metrics, function(one) one[[name]] %||% NA)
    unlist(values)
  })
  # A metric may have any name, even "epoch".
  names(columns) <- make.unique(c(taken, names))[length(taken) + seq_along(names)]
  structure(columns, class = "data.frame", row.names = .set_row_names(length(saves)))
}

#' @export
as.data.frame.rekindle_backup_info <- function(x, ...) {
  as_table(x$saves)
}

#' @export
print.rekindle_backup_info <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
format.rekindle_backup_info <- function(x, ...) {
  x <- all_printable(x)
  if (x$state == "missing") {
    what <- if (is_url(x$directory)) "There is no backup at " else "There is no folder "
    return(paste0(what, place_text(x$directory), "."))
  }
  title <- cli::format_inline(
    "{.strong Backup} in {place_text(x$directory)}: {nrow(x$saves)} checkpoint{?s}, {size_text(x$size)}"
  )
  saves <- if (nrow(x$saves)) saves_lines(x) else mark_line("info", without_saves_text(x))
  aside <- if (length(x$set_aside)) {
    names <- toString(names(x$set_aside))
    mark_line("warning", paste0("Quarantined because damaged, and not used: ", names, "."))
  }
  c(title, holder_line(x), saves, schedule_line(x$schedule), evidence_line(x$evidence), aside)
}

mark_line <- function(kind, text) {
  mark <- switch(kind,
    info = cli::col_cyan(cli::symbol$info),
    running = cli::col_green(cli::symbol$play),
    warning = cli::col_yellow("!"),
    error = cli::col_red(cli::symbol$cross)
  )
  paste(mark, text)
}

holder_line <- function(x) {
  holder <- x$holder
  place <- if (is_url(x$directory)) "this place" else "the folder"
  who <- if (!is.null(holder) && !is.na(holder$pid)) {
    paste0("process ", format(holder$pid, scientific = FALSE), " on \"", holder$host, "\"")
  } else {
    "another process"
  }
  since <- if (!is.null(holder) && !is.na(holder$started)) {
    passed <- as.numeric(x$looked) - as.numeric(holder$started)
    paste0(", since ", format(holder$started, "%Y-%m-%d %H:%M:%S"), " (", duration(passed), ")")
  }
  if (is.na(x$held)) {
    text <- paste0(
      "rekindle cannot see from here whether a run has locked ", place, ". The last one was ", who, since, "."
    )
    return(mark_line("info", text))
  }
  if (!x$held) {
    return(mark_line("info", paste0("No run has locked ", place, ".")))
  }
  text <- if (x$is_here) {
    paste("This R session has locked", place)
  } else {
    paste0("A run has locked ", place, ": ", who)
  }
  mark_line("running", paste0(text, since, "."))
}

saves_lines <- function(x) {
  saves <- x$saves
  damaged <- saves[!saves$whole, , drop = FALSE]
  whole <- saves[saves$whole, , drop = FALSE]
  wrong <- paste0(damaged$name, " is damaged: ", damaged$damage, ".", recycle0 = TRUE)
  next_save <- if (nrow(whole) == 0) {
    "No checkpoint is whole, so no run can resume from this folder."
  } else if (nrow(damaged)) {
    paste0("The next run resumes from ", whole$name[[nrow(whole)]], ".")
  }
  c(
    saves_table(saves),
    if (length(wrong)) mark_line("error", wrong),
    if (length(next_save)) mark_line("info", next_save)
  )
}

saves_table <- function(saves) {
  known <- seq_len(match("damage", names(saves)))
  count <- function(x) ifelse(is.na(x), "-", format(x, trim = TRUE, scientific = FALSE))
  cells <- c(
    list(
      checkpoint = saves$name,
      epochs = count(saves$epoch),
      batches = count(saves$batch),
      steps = count(saves$step),
      `saved at` = ifelse(is.na(saves$time), "-", format(saves$time, "%Y-%m-%d %H:%M:%S")),
      age = vapply(as.numeric(saves$age), function(age) if (is.na(age)) "-" else duration(age), ""),
      size = size_text(saves$size),
      state = ifelse(saves$whole, "whole", "damaged")
    ),
    lapply(saves[-known], metric_text)
  )
  padded <- mapply(
    function(name, column) formatC(c(name, column), width = max(nchar(c(name, column)))),
    names(cells), cells,
    SIMPLIFY = FALSE
  )
  lines <- do.call(paste, c(unname(padded), sep = "  "))
  c("", cli::style_bold(lines[[1]]), lines[-1])
}

metric_text <- function(x) {
  shown <- if (is.numeric(x)) formatC(x, digits = 4, format = "g") else as.character(x)
  ifelse(is.na(x) & !is.nan(x), "-", shown)
}
