#' @keywords internal
#' @import rlang
"_PACKAGE"

# Everything that the package remembers during a session.
the <- new.env(parent = emptyenv())

# The Python package, once it is loaded: see python.R.
the$module <- NULL

# TRUE once the user was told that another copy of the Python package is in use.
the$told_other_copy <- FALSE

# Whether R conditions are being remembered because reticulate does not carry them, and the last one with
# the text that Python has of it: see r-conditions.R.
the$is_remembering <- FALSE
the$r_condition <- NULL

# The packages whose callback_backup_and_restore() the user was told to be the one that the plain name means.
the$told_first <- character()

# The progress bar that is being shown, and where it stands: see messages.R.
the$bar <- NULL
the$bar_at <- 0
