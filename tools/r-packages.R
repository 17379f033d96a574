# Lists the R packages that the checkout needs, and those of them that are missing.
#
#   Rscript tools/r-packages.R missing all      names, one a line, that a verb needs
#   Rscript tools/r-packages.R missing demo     names, one a line, that `make demo` needs
#   Rscript tools/r-packages.R optional         names that let more tests run, but that no verb requires
#   Rscript tools/r-packages.R reticulate       "numpy1" or "numpy2": what the installed reticulate can read
#   Rscript tools/r-packages.R cran LIB PKG...  install from the configured CRAN mirror into LIB
#
# DESCRIPTION is the only list: Imports, Suggests, Config/Needs/development and Config/Needs/demo.

optional <- "keras3" # not in Debian; everything runs through reticulate without it

needed <- function(level = "all") {
  fields <- list(
    all = c("Imports", "Suggests", "Config/Needs/development"),
    demo = c("Imports", "Config/Needs/demo")
  )[[level]]
  wanted <- read.dcf("DESCRIPTION", fields = fields)
  entries <- trimws(unlist(strsplit(wanted, ",")))
  found <- regmatches(entries, regexec("^([[:alnum:].]+)(?:\\s*\\(>=\\s*([^)]+)\\))?", entries, perl = TRUE))
  data.frame(
    name = vapply(found, `[[`, "", 2L),
    version = vapply(found, function(x) if (nzchar(x[[3]])) x[[3]] else "0", "")
  )
}

installed_version <- function(name) {
  found <- suppressWarnings(utils::packageDescription(name, fields = "Version"))
  if (is.na(found)) "-1" else found
}

is_older <- function(have, want) {
  have == "-1" || utils::compareVersion(have, want) < 0
}

missing_of <- function(table) {
  old <- mapply(is_older, vapply(table$name, installed_version, ""), table$version)
  table$name[old]
}

# All hard dependencies of `names`, and `names` themselves, that are absent or older than a package in the
# closure requires. install.packages() alone does not update a package that is installed but too old.
outdated_closure <- function(names, db) {
  closure <- unique(c(names, unlist(tools::package_dependencies(names, db, recursive = TRUE))))
  closure <- intersect(closure, rownames(db))
  wants <- unlist(strsplit(c(db[closure, c("Depends", "Imports", "LinkingTo")]), ","))
  wants <- regmatches(wants, regexec("^\\s*([[:alnum:].]+)\\s*\\(>=\\s*([^)]+)\\)", wants))
  wants <- Filter(function(x) length(x) == 3 && x[[2]] %in% closure, wants)
  too_old <- vapply(wants, function(x) is_older(installed_version(x[[2]]), trimws(x[[3]])), NA)
  absent <- closure[vapply(closure, installed_version, "") == "-1"]
  unique(c(absent, vapply(wants[too_old], `[[`, "", 2L)))
}

install_from_cran <- function(lib, names) {
  options(timeout = 10)
  if (identical(getOption("repos")[["CRAN"]], "@CRAN@")) utils::chooseCRANmirror(ind = 1)
  db <- suppressWarnings(tryCatch(utils::available.packages(), error = function(e) NULL))
  names <- intersect(names, rownames(db))
  if (!length(names)) {
    return(cat("no CRAN mirror answers, or it lacks what was asked for\n"))
  }
  options(timeout = 600)
  dir.create(lib, showWarnings = FALSE, recursive = TRUE)
  .libPaths(c(lib, .libPaths()))
  utils::install.packages(outdated_closure(names, db), lib = lib, available = db, quiet = TRUE)
}

args <- commandArgs(trailingOnly = TRUE)
if (args[[1]] == "missing") {
  table <- needed(args[[2]])
  writeLines(missing_of(table[!table$name %in% optional, ]))
} else if (args[[1]] == "optional") {
  table <- needed()
  writeLines(missing_of(table[table$name %in% optional, ]))
} else if (args[[1]] == "reticulate") {
  cat(if (is_older(installed_version("reticulate"), "1.38")) "numpy1" else "numpy2")
} else if (args[[1]] == "cran") {
  install_from_cran(args[[2]], args[-(1:2)])
} else {
  stop("missing, optional, reticulate or cran, not ", args[[1]])
}
