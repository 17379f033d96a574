# Finds and loads the Python package. Nothing here runs before it is needed: loading the R package does not
# start Python.

# The pip packages that the bundled package needs. pyproject.toml has the same list.
python_requirements <- c("keras>=3.6", "ml-dtypes>=0.2", "numpy>=1.23", "xxhash>=3.0")

# Newer versions of reticulate make an environment on demand, from the requirements that packages declare.
# Older versions have no py_require(), and R CMD check would complain about it there. So this code looks it up
# by name.
declare_requirements <- function(packages = python_requirements) {
  if (has_py_require()) {
    getExportedValue("reticulate", "py_require")(packages)
  }
}

has_py_require <- function() {
  "py_require" %in% getNamespaceExports("reticulate")
}

# Whether the script uses the package keras, and not keras3. The other Keras is not imported without need.
uses_keras_2 <- function() {
  isNamespaceLoaded("keras") && !isNamespaceLoaded("keras3")
}

# The Python package, or a submodule of it such as "keras". The first call loads it. No other function in this
# package imports it: before this function has found the bundled copy, Python may not know any copy.
rekindle_module <- function(submodule = NULL, call = caller_env(), convert = TRUE) {
  if (is.null(the$module) || reticulate::py_is_null_xptr(the$module)) {
    check_python_starts(call)
    folder <- system.file("python", package = "rekindle")
    the$module <- load_module(reticulate::import_from_path("rekindle", folder), call)
    tell_other_copy(the$module)
  }
  if (is.null(submodule)) {
    return(the$module)
  }
  load_module(reticulate::import(paste0("rekindle.", submodule), convert = convert), call)
}

# The only Python module that this package calls besides the public modules.
r_door <- function(call = caller_env(), convert = TRUE) {
  rekindle_module("_r", call = call, convert = convert)
}

load_module <- function(expr, call) {
  withCallingHandlers(
    convert_exceptions(expr, call = call),
    python.builtin.ImportError = function(cnd) {
      if (!inherits(cnd, "rekindle_error")) abort_dependency(cnd, call)
    }
  )
}

check_python_starts <- function(call) {
  problem <- NULL
  started <- tryCatch(
    reticulate::py_available(initialize = TRUE),
    error = function(cnd) {
      problem <<- conditionMessage(cnd)
      FALSE
    }
  )
  if (!started) {
    abort(
      c(
        "No Python can be started.",
        x = problem,
        i = "Install Python 3.10 or newer, with keras and one of jax, torch or tensorflow.",
        i = "`reticulate::py_config()` shows which Python reticulate finds. `RETICULATE_PYTHON` sets another."
      ),
      class = c("rekindle_dependency", "rekindle_error"),
      call = call
    )
  }
}

# Reports that a Python package which the bundled package needs is missing.
abort_dependency <- function(cnd, call) {
  abort(
    c(
      paste0("rekindle's Python part cannot be loaded: ", conditionMessage(cnd)),
      i = "Install these into the Python that `reticulate::py_config()` shows:",
      set_names(python_requirements, "*"),
      i = "`reticulate::py_install()` installs them."
    ),
    class = c("rekindle_dependency", "rekindle_error"),
    call = call
  )
}

# Python keeps the first copy of a package that a process imports. If pip installed that copy and its version
# differs, its behaviour may differ from this package's help. This function warns once about it.
tell_other_copy <- function(module) {
  bundled <- as.character(utils::packageVersion("rekindle"))
  loaded <- module$`__version__`
  if (the$told_other_copy || loaded == bundled) {
    return(invisible())
  }
  the$told_other_copy <- TRUE
  cli::cli_warn(
    c(
      "Python had already imported rekindle {loaded}; the R package brings {bundled}.",
      i = "The imported copy is used: {.path {dirname(module$`__file__`)}}",
      i = "Install the same version of both, or use the R package first."
    ),
    class = "rekindle_other_copy"
  )
}
