# Runs the R blocks of one document in this process: run.R FOLDER, for readme-check.py.
# One call, so that blocks find none of these functions.
local({ # nolint: cyclocomp_linter.
  folder <- normalizePath(commandArgs(trailingOnly = TRUE)[[1]])
  blocks <- utils::read.delim(
    file.path(folder, "blocks.tsv"),
    header = FALSE, quote = "", comment.char = "", colClasses = "character",
    col.names = c("line", "engine", "options", "after")
  )
  results <- file(file.path(folder, "results.tsv"), "w", encoding = "UTF-8")
  tell <- function(block, result, why = "") {
    writeLines(paste(block$line, result, gsub("\\s+", " ", why), sep = "\t"), results)
    flush(results)
  }

  option <- function(block, name) {
    options <- str2lang(paste0("alist(", block$options, ")"))
    eval(eval(options)[[name]], globalenv())
  }
  # A block that names a package which is not there cannot run.
  absent <- function(code) {
    for (package in c("keras3", "keras", "tensorflow")) {
      named <- sprintf("library\\(%1$s\\)|\\b%1$s::", package)
      if (any(grepl(named, code)) && !requireNamespace(package, quietly = TRUE)) {
        return(paste("needs the R package", package, "which is not installed"))
      }
    }
  }
  run <- function(block) {
    path <- file.path(folder, paste0(block$line, ".code"))
    code <- readLines(path, encoding = "UTF-8")
    if (isFALSE(option(block, "eval"))) {
      return(tell(block, "skipped", "eval is false on this machine"))
    }
    before <- if (nzchar(block$after)) readLines(block$after)
    if (!is.null(why <- absent(c(before, code)))) {
      return(tell(block, "skipped", why))
    }
    cat("\n", strrep("-", 20), " line ", block$line, "\n", sep = "")
    if (block$engine == "cat") {
      writeLines(code, option(block, "engine.opts")$file)
    } else {
      if (nzchar(block$after)) source(block$after, local = globalenv())
      source(path, local = globalenv(), print.eval = TRUE, encoding = "UTF-8")
    }
    # As knitr does after the chunk that sets it.
    wanted <- knitr::opts_knit$get("root.dir")
    if (!is.null(wanted)) setwd(wanted) # nolint: undesirable_function_linter. The process is the block's own.
    tell(block, "ran")
  }
  for (index in seq_len(nrow(blocks))) {
    block <- blocks[index, ]
    tryCatch(run(block), error = function(error) {
      tell(block, "failed", conditionMessage(error))
      cat("Error:", conditionMessage(error), "\n")
      quit(status = 1L)
    })
  }
})
