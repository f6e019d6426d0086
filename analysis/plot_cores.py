"""How busy each CPU was over time, as a monitor shows it. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import heat
import plot_svg

LANES = 32  # CPUs drawn one by one; of more, means of neighbours
FULL = 0.9  # height of a busy CPU's area in its lane


def draw(titles: Sequence[str], seconds: Sequence[np.ndarray], busy: Sequence[np.ndarray],
         measured: Sequence[Sequence[tuple[float, float]]]) -> Figure:
    """A plot for each title. seconds[i] (sample,): ends of samples; busy[i] (sample, cpu) shares;
    measured[i]: (begin, end) of repetitions, marked above the lanes."""
    lanes = [heat.pooled(np.clip(shares.T, 0, 1), LANES) for shares in busy]
    heights = [0.55 + 0.36 * min(len(each), 8) for each in lanes]
    made, _ = plot_svg.figure(0.5 + sum(heights), 0)
    plots = made.subplots(len(titles), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, title, ends, each, windows in zip(plots, titles, seconds, lanes, measured):
        edges = np.concatenate([[0.0], ends])
        for i, one in enumerate(each):
            axes.stairs(i + FULL * one, edges, baseline=i, fill=True, linewidth=0,
                        color=plot_svg.PALETTE[i % len(plot_svg.PALETTE)])
            axes.axhline(i + FULL, color=plot_svg.LINE, linewidth=0.5)
        axes.hlines([len(each) + 0.05] * len(windows), *np.array(windows).T, linewidth=3,
                    color=plot_svg.MUTED)
        axes.set_ylim(0, len(each) + 0.15)
        axes.set_xlim(0, ends[-1])
        axes.set_yticks([0.45, len(each) - 0.55], ["first CPU", "last CPU"])
        axes.tick_params(axis="y", length=0)
        axes.set_title(plot_svg.literal(title), loc="left", fontsize=10, color=plot_svg.INK)
    plots[-1].set_xlabel("time, s; bars above: measured repetitions; thin lines: 100 % busy")
    return made
