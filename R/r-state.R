# State that R keeps and Python saves: R's random state and the user's own state.
#
# A value goes to Python as a tree of lists and strings. Neither reticulate nor the file format loses any part
# of such a tree. A bare vector would come back without its NAs, its type and its attributes. serialize() is
# not an alternative, because reading its output can run code.

# Lets Python save what R keeps of a run: its random state, and variables that R functions assign.
share_state <- function() {
  add_random_seed()
  read_r_functions()
}

# Adds R's random state to the random states of the process.
add_random_seed <- function() {
  r_door()$add_random_state(
    ".Random.seed",
    external_state(take_random_seed, put_random_seed, random_seed_problems)
  )
}

# Makes a Python object with state_dict() and load_state_dict(). `take()` captures its state and `put()`
# restores it. `compare()` returns the reasons not to restore a saved value, one line each.
#
# `name` is the name of the pair of functions, if they are the user's.
external_state <- function(take, put, compare = function(value) character(), name = NULL) {
  taker <- if (!is.null(name)) paste0("`", name, "$take()`")
  putter <- if (!is.null(name)) paste0("`", name, "$put()`")
  r_door()$ExternalState(
    take = uninterrupted(for_python(function() naming(taker, allowInterrupts(take()), encode_value))),
    put = uninterrupted(for_python(function(value) {
      value <- decode_value(value)
      naming(putter, allowInterrupts(put(value)))
      NULL
    })),
    compare = uninterrupted(for_python(function(value) as.list(unname(compare(decode_value(value))))))
  )
}

# Converts the named objects for Python. A pair of functions becomes such a Python object.
as_python_extra_state <- function(extra_state) {
  if (length(extra_state)) {
    Map(function(item, name) {
      if (!is_pair(item)) {
        return(item)
      }
      external_state(item$take, item$put, name = paste0("extra_state$", name))
    }, extra_state, names(extra_state))
  }
}

is_pair <- function(x) {
  is.list(x) && !is.object(x) && setequal(names(x), c("take", "put")) && all(vapply(x, is.function, NA))
}

# Says what is wrong with a list that is meant as a pair of functions. NULL if nothing is wrong, or if the
# value is not meant as a pair.
pair_problem <- function(x, place) {
  parts <- c("take", "put")
  is_meant <- is_plain_list(x) && any(parts %in% names(x)) && any(vapply(x, is.function, NA))
  if (!is_meant) {
    return(NULL)
  }
  absent <- setdiff(parts, names(x))
  unknown <- setdiff(names2(x), parts)
  not_functions <- Filter(function(part) !is.function(x[[part]]), parts)
  if (length(absent)) {
    paste0("`", place, "` must have a function `", absent[[1]], "`")
  } else if (length(unknown)) {
    paste0("`", place, "` must have no other element than `take` and `put`")
  } else if (length(not_functions)) {
    part <- not_functions[[1]]
    paste0("`", place, "$", part, "` must be a function, not ", describe(x[[part]]))
  } else if (!can_be_called(x$take, 0)) {
    paste0("`", place, "$take` must be a function without arguments")
  } else if (!can_be_called(x$put, 1)) {
    paste0("`", place, "$put` must be a function of one argument, the saved value")
  }
}

# Whether the function can be called with so many arguments, without names.
can_be_called <- function(fn, count) {
  if (is.primitive(fn) && is.null(args(fn))) {
    return(TRUE)
  }
  formals <- formals(args(fn))
  needed <- vapply(formals, is_missing, NA) & names(formals) != "..."
  sum(needed) <= count && ("..." %in% names(formals) || length(formals) >= count)
}

is_python <- function(x) {
  inherits(x, "python.builtin.object")
}

# R has no random state before the first draw or set.seed() of a session.
take_random_seed <- function() {
  get0(".Random.seed", envir = globalenv(), inherits = FALSE)
}

put_random_seed <- function(value) {
  problems <- random_seed_problems(value)
  if (length(problems)) {
    abort(problems, class = "rekindle_random_state")
  }
  if (!is.null(value)) {
    assign(".Random.seed", value, envir = globalenv())
    # Makes R read the new state at once. Otherwise it is lost: around each call, reticulate makes R write its
    # own copy of the state back.
    RNGkind()
  } else if (!is.null(take_random_seed())) {
    rm(".Random.seed", envir = globalenv())
  }
}

# The reasons why a value is not a random state of R, as text. Empty if the value is a random state. R itself
# checks the state only at the next draw, and then silently replaces some broken states.
random_seed_problems <- function(value) {
  if (is.null(value)) {
    return(character())
  }
  problem <- seed_problem(value)
  if (is.null(problem)) character() else paste0(".Random.seed: expected ", problem)
}

