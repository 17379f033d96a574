# Variables around an R function that it assigns by `<<-`. A callback of `fit()` may keep its state there.
# Python cannot see them.

# Lets rekindle find these variables for each R function that is a callback, or a part of one.
read_r_functions <- function() {
  r_door()$read_foreign_functions(uninterrupted(for_python(outer_states)))
}

# The variables of an R function by name, each as state for Python. There are none with old versions of
# reticulate, which do not give R its function back.
outer_states <- function(fn) {
  lapply(if (is.function(fn)) outer_places(fn) else list(), outer_state)
}

largest_variable <- 2^20

outer_state <- function(place) {
  initial <- place_value(place)
  external_state(
    function() {
      value <- place_value(place)
      # To capture it takes time at each checkpoint.
      if (utils::object.size(value) > largest_variable) {
        abort("it is larger than 1 MiB, so give it in `extra_state`")
      }
      if (holds_text(value) && !identical(value, initial)) {
        abort("it was set to text during training, and a resume does not change text that a script sets")
      }
      value
    },
    function(value) assign(place$name, value, envir = place$env),
    function(value) outer_problem(place_value(place), value)
  )
}

place_value <- function(place) {
  get0(place$name, envir = place$env, inherits = FALSE)
}

# Why a backup may not give a variable this value, as text. A backup never changes where a script writes.
outer_problem <- function(before, saved) {
  has_text <- holds_text(before) || holds_text(saved)
  if (if (has_text) !identical(before, saved) else !is_same_type(before, saved)) {
    paste0("expected a value of type \"", typeof(before), "\" without text, found another")
  }
}

is_same_type <- function(before, saved) {
  is.null(before) || is.null(saved) || outer_type(before) == outer_type(saved)
}

outer_type <- function(x) {
  if (is.logical(x) || is.numeric(x)) "number" else typeof(x)
}

holds_text <- function(x) {
  is.character(x) || is.list(x) && any(vapply(unclass(x), holds_text, NA))
}

# The variables that a function, and the user's functions that it calls, assign outside of themselves. Each as
# its name and its environment, by name.
outer_places <- function(fn, depth = 5L, seen = new.env(parent = emptyenv())) {
  env <- environment(fn)
  if (depth == 0L || !is_users_environment(env)) {
    return(list())
  }
  found <- lapply(outer_targets(body(fn)), function(name) {
    list(name = name, env = outer_environment(name, env))
  })
  for (name in setdiff(all.names(body(fn), unique = TRUE), names(seen))) {
    assign(name, TRUE, envir = seen)
    called <- get0(name, envir = env, mode = "function")
    if (is.function(called) && !is.primitive(called)) {
      found <- c(found, outer_places(called, depth - 1L, seen))
    }
  }
  found <- unique(unname(Filter(function(place) !is.null(place$env), found)))
  # Two environments may have variables of one name.
  names(found) <- make.unique(vapply(found, function(place) place$name, ""))
  found
}

# Whether functions of this environment are the user's, and not those of a package.
is_users_environment <- function(env) {
  is.environment(env) && !isNamespace(topenv(env))
}

# Where `<<-` in a function of this environment assigns the name. NULL if that is not the user's place, or
# if a function, an environment or a Python object is there.
outer_environment <- function(name, env) {
  while (!identical(env, emptyenv()) && !exists(name, envir = env, inherits = FALSE)) {
    env <- parent.env(env)
  }
  if (identical(env, emptyenv())) {
    return(globalenv())
  }
  value <- get0(name, envir = env, inherits = FALSE)
  if (is_users_environment(env) && !is_reference(value)) env
}

is_reference <- function(x) {
  is.function(x) || is.environment(x) || is_python(x)
}

# The names to which an expression assigns by `<<-`, also as `x$y <<- 1` or `names(x) <<- "a"`.
outer_targets <- function(expr) {
  found <- character()
  if (is.call(expr)) {
    if (identical(expr[[1]], quote(`<<-`))) {
      target <- expr[[2]]
      while (is.call(target)) target <- target[[2]]
      found <- as.character(target)
    }
    found <- c(found, unlist(lapply(as.list(expr), outer_targets)))
  }
  unique(found)
}
