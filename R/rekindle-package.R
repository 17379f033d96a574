#' @section Which function for which task:
#' - **Train with `fit()`, and resume after a kill**: [callback_backup_and_restore()]. When it saves:
#'   [save_auto()]; what it keeps: [retention()]; what a signal does: [preemption()]; when a resumed run
#'   counts as equal: [tolerance()]. Start a script again until it is done: [run_with_restarts()].
#' - **Look into a backup**, also while the run goes on: [backup_info()], [backup_watch()],
#'   [backup_history()], [backup_report()], [backup_verify()], [backup_arrays()].
#' - **Use a backup outside of `fit()`**: [backup_restore()], [backup_export()], [backup_delete()].
#' - **Save in a training loop of your own**, with any framework or plain R: [checkpoint()],
#'   [checkpoint_manager()], [latest_checkpoint()], [r_random_state()].
#' - **Keep checkpoints in an object store** (S3, Google Cloud Storage, Azure, MinIO): give a URL in place of
#'   the folder, as in `callback_backup_and_restore("s3://bucket/run7")`. See `vignette("object-stores")`.
#' - **Catch errors by class**: the section "Conditions" of a help page has the classes. For errors that
#'   come out of `fit()`: [with_python_conditions()].
#'
#' @section Articles:
#' `vignette("rekindle")` begins with a run that is killed. `vignette("moving-over")` is for users of the
#' callback of keras3 or keras, `vignette("custom-loops")` for loops of your own,
#' `vignette("batch-schedulers")` for clusters, `vignette("object-stores")` for S3 and its like,
#' `vignette("language-models")` for Synalinks.
#' `vignette("how-exact")` says what a resumed run repeats, `vignette("untrusted-folders")` what the author of
#' a folder can do, and `vignette("format-on-disk")` what the files hold.
#'
#' @section Which Python:
#' rekindle brings its Python package with it. It uses the Python that reticulate uses: that of
#' `RETICULATE_PYTHON` or of `reticulate::use_virtualenv()`, else one that reticulate makes. That Python
#' needs keras 3.6 or newer (or tf_keras) and one of jax, torch and tensorflow; `KERAS_BACKEND` says which
#' one Keras uses. Loading rekindle starts no Python.
#'
#' @section Messages:
#' rekindle prints messages and warnings of a running `fit()` to the standard error stream. They are no R
#' conditions, because Python's frames stand between them and your handlers. `verbose` of the callback sets
#' how many messages there are. Its `resume_report` keeps the notes on a resume.
#'
#' @keywords internal
#' @import rlang
"_PACKAGE"

# Everything that the package remembers during a session.
the <- new.env(parent = emptyenv())

# The Python package, once it is loaded: see python.R.
the$module <- NULL

# TRUE once reticulate knows that the session needs an object store.
the$declared_object_store <- FALSE

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
