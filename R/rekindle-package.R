#' @keywords internal
#' @import rlang
"_PACKAGE"

# Everything that the package remembers during a session.
the <- new.env(parent = emptyenv())

# The Python package, once it is loaded: see python.R.
the$module <- NULL

# TRUE once the user was told that another copy of the Python package is in use.
the$told_other_copy <- FALSE
