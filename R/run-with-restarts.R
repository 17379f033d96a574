#' Run a script again after a crash
#'
#' @description
#' Runs an R script in a separate process. If the script fails or is killed (for example by the system, when
#' memory runs out), rekindle runs the script again, for as long as the backup of the script moves forward.
#' The script trains with [callback_backup_and_restore()] or a [checkpoint_manager()], and so continues from
#' its last checkpoint.
#'
#' The function is `python -m rekindle run` with `Rscript` as its command. A batch scheduler sends signals and
#' looks at exit codes. Under a scheduler, call that command from the shell script of the job instead:
#' `vignette("batch-schedulers", package = "rekindle")` has templates.
#'
#' @details
#' A start makes progress if the backup is then further than it ever was: by steps, or by epochs and batches,
#' or by the order of saving, whichever its checkpoints have. rekindle finds out by itself which folders the
#' script uses.
#'
#' Before a restart, rekindle waits. After progress, it waits about `backoff` seconds. After each further
#' start without progress, it waits twice as long, up to five minutes. Each wait is a random time between half
#' of that and all of it.
#'
#' If a script ends with exit code 75, it was asked to end and has saved. After progress, rekindle starts it
#' again at once, and does not count this as a restart.
#'
#' No process of the script is left when this function ends, however it ends, and before the next start. If
#' this session is killed, rekindle sends SIGTERM to the script, to ask for its end.
#'
#' @param script Path of an R script.
#' @param args Character vector: the arguments of the script, as its `commandArgs(trailingOnly = TRUE)`
#'   returns them.
#' @param ... Must be empty: the arguments after it must be named.
#' @param max_restarts The most restarts after failures in all; `Inf` for no limit.
#' @param max_idle_restarts The most restarts in a row that do not move the backup forward.
#' @param backoff Seconds before a restart: see Details.
#' @param backup_dir Paths of folders with backups, or URLs of places in an object store, beside those that
#'   the script reports. You seldom need this. The settings of a store come from the environment.
#' @param log Path of a file, or `NULL`. rekindle appends the output of the script to the file, with a line at
#'   each start.
#'
#' @returns Invisibly, an object of class `rekindle_restarts`, which you can print: a list with `script`;
#'   `outcome`, which is `"completed"`, or `"stopped"` if a signal asked for the end; `why`, in words;
#'   `status`, the exit code of the last start, or 128 plus the number of the signal that killed it;
#'   `backup_dir`, the folder with the furthest checkpoint, or `NA`; `log`; and `starts`, a data frame with a
#'   row for each start: `began`, `seconds`, `status`, `ended` (in words), `progress`, and the furthest
#'   checkpoint, `save`, with its `step`.
#'
#' @section Conditions:
#' If rekindle gives up on the script, it raises an error of class `rekindle_gave_up` and `rekindle_error`.
#' Its field `summary` is the object that the function would have returned, with the `outcome` `"gave_up"`. An
#' argument that is not of the accepted form gives an error of class `rekindle_argument`. A missing Python
#' gives an error of class `rekindle_dependency`.
#'
#' rekindle passes an interrupt (Escape, Ctrl-C, the Stop button) on to the script, and waits for the end of
#' the script. A second interrupt, one second or more later, kills the script. The interrupt stays an
#' interrupt.
#'
#' @seealso `vignette("batch-schedulers", package = "rekindle")`; [backup_watch()] for the run.
#' @family functions for training with fit()
#' @export
#' @examplesIf nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("numpy")
#' # In place of a training: it fails twice.
#' script <- tempfile(fileext = ".R")
#' writeLines(c(
#'   "file <- commandArgs(trailingOnly = TRUE)",
#'   "cat('x', file = file, append = TRUE)",
#'   "if (file.size(file) < 3) stop('not yet')"
#' ), script)
#'
#' done <- run_with_restarts(script, tempfile("count"), backoff = 0)
#' done$starts$ended
run_with_restarts <- function(script,
                              args = character(),
                              ...,
                              max_restarts = Inf,
                              max_idle_restarts = 3,
                              backoff = 10,
                              backup_dir = NULL,
                              log = NULL) {
  check_dots_unused(..., known = names(formals(run_with_restarts)))
  check_script(script)
  check_strings(args)
  check_limit(max_restarts)
  check_limit(max_idle_restarts)
  check_seconds(backoff)
  check_strings(backup_dir)
  if (!is.null(log)) check_path(log, role = "the file to which output is appended")
  check_can_run()
  report <- tempfile("restarts", fileext = ".json")
  on.exit(unlink(report))
  options <- c(
    option("--max-restarts", if (is.finite(max_restarts)) max_restarts),
    option("--max-idle-restarts", if (is.finite(max_idle_restarts)) max_idle_restarts else 1e9),
    option("--backoff", backoff),
    option("--backup", places(backup_dir)),
    option("--log", local_file(log)),
    option("--summary", report)
  )
  rscript <- file.path(R.home("bin"), "Rscript")
  was_interrupted <- run_supervisor(c(options, "--", rscript, path.expand(script), args), current_env())
  if (!file.exists(report)) {
    abort(
      c("The script could not be run.", i = "The output above gives the reason."),
      class = "rekindle_error"
    )
  }
  summary <- restarts_from(report, script, log)
  if (was_interrupted) {
    interrupt()
  }
  if (summary$outcome == "gave_up") {
    abort_gave_up(summary, current_env())
  }
  invisible(summary)
}

option <- function(name, values) {
  as.vector(rbind(rep(name, length(values)), format_plain(values)))
}