seed_problem <- function(seed) {
  if (!is_bare_integer(seed) || !length(seed)) {
    return("a vector of integers")
  }
  generator <- generator_of_seed(seed[[1]])
  if (is.null(generator)) {
    return(paste("a kind of generator, found", seed[[1]]))
  }
  if (!identical(length(seed), generator$length) && !is.na(generator$length)) {
    return(paste(generator$length, "integers, found", length(seed)))
  }
  position <- seed[generator$position]
  if (!is.na(generator$position) && !position %in% 0:generator$last) {
    return(paste("a position within the generator's words, found", position))
  }
  NULL
}

# R's generators, in the order of their numbers. `length` is the number of integers in `.Random.seed`.
# `position` is the index of the integer that says where the next number comes from, and `last` is the largest
# value of that integer. A generator that the user supplies may have any number of integers.
generators <- data.frame(
  length = c(4L, 3L, 3L, 626L, 102L, NA, 102L, 7L),
  position = c(NA, NA, NA, 2L, 102L, NA, 102L, NA),
  last = c(0L, 0L, 0L, 624L, 100L, 0L, 100L, 0L)
)

# The first integer encodes three kinds: the kind of generator, of normal numbers, and of sampling.
generator_of_seed <- function(code) {
  kinds <- c(code %% 100L, code %/% 100L %% 100L, code %/% 10000L)
  if (is.na(code) || code < 0L || any(kinds > c(7L, 5L, 1L))) NULL else generators[kinds[[1]] + 1L, ]
}

# Encodes a value as its type, its contents and its attributes.
encode_value <- function(x) {
  type <- typeof(x)
  if (!type %in% names(encoders) || isS4(x) || is_python(x) || inherits(x, "connection")) {
    abort(paste0("A value of type \"", type, "\" cannot be saved."), class = "rekindle_unsupported")
  }
  encoded <- list(type = type, values = encoders[[type]](as.vector(unclass(x))))
  kept <- attributes(x)[setdiff(names(attributes(x)), of_a_session)]
  if (length(kept)) {
    encoded$attributes <- lapply(kept, encode_value)
  }
  encoded
}

decode_value <- function(encoded) {
  x <- decoders[[encoded$type]](encoded$values)
  if (!is.null(encoded$attributes)) {
    attributes(x) <- lapply(encoded$attributes, decode_value)
  }
  x
}

join <- function(x) paste(x, collapse = " ")
words <- function(x) {
  found <- strsplit(x, " ", fixed = TRUE)[[1]]
  found[found == "NA"] <- NA
  found
}

# Many numbers become a NumPy array, which is as quick as any other array. Its missing values
# keep R's bits.
text_up_to <- 64
text_or_array <- function(as_text, as_array = identity) {
  function(x) if (length(x) > text_up_to) array(as_array(x)) else as_text(x)
}
from_text_or_array <- function(from_text, from_array) {
  function(values) if (is.character(values)) from_text(values) else from_array(values)
}

encoders <- list(
  "NULL" = function(x) "",
  # NumPy's own logical type has no missing values.
  logical = text_or_array(join, as.integer),
  integer = text_or_array(function(x) join(sprintf("%d", x))),
  # Hexadecimal is exact.
  double = text_or_array(function(x) join(sprintf("%a", x))),
  raw = text_or_array(join, as.integer),
  complex = function(x) list(encoders$double(Re(x)), encoders$double(Im(x))),
  # A string may contain spaces, or be "NA". So each string is a list element, and NULL is a missing string.
  character = function(x) lapply(x, function(string) if (!is.na(string)) enc2utf8(string)),
  list = function(x) lapply(unname(x), encode_value)
)

decoders <- list(
  "NULL" = function(values) NULL,
  logical = from_text_or_array(function(values) as.logical(words(values)), as.logical),
  integer = from_text_or_array(function(values) as.integer(words(values)), as.integer),
  double = from_text_or_array(function(values) as.double(words(values)), as.double),
  raw = from_text_or_array(function(values) as.raw(strtoi(words(values), 16L)), as.raw),
  complex = function(values) {
    complex(real = decoders$double(values[[1]]), imaginary = decoders$double(values[[2]]))
  },
  character = function(values) {
    vapply(as.list(values), function(string) if (is.null(string)) NA_character_ else string, "")
  },
  list = function(values) lapply(values, decode_value)
)
