# A fit() that ended by an error must let go of its folder at once, for other processes too. reticulate keeps
# the Python error until the next one, and with it Python's frames, in which the run lives on. So this is done
# on the way out of the R function that called Python.

# Called from within fit(), when it begins.
let_go_after_fit <- function() {
  for (frame in rev(seq_len(sys.nframe()))) {
    if (calls_python(sys.function(frame))) {
      do.call(on.exit, list(as.call(list(let_go_ended)), add = TRUE), envir = sys.frame(frame))
      return(invisible())
    }
  }
}

# Whether it is one of reticulate's functions that are nothing but a call of its compiled code. The innermost
# is the one that Python runs in: by none of these does Python call R.
calls_python <- function(fn) {
  code <- body(fn)
  if (is.call(code) && identical(code[[1]], quote(`{`)) && length(code) == 2) {
    code <- code[[2]]
  }
  is.call(code) && identical(code[[1]], quote(.Call)) &&
    identical(topenv(environment(fn)), asNamespace("reticulate"))
}

let_go_ended <- function() {
  # The error that is under way matters more.
  tryCatch(
    r_door(convert = FALSE)$let_go_ended(),
    error = function(cnd) NULL
  )
}
