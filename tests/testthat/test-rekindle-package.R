help_pages <- function() {
  pages <- tools::Rd_db("rekindle")
  vapply(pages, function(page) paste(as.character(page), collapse = ""), "")
}

test_that("the overview links to every function, and every function to the others for its task", {
  pages <- help_pages()
  overview <- pages[["rekindle-package.Rd"]]
  for (name in getNamespaceExports("rekindle")) {
    expect_match(overview, paste0("[=", name, "]"), fixed = TRUE)
    expect_match(pages[[paste0(name, ".Rd")]], "Other functions ", fixed = TRUE)
  }
})

test_that("the overview names every article", {
  skip_if_not(dir.exists(test_path("../../vignettes")), "the sources are not here")
  overview <- help_pages()[["rekindle-package.Rd"]]
  for (file in list.files(test_path("../../vignettes"), "[.]Rmd$")) {
    expect_match(overview, paste0("vignette(\"", sub("[.]Rmd$", "", file), "\")"), fixed = TRUE)
  }
})
