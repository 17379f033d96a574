# nolint start: object_name_linter. R's own names.
.onLoad <- function(libname, pkgname) {
  declare_requirements()
}

.onAttach <- function(libname, pkgname) {
  watch_namesakes()
}

.onUnload <- function(libpath) {
  forget_namesakes()
}
# nolint end
