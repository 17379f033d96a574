#' See a run while it goes on
#'
#' @description
#' Shows what a run in another process is doing, until the run ends: epoch and batch, speed, time left, the
#' loss after one of the last batches, the last checkpoint and its age, and how many attempts there have
#' been. `backup_watch()` does not lock the folder, writes nothing into it, reads no arrays and does not slow
#' the training.
#'
#' In a terminal, it is a line that is written again in its place. In RStudio, it is also a page in the
#' viewer; elsewhere, `page = TRUE` shows the page in a browser. The page is one HTML file in the session's
#' temporary folder, which needs no server: `backup_watch()` writes it again and again, and it loads itself
#' again.
#'
#' If there is no run in the folder yet, `backup_watch()` waits for one. To end it, and not the run,
#' interrupt it with Ctrl-C, Escape or the Stop button.
#'
#' @param backup_dir Path of the folder, or the URL of a place in an object store, as given to
#'   [callback_backup_and_restore()]. The folder need not exist yet.
#' @inheritParams latest_checkpoint
#' @param ... Not used. The arguments after it must be named.
#' @param every Seconds between two looks: a number above 0.
#' @param page Whether to show a page as well. By default, only in RStudio. Or the path of an HTML file,
#'   outside of the backup folder, to which the page is written without showing it.
#'
#' @returns How the run ended, as a string, invisibly: `"finished"`, `"preempted"` (a signal asked it to end,
#'   and it saved), `"stopped"` (by an error or its user), `"died"` (its process is gone), `"ended"` if
#'   nothing says how, as for a custom training loop, or `"watching"` if you interrupted `backup_watch()`.
#'
#' @section Conditions:
#' An argument that is not of the accepted form, or a folder that could not be made, gives an error of class
#' `rekindle_argument`. A folder that the system refuses to read gives an error of class `rekindle_restore`. A
#' file that is no page of rekindle is not replaced, and gives an error of class `rekindle_foreign_file`. A
#' page that cannot be written gives an error of class `rekindle_save`.
#'
#' @seealso [callback_backup_and_restore()], [run_with_restarts()]. The same from a shell: `python -m
#'   rekindle watch`.
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
#' # This run has ended already. Of a run in another session, this would show a line until it ends.
#' backup_watch(backup_dir)
#'
#' backup_delete(backup_dir, ask = FALSE)
backup_watch <- function(backup_dir, ..., every = 1, page = NULL, storage_options = NULL) {
  check_dots_unused(..., known = names(formals(backup_watch)))
  check_folder(backup_dir)
  check_every(every)
  check_page(page)
  check_storage_options(storage_options)
  file <- page_file(page)
  watching <- convert_exceptions(
    r_door()$Watching(
      as_python_path(backup_dir), if (!is.null(file)) as_python_path(file), as.double(every),
      as_python_storage_options(storage_options)
    ),
    call = current_env()
  )
  show <- line_writer()
  shown <- is.character(page)
  repeat {
    found <- convert_exceptions(watching$look(), call = current_env())
    show$line(found)
    if (!shown && !is.null(file)) {
      shown <- TRUE
      getOption("viewer", utils::browseURL)(file)
    }
    if (!is.null(found$ending)) {
      break
    }
    if (is_interrupted(Sys.sleep(every))) {
      show$end()
      watching$leave()
      return(invisible("watching"))
    }
  }
  show$end()
  tell_ending(found)
  invisible(found$state)
}

is_interrupted <- function(expr) {
  tryCatch(
    {
      expr
      FALSE
    },
    interrupt = function(cnd) TRUE
  )
}

check_every <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (!is_number(x) || x <= 0) {
    abort_argument(
      paste0("`", arg, "` must be a number of seconds above 0, not ", describe(x), "."),
      x, arg, call
    )
  }
}

check_page <- function(x, arg = caller_arg(x), call = caller_env()) {
  if (is_string(x)) {
    return(check_new_file(x, ".html", arg, call))
  }
  if (!is.null(x) && !is_bool(x)) {
    abort_argument(
      paste0("`", arg, "` must be TRUE, FALSE, NULL or the path of an HTML file, not ", describe(x), "."),
      x, arg, call
    )
  }
}

# The file of the page, or NULL. RStudio's viewer shows only files in the session's temporary folder.
page_file <- function(page) {
  if (is.character(page)) {
    return(page)
  }
  if (page %||% (is_interactive() && !is.null(getOption("viewer")))) {
    folder <- file.path(tempdir(), "rekindle")
    dir.create(folder, showWarnings = FALSE)
    tempfile("watch", folder, fileext = ".html")
  }
}

# The line of a run, as backup_watch() shows it.
watch_line <- function(found) {
  mark <- if (found$state == "waiting") "info" else if (found$state == "running") "running"
  parts <- c(unlist(found$parts), if (found$state == "waiting") "Esc or Ctrl-C ends the watch")
  text <- paste(parts, collapse = paste0(" ", cli::symbol$bullet, " "))
  if (is.null(mark)) text else mark_line(mark, text)
}

# Writes the line again in its place; if the output cannot do that, a line for each change.
line_writer <- function(file = cli::cli_output_connection(), is_dynamic = cli::is_dynamic_tty()) {
  before <- ""
  list(
    line = function(found) {
      line <- watch_line(found)
      if (is_dynamic) {
        width <- cli::console_width() - 1
        # Blanks for what is left of the line before. Not every console knows a code for that.
        padded <- cli::ansi_align(cli::ansi_strtrim(line, width), width)
        cat("\r", padded, sep = "", file = file)
        utils::flush.console()
      } else if (!identical(place_of(found), before)) {
        cat(line, "\n", sep = "", file = file)
      }
      before <<- place_of(found)
    },
    end = function() if (is_dynamic) cat("\n", file = file)
  )
}

place_of <- function(found) {
  paste(found$state, found$parts[[1]])
}

tell_ending <- function(found) {
  kind <- switch(found$state,
    finished = "v",
    ended = "i",
    preempted = "i",
    "x"
  )
  cli::cli_inform(set_names("{found$ending}", kind))
}
