"""Speed-up over serial against the size of the work. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg
import words

STRIP = 0.045  # of the height, for each bracket below the points


def draw(names: Sequence[str], size: Sequence[np.ndarray], ratio: Sequence[np.ndarray],
         low: Sequence[np.ndarray], high: Sequence[np.ndarray],
         brackets: Sequence[tuple[float, float]], levels: Sequence[float]) -> Figure:
    """All by layout; size[i], ratio[i], low[i], high[i] (size,), nan: unknown.

    brackets: sizes between which the layout begins to beat serial; levels: speed-ups marked.
    """
    made, [axes] = plot_svg.figure(4.0)
    for level in levels:
        axes.axhline(level, color=plot_svg.MUTED, linewidth=1, linestyle=(0, (5, 4)))
    for i, name in enumerate(names):
        colour = plot_svg.PALETTE[i % len(plot_svg.PALETTE)]
        x = size[i] * 1.03 ** (i - (len(names) - 1) / 2)  # apart, so that intervals are seen
        spread = np.maximum(np.nan_to_num([ratio[i] - low[i], high[i] - ratio[i]]), 0)
        drawn = axes.errorbar(x, ratio[i], yerr=spread, fmt="o-", color=colour, linewidth=0.7,
                              capsize=3, markersize=4, label=plot_svg.literal(name))
        plot_svg.tell(drawn[0], [
            f"{name}, size {n:g}: {words.number(value, 3)} "
            + words.known(words.interval((a, b), digits=3))
            for n, value, a, b in zip(size[i], ratio[i], low[i], high[i])])
        axes.plot(brackets[i], [(i + 0.5) * STRIP] * 2, color=colour, linewidth=4,
                  solid_capstyle="butt", transform=axes.get_xaxis_transform())
    axes.set_xscale("log")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    floor, top = axes.get_ylim()
    axes.set_ylim(floor * (floor / top) ** (1.5 * STRIP * len(names)), top)
    axes.set_xlabel("size; thick bars: where the layout begins to beat serial")
    axes.set_ylabel("speed-up over serial")
    axes.grid(color=plot_svg.LINE, linewidth=0.6, alpha=0.5)
    axes.legend(loc="upper left", fontsize=8, labelcolor=plot_svg.INK)
    return made
