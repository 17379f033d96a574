# The object that checkpoint() returns: an environment with the Python object `py` and a slot for each name.
# The slot says whether the value is in R or in Python. R values stay in R, so that a loop can change them as
# quickly as any variable. Python asks R for them when it saves.

new_checkpoint <- function(py) {
  ckpt <- structure(new.env(parent = emptyenv()), class = "rekindle_checkpoint")
  ckpt_fields <- list(
    py = py,
    slots = list(),
    methods = list(
      save = function(file_prefix) save_checkpoint(ckpt, file_prefix, current_env()),
      restore = function(save_path) restore_checkpoint(ckpt, save_path, current_env()),
      read = function(save_path) read_checkpoint(save_path, current_env())
    )
  )
  list2env(ckpt_fields, envir = ckpt)
  ckpt
}

is_checkpoint <- function(x) {
  inherits(x, "rekindle_checkpoint")
}

save_checkpoint <- function(ckpt, file_prefix, call) {
  check_path(file_prefix, "file_prefix", call, "folder and first part of the name, as in \"ckpts/final\"")
  path <- as_python_path(file_prefix)
  check_place(if (is_url(path)) path else dirname(path), file_prefix, "file_prefix", call)
  invisible(call_python(.subset2(ckpt, "py")$save(as_python_path(file_prefix)), call))
}

restore_checkpoint <- function(ckpt, save_path, call) {
  if (missing(save_path) || !is.null(save_path)) {
    check_path(save_path, "save_path", call, "the path of a checkpoint, as from `latest_checkpoint()`")
    save_path <- as_python_path(save_path)
    if (is_url(save_path)) check_url(save_path, "save_path", call)
  }
  invisible(new_status(call_python(.subset2(ckpt, "py")$restore(save_path), call)))
}

read_checkpoint <- function(save_path, call) {
  check_path(save_path, "save_path", call, "the path of a checkpoint, as from `latest_checkpoint()`")
  path <- as_python_path(save_path)
  if (is_url(path)) check_url(path, "save_path", call)
  # Convert values and arrays to R one by one. Otherwise, for example, an empty dict becomes a list of another
  # kind.
  parts <- call_python(
    r_door()$checkpoint_values(path),
    call
  )
  c(lapply(parts[[1]], decode_value), parts[[2]], parts[[3]])
}

# --- the objects in a checkpoint --------------------------------------------------------------------------

# Stores a checked object under a name.
set_object <- function(ckpt, name, value) {
  slots <- .subset2(ckpt, "slots")
  old <- slots[[name]]
  if (is_python_tree(value)) {
    in_python <- tree_in_python(value)
    slots[[name]] <- list(object = value, tree = in_python)
  } else if (is_python(value) || is_pair(value) || is_checkpoint(value)) {
    slots[[name]] <- list(object = value)
    in_python <- if (is_pair(value)) {
      external_state(value$take, value$put, name = name)
    } else {
      if (is_checkpoint(value)) .subset2(value, "py") else value
    }
  } else if (!is.null(old$cell)) {
    # A training loop takes this branch at each step.
    assign("value", value, envir = old$cell)
    return(invisible())
  } else {
    cell <- new.env(parent = emptyenv())
    assign("value", value, envir = cell)
    slots[[name]] <- list(cell = cell)
    in_python <- cell_state(cell)
  }
  reticulate::py_set_attr(.subset2(ckpt, "py"), name, in_python)
  assign("slots", slots, envir = ckpt)
}

# The object through which Python captures and restores an R value.
cell_state <- function(cell) {
  external_state(
    take = function() .subset2(cell, "value"),
    put = function(value) assign("value", value, envir = cell),
    compare = function(value) misfits(.subset2(cell, "value"), value)
  )
}

get_object <- function(ckpt, name) {
  slot <- .subset2(ckpt, "slots")[[name]]
  if (!is.null(slot$cell)) {
    return(.subset2(slot$cell, "value"))
  }
  if (!is.null(slot$tree)) {
    return(tree_from_python(slot$object, reticulate::py_get_attr(.subset2(ckpt, "py"), name)))
  }
  if (!is_python(slot$object)) {
    return(slot$object)
  }
  # A restore replaces an object that it cannot change in place.
  now <- reticulate::py_get_attr(.subset2(ckpt, "py"), name)
  if (reticulate::py_id(now) == reticulate::py_id(slot$object)) slot$object else now
}

