# The R half of `make lint`: lintr, spelling, and man/ and NAMESPACE as roxygen2 would write them.

# With the namespace there, lintr knows which functions exist.
invisible(loadNamespace("rekindle"))

problems <- 0L
report <- function(what, found) {
  cat(sprintf("[lint] %s: %s\n", what, if (found) paste(found, "to mend") else "clean"))
  problems <<- problems + found
}

lints <- do.call(c, lapply(c("R", "tests", "tools", "vignettes"), lintr::lint_dir))
if (length(lints)) print(structure(lints, class = "lints"))
report("lintr", length(lints))

words <- spelling::spell_check_package(".")
if (nrow(words)) print(words)
report("spelling", nrow(words))

# Written into a copy, so that looking changes nothing.
copy <- file.path(tempfile("rekindle"), "rekindle")
dir.create(copy, recursive = TRUE)
written <- c("DESCRIPTION", "NAMESPACE", "man")
invisible(file.copy(c(written, "R", "LICENSE"), copy, recursive = TRUE))
invisible(utils::capture.output(
  suppressMessages(roxygen2::roxygenise(copy, load_code = "source")),
  type = "output"
))
contents <- function(root) {
  paths <- c("NAMESPACE", file.path("man", sort(list.files(file.path(root, "man")))))
  stats::setNames(lapply(file.path(root, paths), readLines), paths)
}
stale <- !identical(contents("."), contents(copy))
if (stale) cat("run `make document` and commit what it writes\n")
report("help pages", as.integer(stale))

quit(status = as.integer(problems > 0L))
