test_that("after a restore the next random number of R's is that of the run never killed", {
  skip_without_python()
  withr::local_preserve_seed()
  set.seed(3, kind = "Mersenne-Twister", normal.kind = "Box-Muller")
  rnorm(1)
  ckpt <- checkpoint(seed = r_random_state())
  path <- ckpt$save(file.path(withr::local_tempdir(), "seed"))
  drawn <- runif(5)
  set.seed(99)
  ckpt$restore(path)$assert_consumed()
  expect_identical(runif(5), drawn)
})

test_that("it stands in a callback's extra_state as well", {
  skip_without_python()
  expect_error(check_extra_state(list(seed = r_random_state())), NA)
})
