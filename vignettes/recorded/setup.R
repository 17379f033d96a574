# What the articles share: whether their code can be run here, and what is shown where it cannot.
#
# Code is run where the machine names a Python that has Keras; nothing is downloaded to build a page.
# Elsewhere, each chunk is shown as it came out when it was recorded: in this folder, under the names of the
# article and of the chunk. REKINDLE_RECORD=yes records anew; CONTRIBUTING.md has the command.

Sys.setenv(TF_CPP_MIN_LOG_LEVEL = "3", TF_ENABLE_ONEDNN_OPTS = "0")
if (!nzchar(Sys.getenv("KERAS_BACKEND"))) Sys.setenv(KERAS_BACKEND = "jax")

ready <- nzchar(Sys.getenv("RETICULATE_PYTHON")) && reticulate::py_module_available("keras")

# Each article runs in a folder of its own, so that it can use short names of files.
workplace <- file.path(tempdir(), "project")
dir.create(workplace)
knitr::opts_knit$set(root.dir = workplace)
knitr::opts_chunk$set(collapse = TRUE, comment = "#>", eval = ready, dpi = 110, out.width = "98%")

if (ready) {
  # Processes that an article starts need the same libraries.
  libraries <- paste(.libPaths(), collapse = .Platform$path.sep)
  Sys.setenv(R_LIBS = libraries)
}

local({
  article <- sub("[.]Rmd$", "", knitr::current_input())
  records <- normalizePath("recorded")
  is_recording <- ready && nzchar(Sys.getenv("REKINDLE_RECORD"))
  as_usual <- knitr::knit_hooks$get("chunk")
  # The path of a figure, in Markdown or HTML.
  figures <- "(?<=\\]\\(|src=\")[^()\"]+[.]png"

  path <- function(options, ending) {
    file.path(records, paste0(article, "-", options$label, ending))
  }
  record <- function(shown, options) {
    figure <- path(options, ".png")
    file.copy(unlist(regmatches(shown, gregexpr(figures, shown, perl = TRUE))), figure)
    shown <- gsub(figures, paste0("recorded/", basename(figure)), shown, perl = TRUE)
    writeLines(shown, path(options, ".md"), useBytes = TRUE)
  }
  recorded <- function(options) {
    lines <- readLines(path(options, ".md"), encoding = "UTF-8")
    if (!all(options$code %in% lines)) {
      stop("The chunk ", options$label, " was recorded with other code; record anew.")
    }
    paste(lines, collapse = "\n")
  }

  if (is_recording) {
    unlink(Sys.glob(path(list(label = "*"), "")))
  }
  knitr::knit_hooks$set(chunk = function(x, options) {
    shown <- as_usual(x, options)
    if (!options$include) {
      return(shown)
    }
    # Some chunks are only to be read, and never run.
    if (is_recording && options$eval) record(shown, options)
    if (!ready && file.exists(path(options, ".md"))) recorded(options) else shown
  })
})
