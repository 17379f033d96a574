# The R part of `make coverage`: runs the tests of R on a copy of the package that counts its lines (package
# covr). The result must not be below the floor.
#
#   Rscript tools/coverage.R FLOOR      in percent of the lines
floor <- as.numeric(commandArgs(trailingOnly = TRUE))

counted <- covr::package_coverage(
  type = "none",
  code = sprintf("setwd(%s); source('tools/test-r.R')", deparse(getwd())),
  quiet = FALSE
)
by_file <- covr::coverage_to_list(counted)
files <- sort(by_file$filecoverage)
cat(sprintf("%6.1f %%  %s\n", files, names(files)), sep = "")
cat(sprintf("R: %.1f %% of the lines, and at least %.1f %% is asked for\n", by_file$totalcoverage, floor))
quit(status = as.integer(by_file$totalcoverage < floor))