format_plain <- function(x) {
  if (is.numeric(x)) format(x, scientific = FALSE, trim = TRUE, digits = 15) else x
}

check_can_run <- function(call = caller_env()) {
  if (.Platform$OS.type != "unix") {
    abort(
      "`run_with_restarts()` needs the signals and process groups of Unix.",
      class = c("rekindle_dependency", "rekindle_error"),
      call = call
    )
  }
  check_installed("processx", call = call)
}

# Runs the Python supervisor until it ends, and prints its output as R's own. Returns whether an interrupt
# arrived.
run_supervisor <- function(args, call) {
  # If Python or a Python package is missing, this raises the same error as the other functions.
  rekindle_module(call = call)
  start <- paste(
    "import sys; sys.path.insert(0, sys.argv.pop(1))",
    "from rekindle._cli.main import main; sys.exit(main())",
    sep = "; "
  )
  supervisor <- processx::process$new(
    reticulate::py_config()$python,
    c("-c", start, system.file("python", package = "rekindle"), "run", "--end-with-parent", args),
    # The script must find the same packages as this session.
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep)),
    stdout = "|", stderr = "|"
  )
  # If an error occurs here, such as an error of a sink, do not leave the supervisor running.
  on.exit(if (supervisor$is_alive()) supervisor$signal(15L)) # SIGTERM, on every Unix
  was_interrupted <- FALSE
  repeat {
    again <- tryCatch(
      {
        pass_output_on(supervisor)
        FALSE
      },
      interrupt = function(cnd) TRUE
    )
    if (!again) {
      return(was_interrupted)
    }
    was_interrupted <- TRUE
    supervisor$interrupt()
  }
}

pass_output_on <- function(supervisor) {
  repeat {
    going <- supervisor$is_alive()
    supervisor$poll_io(200)
    out <- supervisor$read_output()
    error <- supervisor$read_error()
    cat(out)
    cat(error, file = stderr())
    # The process may have written between the check and the read. The pipes may hold more than one read
    # returns.
    if (!going && !nzchar(out) && !nzchar(error)) {
      return(invisible())
    }
  }
}

restarts_from <- function(report, script, log) {
  text <- paste(readLines(report, encoding = "UTF-8"), collapse = "\n")
  found <- reticulate::import("json")$loads(text)
  column <- function(name, type) {
    vapply(found$starts, function(start) value_or_na(start[[name]], type), vector(type, 1))
  }
  place <- function(name, type) {
    vapply(found$starts, function(start) value_or_na(start$place[[name]], type), vector(type, 1))
  }
  structure(
    list(
      script = script,
      outcome = found$outcome,
      why = found$why,
      status = as.integer(found$status),
      backup_dir = value_or_na(found$directory, "character"),
      log = log,
      starts = data.frame(
        began = as_time(column("began", "double")),
        seconds = column("seconds", "double"),
        status = as.integer(column("status", "double")),
        ended = column("ended", "character"),
        progress = column("progress", "logical"),
        save = place("name", "character"),
        step = place("step", "double")
      )
    ),
    class = "rekindle_restarts"
  )
}

abort_gave_up <- function(summary, call) {
  count <- nrow(summary$starts)
  last <- summary$starts$ended[[count]]
  abort(
    c(
      paste0("The supervisor gave up the script after ", count, if (count == 1) " start." else " starts."),
      x = paste0("The last one ended with ", last, "."),
      x = paste0(toupper(substring(summary$why, 1, 1)), substring(summary$why, 2), "."),
      i = if (!is.na(summary$backup_dir)) {
        paste0("The backup is in ", summary$backup_dir, ". The same call resumes from it.")
      },
      i = if (!is.null(summary$log)) paste0("The output is in ", summary$log, ".")
    ),
    class = c("rekindle_gave_up", "rekindle_error"),
    summary = summary,
    call = call
  )
}

#' @export
print.rekindle_restarts <- function(x, ...) {
  words <- c(completed = "completed", stopped = "stopped", gave_up = "given up")
  count <- nrow(x$starts)
  cat(
    "<rekindle_restarts> ", x$script, "\n",
    words[[x$outcome]], " after ", count, if (count == 1) " start" else " starts", ": ", x$why, "\n",
    sep = ""
  )
  if (!is.na(x$backup_dir)) cat("backup: ", printable(x$backup_dir), "\n", sep = "")
  if (!is.null(x$log)) cat("log: ", printable(x$log), "\n", sep = "")
  print(x$starts)
  invisible(x)
}

check_script <- function(x, arg = caller_arg(x), call = caller_env()) {
  check_path(x, arg, call, role = "the R script to run")
  if (!file.exists(x) || dir.exists(x)) {
    why <- if (dir.exists(x)) "is a folder" else "does not exist"
    given <- describe(as.character(x))
    abort_argument(paste0("`", arg, "` must be an R script, and ", given, " ", why, "."), x, arg, call)
  }
}

check_strings <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && (!is.character(x) || anyNA(x))) {
    abort_argument(
      paste0("`", arg, "` must be a character vector without NA, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_limit <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!identical(x, Inf) && !is_whole(x, 0, .Machine$integer.max)) {
    abort_argument(
      paste0("`", arg, "` must be a whole number >= 0 or Inf, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_seconds <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!(is_number(x) && x >= 0)) {
    abort_argument(
      paste0("`", arg, "` must be a number of seconds >= 0, not ", describe(x), "."),
      x, arg, call
    )
  }
}
