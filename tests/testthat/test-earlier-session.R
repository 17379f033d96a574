# Objects as they are after saveRDS() and readRDS() in another session. An object that this process writes and
# reads is the same: its Python part is gone.
again <- function(x) {
  path <- withr::local_tempfile()
  saveRDS(x, path)
  readRDS(path)
}

test_that("a checkpoint of an earlier session says so, whatever is asked of it", {
  skip_without_python()
  ckpt <- again(checkpoint(step = 1L, inner = checkpoint(n = 2L)))
  expect_error(ckpt$step, class = "rekindle_earlier_session")
  expect_error(ckpt$save("d/ckpt"), class = "rekindle_earlier_session")
  expect_error(ckpt[["step"]], class = "rekindle_earlier_session")
  expect_error(ckpt$step <- 3L, class = "rekindle_earlier_session")
  expect_error(ckpt[["step"]] <- 3L, class = "rekindle_earlier_session")
  expect_error(checkpoint(a = ckpt), class = "rekindle_earlier_session")
  expect_error(checkpoint_manager(ckpt, withr::local_tempdir(), 3), class = "rekindle_earlier_session")
  expect_identical(names(ckpt), c("step", "inner"))
  expect_snapshot({
    ckpt
  })
  expect_snapshot(error = TRUE, {
    ckpt$step
  })
})

test_that("a checkpoint manager of an earlier session says so, and its folder is as it was", {
  skip_without_python()
  dir <- withr::local_tempdir()
  manager <- checkpoint_manager(checkpoint(step = 1L), dir, 3)
  manager$save()
  before <- list.files(dir)
  dead <- again(manager)
  expect_error(dead$save(), class = "rekindle_earlier_session")
  expect_error(dead$checkpoints, class = "rekindle_earlier_session")
  expect_snapshot({
    dead
  })
  expect_identical(list.files(dir), before)
  manager$close()
})

test_that("tables of a backup are values, and survive", {
  skip_without_keras()
  dir <- backup_of_run(2L)
  for (found in list(backup_info(dir), backup_history(dir), backup_verify(dir), backup_arrays(dir))) {
    expect_identical(again(found), found)
    expect_output(print(again(found)))
  }
})

test_that("a callback of an earlier session says so, whatever is asked of it", {
  skip_without_keras()
  live <- callback_backup_and_restore(file.path(withr::local_tempdir(), "run"))
  dead <- again(live)
  expect_error(dead$resume_report, class = "rekindle_earlier_session")
  expect_error(dead[["backup_dir"]], class = "rekindle_earlier_session")
  expect_error(dead$backup_dir <- "other", class = "rekindle_earlier_session")
  expect_error(dead[["backup_dir"]] <- "other", class = "rekindle_earlier_session")
  expect_snapshot({
    dead
    format(dead)
    summary(dead)
    str(dead)
  })
  expect_snapshot(error = TRUE, {
    dead$resume_report
  })
  # reticulate refuses it before any code of this package runs.
  expect_error(tiny_fit(dead, epochs = 1L), "object is from previous session")
  # The class of a callback that lives has all the methods of reticulate.
  expect_output(print(live), "BackupAndRestore('", fixed = TRUE)
  expect_null(live$resume_report)
  live$note <- "kept"
  expect_identical(live[["note"]], "kept")
})
