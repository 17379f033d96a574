# The functions of R and their counterparts in Python have the same arguments, in the same order, with the
# same defaults. The exceptions are listed.

signature_of <- function(dotted) {
  code <- paste0(
    "[(p.name, 'absent' if p.default is p.empty else repr(p.default)) ",
    "for p in __import__('inspect').signature(__import__('operator').attrgetter('", dotted,
    "')(__import__('rekindle.keras'))).parameters.values()]"
  )
  found <- reticulate::py_eval(code)
  set_names(vapply(found, function(pair) pair[[2]], ""), vapply(found, function(pair) pair[[1]], ""))
}

# A default of R's in Python's spelling.
in_python <- function(default) {
  if (is_missing(default)) {
    return("absent")
  }
  value <- eval(default)
  if (is.null(value)) {
    "None"
  } else if (is.logical(value)) {
    if (value) "True" else "False"
  } else if (is.character(value)) {
    quoted <- paste0("'", value, "'")
    if (length(value) > 1) paste0("(", toString(quoted), ")") else quoted
  } else {
    format(value)
  }
}

counterparts <- list(
  callback_backup_and_restore = "keras.BackupAndRestore",
  checkpoint_manager = "CheckpointManager",
  retention = "Retention",
  preemption = "Preemption",
  tolerance = "Tolerance",
  save_auto = "Auto",
  latest_checkpoint = "latest_checkpoint"
)

# Keras' History has the epochs of one call; R's history is a table, and has those of the run.
differing <- list(callback_backup_and_restore = c(restore_history = "True"))

for (name in names(counterparts)) {
  test_that(paste0(name, "() has the arguments of rekindle.", counterparts[[name]]), {
    skip_without_keras()
    rekindle_module()
    arguments <- formals(get(name, asNamespace("rekindle")))
    arguments <- arguments[names(arguments) != "..."]
    ours <- vapply(arguments, in_python, "")
    theirs <- signature_of(counterparts[[name]])
    expect_identical(names(ours), names(theirs))
    known <- differing[[name]]
    expect_identical(ours[names(known)], known %||% ours[names(known)])
    same <- setdiff(names(ours), names(known))
    expect_identical(sub("\\.0$", "", theirs[same]), ours[same])
  })
}

test_that("the callback has at most 14 arguments", {
  expect_lte(length(setdiff(names(formals(callback_backup_and_restore)), "...")), 14)
})
