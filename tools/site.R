# `make site`: pkgdown builds the web site of the R package in build/site. This downloads nothing.

pkgdown::check_pkgdown()

# pkgdown would ask CRAN for the link targets of the names in the code. This build uses no network, so those
# names get no links.
options(pkgdown.internet = FALSE)
nothing <- data.frame(Package = character(), URL = character())
utils::assignInNamespace("CRAN_urls", function() nothing, "downlit")

pkgdown::build_site(
  examples = FALSE,
  install = FALSE,
  new_process = FALSE,
  preview = FALSE,
  override = list(destination = "build/site")
)
