# R values in a checkpoint: which values can be saved, which saved value fits a live value, and how values are
# printed.

# Whether the value is a list, maybe of lists, that holds nothing but Python objects. Python's dicts and lists
# of arrays look like this in R.
is_python_tree <- function(x) {
  is_bare_list(x) && length(x) > 0 && (is.null(names(x)) || is_named(x)) &&
    all(vapply(x, function(one) is_python(one) || is_python_tree(one), NA))
}

# The list of the same form as `tree`, with the Python objects that the Python object `py` holds now.
tree_from_python <- function(tree, py) {
  keys <- if (is_named(tree)) names(tree) else seq_along(tree) - 1L
  now <- Map(function(one, key) {
    item <- reticulate::py_get_item(py, key)
    if (is_python(one)) item else tree_from_python(one, item)
  }, tree, keys)
  set_names(now, names(tree))
}

# Python reads a list with names as a dict, and another list as a list. No element is converted.
tree_in_python <- function(tree) {
  reticulate::r_to_py(lapply(tree, function(one) {
    if (is_python(one)) one else tree_in_python(one)
  }))
}

# Says which part of the value cannot be saved, and why. NULL if the whole value can be saved.
unsaveable_in <- function(x, place) {
  if (is_python(x)) {
    return(paste0("`", place, "` is a Python object in an R list"))
  }
  if (inherits(x, "connection")) {
    return(paste0("`", place, "` is a connection"))
  }
  type <- if (isS4(x)) "S4" else typeof(x)
  if (!type %in% names(encoders)) {
    kind <- if (is.function(x)) {
      "a function"
    } else if (is.object(x)) {
      describe(x)
    } else {
      paste0("of type \"", type, "\"")
    }
    return(paste0("`", place, "` is ", kind))
  }
  in_elements <- if (type == "list") {
    first_of(unclass(x), function(element, i) unsaveable_in(element, paste0(place, element_text(x, i))))
  }
  in_elements %||% unsaveable_in_attributes(x, place)
}

element_text <- function(x, i) {
  name <- names(x)[i]
  if (is_name(name)) paste0("$", name) else paste0("[[", i, "]]")
}

# data.table notes in this attribute where a table lies in memory. For a table without a note, it makes one.
of_a_session <- ".internal.selfref"

unsaveable_in_attributes <- function(x, place) {
  others <- attributes(x)
  others <- others[setdiff(names(others), c("names", "dim", "dimnames", "row.names", of_a_session))]
  first_of(others, function(attribute, i) {
    unsaveable_in(attribute, paste0("attr(", place, ", \"", names(others)[[i]], "\")"))
  })
}

# The reasons why the saved value cannot replace the live value, one line each: place, expected, found. The
# lengths of vectors and lists may differ, because they can grow. An empty live value accepts any saved value.
# A value with dimensions belongs to a model, so its dimensions must be equal.
misfits <- function(live, saved, place = character()) {
  if (waits_for_value(live) || is.null(saved)) {
    return(character())
  }
  if (kind_of(live) != kind_of(saved)) {
    return(misfit(place, "type", kind_of(live), kind_of(saved)))
  }
  if (has_dim(live) != has_dim(saved) || (has_dim(live) && !identical(dim(live), dim(saved)))) {
    return(misfit(place, "dim", dim_text(live), dim_text(saved)))
  }
  if (kind_of(live) == "a list") misfits_of_elements(by_name(live), by_name(saved), place)
}

misfit <- function(place, what, expected, found) {
  paste0(paste(c(place, what), collapse = "/"), ": expected ", expected, ", found ", found)
}

# A matrix on one side only is a misfit too: models can differ in their number of matrices.
misfits_of_elements <- function(live, saved, place) {
  absent <- lapply(setdiff(names(live), names(saved)), function(name) {
    if (has_dim(live[[name]])) misfit(place, name, dim_text(live[[name]]), "nothing")
  })
  unknown <- lapply(setdiff(names(saved), names(live)), function(name) {
    if (has_dim(saved[[name]])) misfit(place, name, "nothing", dim_text(saved[[name]]))
  })
  shared <- lapply(intersect(names(live), names(saved)), function(name) {
    misfits(live[[name]], saved[[name]], c(place, name))
  })
  unlist(c(shared, absent, unknown))
}

# An element without a name is identified by its number.
by_name <- function(x) {
  x <- unclass(x)
  names <- names2(x)
  names[!nzchar(names)] <- seq_along(x)[!nzchar(names)]
  set_names(x, names)
}

waits_for_value <- function(x) {
  length(x) == 0 || (is.logical(x) && is.null(dim(x)) && all(is.na(x)))
}

has_dim <- function(x) {
  !is.null(dim(x)) && !is.data.frame(x)
}

kind_of <- function(x) {
  if (is.data.frame(x)) {
    return("a data frame")
  }
  # R itself converts logical values to numbers, and integers to doubles, during a computation.
  switch(typeof(x),
    logical = ,
    integer = ,
    double = "numbers",
    character = "strings",
    raw = "bytes",
    complex = "complex numbers",
    "a list"
  )
}

dim_text <- function(x) {
  if (has_dim(x)) paste(dim(x), collapse = " x ") else "no dimensions"
}

# A value in a few words.
summary_text <- function(x) {
  if (has_dim(x)) {
    return(paste(typeof(x), if (length(dim(x)) == 2) "matrix" else "array", dim_text(x)))
  }
  if (is.data.frame(x)) {
    return(paste(class(x)[[1]], paste(dim(x), collapse = " x ")))
  }
  if (is.null(x) || is_plain_vector(x) && length(x) == 1) {
    return(describe(unname(x)))
  }
  paste(if (is.object(x)) class(x)[[1]] else typeof(x), "of length", length(x))
}
