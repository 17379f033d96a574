# `make site`: the web site of the R package, by pkgdown, into build/site. Nothing is fetched for it.

pkgdown::check_pkgdown()

# Where the names in the code link to would be asked of CRAN: without a network, they link to nothing.
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
