"""Work per bin over time, a row for each worker. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

import plot_svg

MAP = LinearSegmentedColormap.from_list(
    "work", [(0, "#2b1020"), (0.4, "#b5372f"), (0.8, "#f0b64a"), (0.97, "#58b3a8"),
             (1, "#58b3a8")])


def draw(titles: Sequence[str], work: Sequence[np.ndarray], millis: Sequence[float]) -> Figure:
    """work[i] (row, column): share of each worker's own best bin, 0..1; millis[i]: its length."""
    heights = [0.5 + min(0.32 * len(w), 1.9) for w in work]
    made, plots = plot_svg.figure(0.9 + sum(heights), len(work))
    for axes, title, share, length in zip(plots, titles, work, millis):
        axes.imshow(share, aspect="auto", interpolation="nearest", cmap=MAP, vmin=0, vmax=1,
                    extent=(0, length, len(share) - 0.5, -0.5))
        axes.set_title(plot_svg.literal(title), loc="left", fontsize=10, color=plot_svg.INK)
        _worker_ticks(axes, len(share))
        axes.spines[:].set_visible(False)
        axes.tick_params(labelbottom=axes is plots[-1] or len(set(millis)) > 1)
    plots[-1].set_xlabel("time in the repetition, ms")
    bar = made.colorbar(ScalarMappable(Normalize(0, 1), MAP), ax=plots, location="bottom",
                        shrink=0.5, aspect=45, pad=0.02)
    bar.set_ticks([0, 0.5, 1], labels=["0: off the CPU", "half", "the worker's own best rate"])
    bar.outline.set_visible(False)
    return made


def _worker_ticks(axes, rows: int) -> None:
    if rows <= 8:
        axes.set_yticks(range(rows), [f"worker {i}" for i in range(rows)])
    else:
        axes.set_yticks([0, rows - 1], ["first", "last"])
        axes.set_ylabel("workers")
    axes.tick_params(length=0)
