# Draws the history of a run, with the ends of its attempts.

#' @export
plot.rekindle_history <- function(x, y, ..., metrics = NULL, method = c("auto", "ggplot2", "base")) {
  method <- arg_match(method)
  breaks <- attempt_breaks(attr(x, "attempts"))
  frame <- if (is.data.frame(x)) x else history_frame(x$metrics)
  known <- levels(frame$metric)
  check_metrics(metrics, known)
  frame <- frame[frame$metric %in% (metrics %||% known) & !is.na(frame$value), , drop = FALSE]
  class(frame) <- "data.frame"
  frame <- droplevels(frame)
  if (nrow(frame) == 0) {
    cli::cli_inform(c(i = "No epoch has ended yet, so there is nothing to draw."))
    return(invisible())
  }
  if (method == "ggplot2" || (method == "auto" && requireNamespace("ggplot2", quietly = TRUE))) {
    check_installed("ggplot2")
    return(plot_ggplot2(frame, breaks))
  }
  plot_base(frame, breaks, ...)
  invisible()
}

check_metrics <- function(x, known, arg = caller_arg(x), call = caller_env()) {
  if (!is.null(x) && (!is.character(x) || length(x) == 0 || !all(x %in% known))) {
    abort_argument(
      c(
        paste0("`", arg, "` must be names of metrics, or NULL for all."),
        i = paste0("There are ", toString(dQuote(printable(known), FALSE)), ".")
      ),
      x, arg, call
    )
  }
}

# ggplot2 may be loaded later, or never: R registers the method once it is.
#' @exportS3Method ggplot2::autoplot
autoplot.rekindle_history <- function(object, ..., metrics = NULL) { # nolint: object_name_linter.
  plot(object, ..., metrics = metrics, method = "ggplot2")
}

plot_ggplot2 <- function(frame, breaks) {
  whole <- function(limits) unique(round(pretty(limits)))
  both <- nlevels(frame$data) > 1
  ggplot2::ggplot(frame, ggplot2::aes(.data$epoch, .data$value, colour = .data$data, shape = .data$data)) +
    ggplot_breaks(breaks) +
    ggplot2::geom_line(show.legend = both) +
    ggplot2::geom_point(size = 2, show.legend = both) +
    ggplot2::facet_grid(metric ~ ., switch = "y", scales = "free_y") +
    ggplot2::scale_x_continuous(breaks = whole) +
    ggplot2::labs(x = "epoch", y = NULL, colour = NULL, shape = NULL) +
    ggplot2::theme_bw(base_size = 13) +
    ggplot2::theme(
      strip.placement = "outside",
      strip.background = ggplot2::element_blank(),
      strip.text = ggplot2::element_text(size = 13),
      legend.position = "top"
    )
}

# The marks of attempts. They have data of their own, and appear in each panel.
ggplot_breaks <- function(breaks) {
  if (nrow(breaks) == 0) {
    return(NULL)
  }
  list(
    ggplot2::geom_rect(
      ggplot2::aes(xmin = .data$from, xmax = .data$at, ymin = -Inf, ymax = Inf), breaks,
      inherit.aes = FALSE, fill = "grey50", alpha = 0.2
    ),
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$at), breaks,
      colour = "grey40", linetype = "dashed"
    )
  )
}

plot_base <- function(frame, breaks, ..., xlim = range(frame$epoch, breaks$at)) {
  metrics <- levels(frame$metric)
  data <- levels(frame$data)
  old <- graphics::par(mfrow = c(max(1, length(metrics)), 1), mar = c(4, 4.5, 1.5, 1), cex = 1)
  on.exit(graphics::par(old), add = TRUE)
  for (metric in metrics) {
    one <- frame[frame$metric == metric, ]
    colour <- match(one$data, data)
    graphics::plot(
      one$epoch, one$value,
      col = colour, pch = c(16, 17)[colour], xaxt = "n", las = 1,
      xlab = "epoch", ylab = metric, xlim = xlim, ...
    )
    base_breaks(breaks)
    graphics::axis(1, unique(round(pretty(one$epoch))))
    for (kind in seq_along(data)) {
      line <- one[colour == kind, ]
      graphics::lines(line$epoch, line$value, col = kind)
    }
    if (length(data) > 1) {
      marks <- c(16, 17)[seq_along(data)]
      graphics::legend("topright", data, col = seq_along(data), pch = marks, lty = 1, bty = "n")
    }
  }
}

base_breaks <- function(breaks) {
  if (nrow(breaks)) {
    limits <- graphics::par("usr")
    shade <- grDevices::adjustcolor("grey50", 0.2)
    graphics::rect(breaks$from, limits[[3]], breaks$at, limits[[4]], col = shade, border = NA)
    graphics::abline(v = breaks$at, lty = 2, col = "grey40")
  }
}
