# The R part of `make lint`: lintr, spelling, and whether man/ and NAMESPACE are what roxygen2 would write.

# When the namespace is loaded, lintr knows which functions exist.
invisible(loadNamespace("rekindle"))

problems <- 0L
report <- function(what, found) {
  cat(sprintf("[lint] %s: %s\n", what, if (found) paste(found, "to mend") else "clean"))
  problems <<- problems + found
}

lints <- do.call(c, lapply(c("R", "tests", "tools", "vignettes"), lintr::lint_dir))
if (length(lints)) print(structure(lints, class = "lints"))
report("lintr", length(lints))

# lintr does not see the examples of the help pages. Check CRAN's rules for them, as far as that is possible
# without running the code.
rd <- list.files("man", "[.]Rd$", full.names = TRUE)
examples <- tempfile("examples")
dir.create(examples)
for (page in rd) {
  tools::Rd2ex(page, file.path(examples, sub("Rd$", "R", basename(page))))
}
manners <- list(
  lintr::T_and_F_symbol_linter(),
  lintr::seq_linter(),
  lintr::undesirable_function_linter(c(setwd = NA, install.packages = NA, quit = NA, q = NA, browser = NA))
)
lints <- lintr::lint_dir(examples, linters = manners, parse_settings = FALSE)
if (length(lints)) print(structure(lints, class = "lints"))
report("examples", length(lints))

# A name of a file or folder in an example must come from tempfile() or tempdir().
writers <- c(
  "callback_backup_and_restore", "checkpoint_manager", "dir.create", "file", "file.create", "pdf", "png",
  "saveRDS", "sink", "unlink", "write.csv", "writeLines"
)
fixed_names <- function(path) {
  parsed <- utils::getParseData(parse(path, keep.source = TRUE))
  calls <- parsed[parsed$token == "SYMBOL_FUNCTION_CALL" & parsed$text %in% writers, ]
  expression_of <- function(id) parsed$parent[match(id, parsed$id)]
  written <- vapply(calls$id, function(id) {
    arguments <- parsed[parsed$parent == expression_of(expression_of(id)), ]
    strings <- parsed[parsed$parent %in% arguments$id & parsed$token == "STR_CONST", ]
    # Strings such as "epoch" are not names of files, nor are places in memory.
    any(grepl("[./~]|backup|check", strings$text) & !startsWith(strings$text, "\"memory://"))
  }, NA)
  sprintf("%s writes under a fixed name: %s()", basename(path), calls$text[written])
}
fixed <- unlist(lapply(list.files(examples, full.names = TRUE), fixed_names))
if (length(fixed)) writeLines(fixed)
report("writing in examples", length(fixed))

# The help of each exported function must say what it returns, and must have an example.
tags_of <- function(part) attr(part, "Rd_tag")
pages <- lapply(rd, tools::parse_Rd)
bare <- unlist(lapply(getNamespaceExports("rekindle"), function(name) {
  describes <- function(page) {
    any(vapply(page, function(part) tags_of(part) == "\\alias" && identical(part[[1]][[1]], name), NA))
  }
  sections <- vapply(unlist(Filter(describes, pages), recursive = FALSE), tags_of, "")
  absent <- setdiff(c("\\value", "\\examples"), sections)
  if (length(absent)) paste0(name, "() has no ", absent)
}))
if (length(bare)) writeLines(bare)
report("help of exported functions", length(bare))

# The index of the web site must name all exported functions too.
index <- unlist(lapply(yaml::read_yaml("_pkgdown.yml")$reference, `[[`, "contents"))
exports <- getNamespaceExports("rekindle")
unlisted <- c(setdiff(exports, index), setdiff(index, exports))
if (length(unlisted)) cat("_pkgdown.yml and NAMESPACE differ in", toString(unlisted), "\n")
report("index of the web site", length(unlisted))

words <- spelling::spell_check_package(".")
if (nrow(words)) print(words)
report("spelling", nrow(words))

# Let roxygen2 write into a copy, so that this check changes no file.
copy <- file.path(tempfile("rekindle"), "rekindle")
dir.create(copy, recursive = TRUE)
written <- c("DESCRIPTION", "NAMESPACE", "man")
invisible(file.copy(c(written, "R", "LICENSE"), copy, recursive = TRUE))
invisible(utils::capture.output(
  suppressMessages(roxygen2::roxygenise(copy, load_code = "source")),
  type = "output"
))
contents <- function(root) {
  paths <- c("NAMESPACE", file.path("man", sort(list.files(file.path(root, "man"), "[.]Rd$"))))
  stats::setNames(lapply(file.path(root, paths), readLines), paths)
}
stale <- !identical(contents("."), contents(copy))
if (stale) cat("run `make document` and commit what it writes\n")
report("help pages", as.integer(stale))

quit(status = as.integer(problems > 0L))
