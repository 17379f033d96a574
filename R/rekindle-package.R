#' @keywords internal
#' @import rlang
"_PACKAGE"

# Everything that the package remembers during a session.
the <- new.env(parent = emptyenv())

# The Python package, once it is loaded: see python.R.
the$module <- NULL

# TRUE after the warning that another copy of the Python package is in use.
the$told_other_copy <- FALSE

# Whether rekindle remembers R conditions because reticulate does not carry them. And the last condition, with
# the text that Python has for it. See r-conditions.R.
the$is_remembering <- FALSE
the$r_condition <- NULL

# The packages that a message has already named as the owner of the plain name callback_backup_and_restore().
the$told_first <- character()

# The visible progress bar and its position: see messages.R.
the$bar <- NULL
the$bar_at <- 0
