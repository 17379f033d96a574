# Places in an object store, such as "s3://bucket/run", and the settings of the store. Their values may be
# secret: no message shows them, and no R object keeps them.

# The pip package that Python needs for object stores. pyproject.toml has the same one, as the extra `remote`.
object_store_requirement <- "obstore>=0.12"

# Python's _base/places.py has the same names of stores.
object_url <- "^[[:space:]]*(s3|s3a|gs|az|azure|adl|abfs|abfss|memory):/+"

is_object_url <- function(path) {
  grepl(object_url, path, ignore.case = TRUE)
}

# Checks a URL. Python checks the other kinds, which do not work: the message is long, and says why.
check_url <- function(url, arg, call) {
  if (!is_object_url(url)) {
    return(invisible())
  }
  start <- regmatches(url, regexpr(object_url, url, ignore.case = TRUE))
  if (!grepl("^[^/[:space:]]", substring(url, nchar(start) + 1))) {
    scheme <- tolower(trimws(sub(":/+$", "", start)))
    abort_argument(
      c(
        paste0("`", arg, "` must name a bucket or a container, and ", describe(url), " names none."),
        i = paste0("Write it as in \"", scheme, "://bucket/run\".")
      ),
      url, arg, call
    )
  }
  declare_object_store()
}

# Where reticulate makes the environment, it makes it with obstore from now on. It also adds obstore to an
# environment that it has made already. To other environments, this does nothing. It is not done at load: most
# users need no object store.
declare_object_store <- function() {
  if (!the$declared_object_store) {
    the$declared_object_store <- TRUE
    declare_requirements(object_store_requirement)
  }
}

# --- the settings -----------------------------------------------------------------------------------------

check_storage_options <- function(x, arg = caller_arg(x), call = caller_env()) {
  problem <- if (!is.null(x)) settings_problem(x, arg)
  if (!is.null(problem)) {
    example <- "For instance: `list(endpoint = \"https://minio.example.org\")`."
    abort_argument(c(problem, i = example), NULL, arg, call)
  }
}

settings_problem <- function(x, arg) {
  if (!(is.list(x) || is.character(x)) || is.object(x)) {
    accepted <- "must be NULL or a named list of strings, numbers, TRUE or FALSE"
    return(paste0("`", arg, "` ", accepted, ", not ", kind_of_setting(x), "."))
  }
  if (length(x) && (!is_named(x) || anyDuplicated(names(x)))) {
    return(paste0("Each setting in `", arg, "` must have a name of its own."))
  }
  wrong <- Filter(function(setting) !is_setting(setting), as.list(x))
  if (length(wrong)) {
    accepted <- "must be a string, a number, TRUE or FALSE"
    paste0("`", arg, "$", names(wrong)[[1]], "` ", accepted, ", not ", kind_of_setting(wrong[[1]]), ".")
  }
}

is_setting <- function(x) {
  (is_string(x) && !is.na(x)) || is_number(x) || is_bool(x)
}

# What describe() says, without the value.
kind_of_setting <- function(x) {
  if (is.object(x) || !is.atomic(x) || length(x) != 1) {
    return(describe(unname(x)))
  }
  if (is.na(x)) {
    return("NA")
  }
  kinds <- c(character = "a string", logical = "TRUE or FALSE", integer = "a number", double = "a number")
  unname(kinds[typeof(x)] %|% paste("a value of type", typeof(x)))
}

# A dict for Python. A number becomes text here: 5 would be 5.0 in Python.
as_python_storage_options <- function(x) {
  if (length(x) == 0) {
    return(NULL)
  }
  set_names(lapply(as.list(x), function(value) {
    if (is.numeric(value)) {
      return(format(value, digits = 15, scientific = FALSE, trim = TRUE, decimal.mark = "."))
    }
    if (is.character(value)) enc2utf8(value) else value
  }), enc2utf8(names(x)))
}

# --- messages ---------------------------------------------------------------------------------------------

# A folder or a URL for a message. cli makes a link to a local file of each path, and a URL is none.
place_text <- function(place) {
  if (is_url(place)) cli::col_blue(place) else cli::format_inline("{.path {place}}")
}

# Python's message about the missing package, with what R users do about it.
text_without_object_store <- function(text) {
  managed <- has_py_require() && Sys.getenv("RETICULATE_PYTHON") %in% c("", "managed")
  how <- if (managed) {
    "Restart R, and call `reticulate::py_require(\"obstore\")` before anything uses Python."
  } else {
    "Install it by `reticulate::py_install(\"obstore\", pip = TRUE)`, and restart R."
  }
  paste0(sub("[[:space:]]*Install it:.*$", "", text), "\n", format_error_bullets(c(i = how)))
}

# --- calls ------------------------------------------------------------------------------------------------

# Raises an error, as rlang's function of this name does. R shows the calls that led to an error: its own
# call, and those of the backtrace. They may hold the settings of a store.
abort <- function(..., call = caller_env()) {
  frame <- caller_env()
  calls <- as.list(sys.calls())
  if (identical(lapply(calls, without_settings), calls)) {
    rlang::abort(..., call = call, .frame = frame)
  }
  cnd <- tryCatch(rlang::abort(..., call = call, .frame = frame), error = identity)
  cnd$call <- without_settings(cnd$call)
  cnd$trace$call <- lapply(cnd$trace$call, without_settings)
  cnd_signal(cnd)
}

# The call, with `...` for the settings. A misspelt `storage_options` counts, too.
without_settings <- function(call) {
  if (!is.call(call)) {
    return(call)
  }
  is_secret <- grepl("^stor", names(call) %||% character(length(call)))
  for (i in seq_along(call)) {
    if (is_secret[[i]]) {
      call[[i]] <- quote(...)
    } else if (is.call(call[[i]])) {
      call[[i]] <- without_settings(call[[i]])
    }
  }
  call
}
