"""How long one worker has the lock: distributions of slices. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg


def draw(titles: Sequence[str], grid: np.ndarray,
         shares: Sequence[Sequence[tuple[str, np.ndarray]]]) -> Figure:
    """A plot for each title. grid (point,): switch intervals; shares[i]: (name, (point,) share of
    slices that are no longer)."""
    made, _ = plot_svg.figure(0.6 + 1.5 * len(titles), 0)
    plots = made.subplots(len(titles), 1, squeeze=False, sharex=True)[:, 0]
    for axes, title, lines in zip(plots, titles, shares):
        axes.axvline(1, color=plot_svg.MUTED, linewidth=0.8)
        for i, (name, share) in enumerate(lines):
            axes.plot(grid, 100 * share, label=plot_svg.literal(name), linewidth=1.8,
                      color=plot_svg.PALETTE[i % len(plot_svg.PALETTE)],
                      linestyle="-" if i % 2 == 0 else (0, (4, 2)))
        axes.set_title(plot_svg.literal(title), loc="left", fontsize=10, color=plot_svg.INK)
        axes.set_ylabel("slices, %")
        axes.set_ylim(-3, 103)
        axes.legend(loc="lower right", fontsize=8, labelcolor=plot_svg.INK)
    last = max(_almost_all(grid, share) for lines in shares for _, share in lines)
    plots[-1].set_xlim(min(0.9, last), max(1.25, last))
    plots[-1].set_xlabel("slice no longer than, switch intervals")
    return made


def _almost_all(grid: np.ndarray, share: np.ndarray) -> float:
    """The length that 99 % of the slices do not exceed, or the end of the grid."""
    return float(grid[min(int(np.searchsorted(share, 0.99)), len(grid) - 1)])
