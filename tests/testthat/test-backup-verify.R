test_that("every byte is read: a flipped bit is found, and told, and not mended", {
  skip_without_keras()
  dir <- backup_of_run(3L)
  checks <- backup_verify(dir)
  expect_identical(checks$name, c("ckpt-2", "ckpt-3"))
  expect_identical(checks$whole, c(TRUE, TRUE))
  expect_true(all(checks$bytes > 1000))

  flip_last_bit(dir, "ckpt-3.safetensors")
  before <- fingerprint(dir)
  expect_true(all(backup_info(dir)$saves$whole))
  checks <- backup_verify(dir)
  expect_identical(checks$whole, c(TRUE, FALSE))
  expect_match(checks$damage[[2]], "does not match its digest")
  expect_identical(fingerprint(dir), before)
})

test_that("a folder without saves gives no rows", {
  skip_without_python()
  expect_message(checks <- backup_verify(withr::local_tempdir()), "There is no checkpoint in .* to verify[.]")
  expect_identical(nrow(checks), 0L)
  expect_named(checks, c("name", "number", "whole", "bytes", "damage"))
})
