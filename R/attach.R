# keras3 or keras may export a callback_backup_and_restore() too. When such a package is attached, this file
# reports which function the plain name means. R reports only that a name is masked, and not what the user can
# do about it.

namesakes <- c("keras3", "keras")

# Either package may be attached first.
watch_namesakes <- function() {
  for (package in namesakes) {
    # Replace our hook, do not add a second one: this namespace may have been loaded before.
    event <- packageEvent(package, "attach")
    setHook(event, c(others_hooks(event), tell_masking), "replace")
    tell_masking(package)
  }
}

forget_namesakes <- function() {
  for (package in namesakes) {
    event <- packageEvent(package, "attach")
    setHook(event, others_hooks(event), "replace")
  }
}

others_hooks <- function(event) {
  Filter(function(hook) !is_hook_of_ours(hook), getHook(event))
}

is_hook_of_ours <- function(hook) {
  is.function(hook) && identical(environmentName(topenv(environment(hook))), "rekindle")
}

tell_masking <- function(package, ...) {
  name <- "callback_backup_and_restore"
  there <- paste0("package:", package)
  ours <- match("package:rekindle", search())
  theirs <- match(there, search())
  if (is.na(ours) || is.na(theirs) || !exists(name, there, inherits = FALSE)) {
    return(invisible())
  }
  first <- if (ours < theirs) "rekindle" else package
  second <- if (ours < theirs) package else "rekindle"
  if (first %in% the$told_first) {
    return(invisible())
  }
  the$told_first <- c(the$told_first, first)
  packageStartupMessage(
    "`", name, "()` is now the function of ", first, ", which was attached last. The function of ", second,
    " is `", second, "::", name, "()`."
  )
}
