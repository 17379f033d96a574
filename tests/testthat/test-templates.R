# python/tests/supervisor/test_restarts_templates.py tests the templates for Slurm and systemd.

test_that("the template for Kubernetes is the job that is meant", {
  skip_if_not_installed("rmarkdown")
  lines <- readLines(system.file("templates", "kubernetes-job.yaml", package = "rekindle"))
  page <- withr::local_tempfile(lines = c("---", lines, "---"))
  spec <- rmarkdown::yaml_front_matter(page)$spec
  pod <- spec$template$spec
  container <- pod$containers[[1]]
  expect_identical(container$command, c("python", "-m", "rekindle", "run", "--", "Rscript", "train.R"))
  # With another policy, Kubernetes refuses rules for exit codes.
  expect_identical(pod$restartPolicy, "Never")
  rules <- Filter(function(rule) "onExitCodes" %in% names(rule), spec$podFailurePolicy$rules)
  actions <- lapply(rules, function(rule) {
    expect_identical(rule$onExitCodes$containerName, container$name)
    stats::setNames(rep(rule$action, length(rule$onExitCodes$values)), rule$onExitCodes$values)
  })
  expect_identical(unlist(actions), c("75" = "Ignore", "126" = "FailJob", "127" = "FailJob"))
  mounts <- vapply(container$volumeMounts, function(mount) mount$name, "")
  expect_identical(mounts, vapply(pod$volumes, function(volume) volume$name, ""))
})
