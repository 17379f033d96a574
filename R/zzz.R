.onLoad <- function(libname, pkgname) { # nolint: object_name_linter. R's own name.
  declare_requirements()
}
