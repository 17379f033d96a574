# When fit() ends with an error, rekindle must release the folder at once, for other processes too. But
# reticulate keeps the Python error until the next error. The error keeps Python's frames alive, and the
# frames keep the run alive. So rekindle releases the folder when the R function that called Python exits.

# Python calls this from inside fit(), when fit() begins.
let_go_after_fit <- function() {
  for (frame in rev(seq_len(sys.nframe()))) {
    if (calls_python(sys.function(frame))) {
      do.call(on.exit, list(as.call(list(let_go_ended)), add = TRUE), envir = sys.frame(frame))
      return(invisible())
    }
  }
}

# Whether `fn` is a reticulate function that contains only a call of reticulate's compiled code. Python runs
# in the innermost of these frames, because Python does not use such functions to call R.
calls_python <- function(fn) {
  code <- body(fn)
  if (is.call(code) && identical(code[[1]], quote(`{`)) && length(code) == 2) {
    code <- code[[2]]
  }
  is.call(code) && identical(code[[1]], quote(.Call)) &&
    identical(topenv(environment(fn)), asNamespace("reticulate"))
}

let_go_ended <- function() {
  # Ignore an error here: the error that ended fit() matters more.
  tryCatch(
    r_door(convert = FALSE)$let_go_ended(),
    error = function(cnd) NULL
  )
}
