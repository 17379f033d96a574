# The R part of `make test`: runs testthat on the installed package. The last line of output is a plain line
# of counts.
python <- Sys.getenv("RETICULATE_PYTHON")
if (system2(python, c("-c", shQuote("import rekindle")), stdout = FALSE, stderr = FALSE) == 0) {
  stop("R is to find the copy of rekindle that it brings, as users do, but ", python, " has its own")
}
Sys.setenv(NOT_CRAN = Sys.getenv("NOT_CRAN", "true")) # snapshots are compared
results <- as.data.frame(testthat::test_dir(
  "tests/testthat",
  package = "rekindle",
  load_package = "installed",
  reporter = Sys.getenv("TESTTHAT_REPORTER", "check"),
  stop_on_failure = FALSE
))
failed <- sum(results$failed > 0 | results$error)
skipped <- sum(results$skipped & !results$error & results$failed == 0)
cat(sprintf("%d passed, %d failed, %d skipped\n", nrow(results) - failed - skipped, failed, skipped))
quit(status = as.integer(failed > 0 || any(results$warning > 0)))
