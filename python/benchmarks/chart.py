"""The chart: the cost of a save of 400 MB, for each contestant on each backend."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks import limits

OURS, OTHERS, LIMIT = "#1b6ca8", "#b8b8b8", "#c0392b"
KINDS = {
    "held": ("Training is held up, seconds", limits.COPY),
    "durable": ("Until it is durable, seconds", limits.WRITE),
}

_TICKS = [0.01, 0.03, 0.1, 0.3, 1, 3]
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}


def draw(answers, path: Path) -> None:
    try:
        import matplotlib as mpl
    except ImportError:
        print("no chart: matplotlib is not installed (python/benchmarks/requirements.txt)")
        return
    mpl.use("agg")
    import matplotlib.pyplot as plt

    found = answers.of("saves", megabytes=400)
    if not found:
        return
    figure, axes = plt.subplots(
        len(found), 2, figsize=(11, 1.2 + 2.6 * len(found)), squeeze=False, layout="constrained"
    )
    for row, (given, answer) in zip(axes, found, strict=True):
        for axis, (kind, (title, limit)) in zip(row, KINDS.items(), strict=True):
            _bars(axis, answer["rows"], kind, limit)
            axis.set_title(f"{given['backend']}: {title}", fontsize=10, loc="left")
        row[1].set_yticklabels([])
    figure.suptitle(
        f"One save of {found[0][1]['bytes'] / 1e6:,.0f} MB: medians, and the range (logarithmic)"
    )
    figure.savefig(path, dpi=120)


def _bars(axis, rows: dict, kind: str, limit: str) -> None:
    names = [name.rsplit(": ", 1)[0] for name in rows if name.endswith(f": {kind}")]
    # From bottom to top: the other contestants, then rekindle's.
    names.sort(key=lambda name: (name.startswith("rekindle"), name))
    values = [rows[f"{name}: {kind}"] for name in names]
    middles = [median(entries) for entries in values]
    ranges = [
        [middle - min(entries) for middle, entries in zip(middles, values, strict=True)],
        [max(entries) - middle for middle, entries in zip(middles, values, strict=True)],
    ]
    colors = [OURS if name.startswith("rekindle") else OTHERS for name in names]
    axis.barh(names, middles, xerr=ranges, color=colors, error_kw={"lw": 0.8, "ecolor": "#444"})
    base = median(rows[limit])
    axis.axvline(base, color=LIMIT, lw=1.2)
    axis.text(base, len(names) - 0.45, f" {limit}", color=LIMIT, fontsize=8, va="bottom")
    for place, (middle, entries) in enumerate(zip(middles, values, strict=True)):
        axis.text(max(entries) * 1.08, place, f"{middle:.3f}", va="center", fontsize=8, bbox=_PAPER)
    axis.set_xscale("log")
    axis.set_xlim(0.01, 6)
    axis.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axis.set_ylim(-0.6, len(names) + 0.1)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
