"""Operations per bin over time, workers stacked: do they add up? Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import heat
import plot_svg


def draw(heads: Sequence[str], titles: Sequence[Sequence[str]],
         work: Sequence[Sequence[np.ndarray | None]], millis: Sequence[Sequence[float]]) -> Figure:
    """A column for each head, with one scale. work[row][column] (worker, bin), or None."""
    made, _ = plot_svg.figure(0.6 + 1.5 * len(work), 0)
    grid = made.subplots(len(work), len(heads), squeeze=False, sharey="col")
    for row, plots in enumerate(grid):
        for column, axes in enumerate(plots):
            one = work[row][column]
            if one is None:
                axes.set_axis_off()
                continue
            _stack(axes, one, millis[row][column])
            title = titles[row][column]
            axes.set_title(plot_svg.literal(f"{heads[column]}: {title}"), loc="left", fontsize=9,
                           color=plot_svg.INK)
    for column, plots in enumerate(grid.T):
        top = max(one.sum(axis=0).max() for each in work if (one := each[column]) is not None)
        plots[0].set_ylim(0, 1.05 * max(top, 1))
        plots[-1].set_xlabel("time, ms")
    made.supylabel("operations per bin, workers stacked", fontsize=10, color=plot_svg.MUTED)
    return made


def _stack(axes, work: np.ndarray, millis: float) -> None:
    """Means over neighbouring bins where there are more than a page shows."""
    means = heat.pooled(work.astype(float).T, heat.COLUMNS).T
    edges = np.linspace(0, millis, means.shape[1] + 1)
    below = np.zeros(means.shape[1])
    for i, one in enumerate(means):
        colour = plot_svg.PALETTE[i % len(plot_svg.PALETTE)]
        axes.stairs(below + one, edges, baseline=below, fill=True, color=colour, linewidth=0)
        below = below + one
    axes.set_xlim(0, millis)
    axes.tick_params(labelsize=8)
