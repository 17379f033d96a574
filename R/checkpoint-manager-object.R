# The object that checkpoint_manager() returns. `$` gives the methods and fields of the Python object.

new_manager <- function(py, checkpoint, rules, background) {
  manager <- structure(new.env(parent = emptyenv()), class = "rekindle_checkpoint_manager")
  list2env(
    list(
      py = py,
      checkpoint = checkpoint,
      rules = c(rules, if (background) "Saves are written in the background."),
      methods = manager_methods(py)
    ),
    envir = manager
  )
  if (background) {
    complete_at_end(manager)
  }
  manager
}

manager_methods <- function(py) {
  list(
    save = function(checkpoint_number = NULL, check_interval = TRUE, with_metadata = NULL) {
      check_number(checkpoint_number)
      check_flag(check_interval)
      check_metadata(with_metadata)
      path <- call_python(
        py$save(
          checkpoint_number = as_python_int(checkpoint_number),
          check_interval = check_interval,
          with_metadata = as_python_metadata(with_metadata)
        ),
        call = current_env()
      )
      invisible(path)
    },
    restore_or_initialize = function() invisible(call_python(py$restore_or_initialize(), current_env())),
    witness = function(step, batch = NULL, loss = NULL) {
      check_witnessed(step, loss)
      call_python(
        py$witness(
          as_python_int(step),
          batch = as_python_batch(batch),
          loss = if (is_python(loss)) loss else as_python_float(loss)
        ),
        call = current_env()
      )
      invisible()
    },
    sync = function() invisible(call_python(py$sync(), current_env())),
    close = function() invisible(call_python(py$close(), current_env())),
    metadata = function(path) {
      check_path(path, role = "the path of a checkpoint")
      call_python(as.list(py$metadata(as_python_path(path))), current_env())
    }
  )
}

# At the end of an R session, Python does not wait for its threads. Only this finalizer waits for them.
complete_at_end <- function(manager) {
  pid <- Sys.getpid()
  complete <- function(manager) {
    # Do nothing in a child process: the folder belongs to its parent.
    if (Sys.getpid() == pid) {
      tryCatch(.subset2(manager, "py")$close(), error = function(cnd) {
        message("rekindle: the last checkpoint was not completed: ", conditionMessage(cnd))
      })
    }
  }
  reg.finalizer(manager, complete, onexit = TRUE)
}

manager_fields <- list(
  checkpoints = function(manager, call) {
    as.character(unlist(call_python(.subset2(manager, "py")$checkpoints, call)))
  },
  latest_checkpoint = function(manager, call) call_python(.subset2(manager, "py")$latest_checkpoint, call),
  directory = function(manager, call) .subset2(manager, "py")$directory,
  checkpoint = function(manager, call) .subset2(manager, "checkpoint"),
  checkpoint_interval = function(manager, call) .subset2(manager, "py")$checkpoint_interval,
  waited = function(manager, call) .subset2(manager, "py")$waited,
  resume_report = function(manager, call) .subset2(manager, "py")$resume_report
)

#' @export
`$.rekindle_checkpoint_manager` <- function(x, name) {
  check_manager_session(x, caller_env())
  found <- .subset2(x, "methods")[[name]]
  if (!is.null(found)) {
    return(found)
  }
  field <- manager_fields[[name]]
  if (is.null(field)) {
    abort_argument(
      c(
        paste0("A checkpoint manager has no `", name, "`."),
        i = guess_at(name, names(x)),
        i = paste0("It has ", ticked(names(x)), ".")
      ),
      name, name, caller_env()
    )
  }
  field(x, caller_env())
}

#' @export
`[[.rekindle_checkpoint_manager` <- function(x, i, ...) {
  check_name(i, caller_env())
  `$.rekindle_checkpoint_manager`(x, i)
}

# nolint start: object_name_linter, object_length_linter. R's own names.

#' @export
`$<-.rekindle_checkpoint_manager` <- function(x, name, value) {
  abort_argument(
    c(
      paste0("`", name, "` of a checkpoint manager cannot be changed."),
      i = "To change a value that is saved, change the checkpoint: `ckpt$step <- 1`."
    ),
    value, name, caller_env()
  )
}

#' @export
`[[<-.rekindle_checkpoint_manager` <- `$<-.rekindle_checkpoint_manager`

#' @export
names.rekindle_checkpoint_manager <- function(x) {
  c(names(.subset2(x, "methods")), names(manager_fields))
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.rekindle_checkpoint_manager <- function(x, pattern = "") {
  grep(pattern, names(x), value = TRUE)
}
# nolint end

#' @export
print.rekindle_checkpoint_manager <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
format.rekindle_checkpoint_manager <- function(x, ...) {
  if (is_of_earlier_session(x)) {
    return("Checkpoint manager of an earlier R session: make it again with `checkpoint_manager()`.")
  }
  paths <- x$checkpoints
  title <- cli::format_inline(
    "{.strong Checkpoint manager} in {place_text(printable(x$directory))}: {length(paths)} checkpoint{?s}"
  )
  c(title, .subset2(x, "rules"), saves_of(x, basename(paths)))
}

# One line for each checkpoint: its name, its age, and the metadata saved with it.
saves_of <- function(manager, names) {
  if (length(names) == 0) {
    return(character())
  }
  door <- r_door()
  saves <- call_python(door$as_lists(door$info_of(.subset2(manager, "py")))$saves, call = NULL)
  saves <- set_names(saves, vapply(saves, function(save) save$name, ""))[names]
  ages <- vapply(saves, function(save) {
    if (is.null(save$time)) "" else paste(duration(as.numeric(Sys.time()) - save$time), "ago")
  }, "")
  metrics <- vapply(saves, function(save) {
    values <- vapply(save$metrics, function(value) format(value, digits = 4), "")
    printable(paste(names(values), "=", values, recycle0 = TRUE, collapse = ", "))
  }, "")
  cells <- paste(format(printable(names)), format(ages, justify = "right"), metrics, sep = "  ")
  paste(cli::symbol$bullet, sub(" +$", "", cells))
}

# Says in one sentence which checkpoints the manager keeps.
rules_text <- function(max_to_keep, hours, best) {
  newest <- if (is.null(max_to_keep)) {
    "Keeps all"
  } else {
    paste0("Keeps the newest", if (max_to_keep > 1) paste0(" ", format_plain(max_to_keep)))
  }
  best_text <- if (!is.null(best)) {
    extreme <- if (best[[2]] == "min") "lowest" else "highest"
    count <- if (best[[3]] > 1) format_plain(best[[3]]) else "one"
    paste0("the ", count, " with the ", extreme, " `", best[[1]], "`")
  }
  every <- if (!is.null(hours)) paste("one every", if (hours == 1) "hour" else paste(format(hours), "hours"))
  paste0(paste(c(newest, best_text, every), collapse = ", and "), ".")
}
