library(testthat)
library(rekindle)

test_check("rekindle")