#' @export
`$.rekindle_checkpoint` <- function(x, name) {
  check_checkpoint_session(x, caller_env())
  if (name %in% names(.subset2(x, "slots"))) {
    return(get_object(x, name))
  }
  method <- .subset2(x, "methods")[[name]]
  if (!is.null(method)) {
    return(method)
  }
  if (name == "save_counter") {
    return(.subset2(x, "py")$save_counter)
  }
  abort_argument(
    c(
      paste0("This checkpoint has no object `", name, "`."),
      i = guess_at(name, c(names(x), names(.subset2(x, "methods")), "save_counter")),
      i = if (length(names(x))) paste0("It has ", ticked(names(x)), ".")
    ),
    name, name, caller_env()
  )
}

# nolint start: object_name_linter. R's own names.

#' @export
`[[.rekindle_checkpoint` <- function(x, i, ...) {
  check_name(i, caller_env())
  `$.rekindle_checkpoint`(x, i)
}

#' @export
`$<-.rekindle_checkpoint` <- function(x, name, value) {
  check_checkpoint_session(x, caller_env())
  check_object(value, name, caller_env())
  set_object(x, name, value)
  invisible(x)
}

#' @export
`[[<-.rekindle_checkpoint` <- function(x, i, ..., value) {
  check_name(i, caller_env())
  `$<-.rekindle_checkpoint`(x, i, value)
}

check_name <- function(x, call) {
  if (!is_string(x) || !nzchar(x)) {
    abort_argument(
      paste0("The index of a checkpoint must be the name of an object, as a string, not ", describe(x), "."),
      x, "i", call
    )
  }
}

#' @export
names.rekindle_checkpoint <- function(x) {
  names(.subset2(x, "slots")) %||% character()
}

#' @export
length.rekindle_checkpoint <- function(x) {
  length(names(x))
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.rekindle_checkpoint <- function(x, pattern = "") {
  found <- c(names(x), names(.subset2(x, "methods")), "save_counter")
  grep(pattern, found, value = TRUE)
}
# nolint end

#' @export
print.rekindle_checkpoint <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
format.rekindle_checkpoint <- function(x, ...) {
  if (is_of_earlier_session(x)) {
    return("Checkpoint of an earlier R session: make it again with `checkpoint()`.")
  }
  title <- cli::format_inline(
    "{.strong Checkpoint} of {length(x)} object{?s}, saved {x$save_counter} time{?s}"
  )
  shown <- vapply(names(x), function(name) object_text(get_object(x, name)), "")
  c(title, paste0(cli::symbol$bullet, " ", names(x), ": ", shown, recycle0 = TRUE))
}

object_text <- function(x) {
  if (is_python(x)) {
    return(paste("Python object of class", sub(".*\\.", "", class(x)[[1]])))
  }
  if (is_checkpoint(x)) {
    return(paste0("checkpoint of ", paste(names(x), collapse = ", ")))
  }
  if (is_python_tree(x)) {
    return(paste("list of", length(rapply(list(x), function(one) 1, how = "unlist")), "Python objects"))
  }
  if (is_pair(x)) "a pair of functions" else summary_text(x)
}

# --- the status of a restore ------------------------------------------------------------------------------

new_status <- function(py) {
  status <- structure(new.env(parent = emptyenv()), class = "rekindle_restore_status")
  ask <- function(question) {
    force(question)
    function() {
      call_python(py[[question]](), current_env())
      invisible(status)
    }
  }
  questions <- c("assert_consumed", "assert_existing_objects_matched", "expect_partial")
  list2env(set_names(lapply(questions, ask), questions), envir = status)
  assign("unmatched", as.character(unlist(py$unmatched)), envir = status)
  assign("unconsumed", as.character(unlist(py$unconsumed)), envir = status)
  status
}

#' @export
print.rekindle_restore_status <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @export
format.rekindle_restore_status <- function(x, ...) {
  if (length(x$unmatched) + length(x$unconsumed) == 0) {
    return("Everything matched.")
  }
  c(
    "Restored in part:",
    paste0("- ", printable(x$unmatched), " has no value in the checkpoint", recycle0 = TRUE),
    paste0("- ", printable(x$unconsumed), " is in the checkpoint only", recycle0 = TRUE)
  )
}
