# Shows what rekindle does: runs a script, kills it, runs it again, and compares the result with a run that
# was never killed. Writes into build/demo.

out <- file.path("build", "demo")
unlink(out, recursive = TRUE)
dir.create(out, recursive = TRUE)

say <- function(...) cat(sprintf(...), "\n", sep = "")
script <- file.path("tools", "demo", "train.R")
kill_after <- c(epoch = 5L, batch = 50L)

parse_progress <- function(lines) {
  lines <- grep("^progress ", lines, value = TRUE)
  table <- utils::read.table(text = c("progress 0 0 0", lines), col.names = c("", "epoch", "batch", "loss"))
  table[-1, -1]
}

# Returns the lines that a process prints until it ends. Kills the process when a line begins with `target`.
watch <- function(process, target = NULL) {
  lines <- character()
  while (process$is_alive() || process$is_incomplete_output()) {
    process$poll_io(1000)
    lines <- c(lines, process$read_output_lines())
    if (!is.null(target) && any(startsWith(lines, target))) {
      process$signal(9L) # SIGKILL: no handler, no clean-up, no warning
    }
  }
  process$wait()
  lines
}

# Runs the script in a separate process. With `kill_after`, kills it when it reports that epoch and batch.
run_training <- function(name, backup, kill_after = NULL) {
  result <- file.path(out, paste0(name, ".rds"))
  log <- file.path(out, paste0(name, ".log"))
  process <- processx::process$new(
    file.path(R.home("bin"), "Rscript"),
    c("--no-init-file", script, file.path(out, backup), result),
    env = c("current", KERAS_BACKEND = "jax"),
    stdout = "|", stderr = log
  )
  target <- if (length(kill_after)) sprintf("progress %d %d ", kill_after[[1]], kill_after[[2]])
  lines <- watch(process, target)
  if (file.exists(result) == (length(kill_after) > 0)) {
    writeLines(readLines(log))
    stop("the training did not end as it should: ", name, call. = FALSE)
  }
  list(progress = parse_progress(lines), result = if (file.exists(result)) readRDS(result))
}

# --- three runs -----------------------------------------------------------------------------------------

say("Training on 53,940 diamonds, 10 epochs of 106 batches, backend jax, a save every 20 batches.\n")

say("1. A run that is killed.")
killed <- run_training("killed", "backup", kill_after)
killed_at <- utils::tail(killed$progress, 1)
killed_steps <- (killed_at$epoch - 1L) * max(killed$progress$batch) + killed_at$batch
say(
  "   SIGKILL in the middle of epoch %d, after batch %d, %d steps into the run.\n",
  killed_at$epoch, killed_at$batch, killed_steps
)

say("2. The same command again.")
resumed <- run_training("resumed", "backup")
report <- resumed$result$resumed
if (is.null(report)) stop("the second run restored nothing", call. = FALSE)
say(
  "   Restored save %d, %d steps into the run, and went on with epoch %d, batch %d.",
  report$number, report$step, report$epoch + 1L, report$batch + 1L
)
say("   Of all that was done, the last %d batches were run again.", killed_steps - report$step)
say(
  "   Evidence: %s. %d batches, %d losses and %d epochs were those of the killed run.",
  report$evidence, report$compared$batches, report$compared$losses, report$compared$epochs
)
if (report$evidence != "verified") stop("the resumed run did not see what the killed run saw", call. = FALSE)
say("   Its history has all %d epochs.\n", length(resumed$result$loss))

say("3. A run that nobody kills, with a backup folder of its own.")
undisturbed <- run_training("undisturbed", "backup-undisturbed")
say("   Done.\n")

# --- the results ----------------------------------------------------------------------------------------

same_until <- sum(cumprod(resumed$result$loss == undisturbed$result$loss))
say("Loss after each epoch:")
print(
  data.frame(
    epoch = seq_along(resumed$result$loss),
    killed_and_resumed = format(resumed$result$loss, digits = 6),
    undisturbed = format(undisturbed$result$loss, digits = 6)
  ),
  row.names = FALSE
)
say("")
say("Digest of the final weights, killed and resumed:  %s", resumed$result$digest)
say("Digest of the final weights, undisturbed:         %s", undisturbed$result$digest)
if (!identical(resumed$result[c("loss", "digest")], undisturbed$result[c("loss", "digest")])) {
  stop(
    sprintf("The two differ: the resumed run is not the run. Their loss is equal to epoch %d.", same_until),
    call. = FALSE
  )
}
say("The two are equal, bit for bit, and so is the loss of every epoch: the resumed run is the run.")
left <- list.files(file.path(out, "backup"), all.files = TRUE, no.. = TRUE)
say("Files left in the backup folder after completion: %d", length(left))

# --- the picture ----------------------------------------------------------------------------------------

batches <- max(undisturbed$progress$batch)
runs <- rbind(
  cbind(undisturbed$progress, run = "never killed"),
  cbind(killed$progress, run = "killed"),
  cbind(resumed$progress, run = "run again")
)
runs$position <- runs$epoch - 1 + runs$batch / batches
# In the first batches of an epoch, the loss is a mean over very few values.
runs <- runs[runs$batch > 5, ]
runs$run <- factor(runs$run, c("never killed", "killed", "run again"))
kill_position <- killed_at$epoch - 1 + killed_at$batch / batches

picture <- ggplot2::ggplot(
  runs,
  ggplot2::aes(x = position, y = loss, colour = run, group = interaction(run, epoch)) # nolint: object_usage
) +
  ggplot2::geom_line(ggplot2::aes(linewidth = run)) +
  ggplot2::geom_vline(xintercept = kill_position, linetype = "dashed", colour = "grey30") +
  ggplot2::annotate(
    "text",
    x = kill_position + 0.08, y = max(runs$loss), hjust = 0, vjust = 1, size = 3.5, lineheight = 1,
    label = sprintf(
      "SIGKILL in epoch %d, after batch %d;\nthe script, run again, goes on\nwith batch %d",
      killed_at$epoch, killed_at$batch, report$batch + 1L
    )
  ) +
  ggplot2::scale_x_continuous("Epochs trained", breaks = 0:10) +
  ggplot2::scale_y_log10("Mean squared error in the epoch, so far") +
  ggplot2::scale_colour_manual(
    NULL,
    values = c("never killed" = "grey65", "killed" = "#D55E00", "run again" = "#0072B2")
  ) +
  ggplot2::scale_linewidth_manual(
    NULL,
    values = c("never killed" = 1.6, "killed" = 0.7, "run again" = 0.7)
  ) +
  ggplot2::labs(title = "One training run, killed and resumed", subtitle = "Logarithmic scale") +
  ggplot2::theme_minimal(base_size = 12) +
  ggplot2::theme(legend.position = "bottom", plot.title.position = "plot")

png <- file.path(out, "loss.png")
ggplot2::ggsave(png, picture, width = 9, height = 5, dpi = 120, device = grDevices::png, bg = "white")
say("The loss over the whole run: %s", png)
