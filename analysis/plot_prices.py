"""How many times dearer than the base each way is, as bars. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg


def draw(titles: Sequence[str], names: Sequence[Sequence[str]], notes: Sequence[Sequence[str]],
         times: Sequence[np.ndarray]) -> Figure:
    """A plot for each title. times[i] (way, 3): ratio to the base, low, high; nan: unknown."""
    heights = [len(each) for each in names]
    made, _ = plot_svg.figure(0.5 + sum(0.55 + 0.27 * n for n in heights), 0)
    plots = made.subplots(len(titles), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    top = np.nanmax([np.nanmax(each) for each in times])
    for i, axes in enumerate(plots):
        _bars(axes, names[i], notes[i], times[i], plot_svg.PALETTE[i % len(plot_svg.PALETTE)])
        axes.set_title(plot_svg.literal(titles[i]), loc="left", fontsize=10, color=plot_svg.INK)
        axes.set_xscale("log")
        axes.set_xlim(min(0.7, 0.7 * np.nanmin([np.nanmin(each) for each in times])), 8 * top)
        plot_svg.plain(axes.xaxis)
    plots[-1].set_xlabel("time per element, times that of the base (each length is a factor)")
    return made


def _bars(axes, names: Sequence[str], notes: Sequence[str], times: np.ndarray, colour: str) -> None:
    at = np.arange(len(names))[::-1]
    value, low, high = times.T
    spread = np.maximum(np.nan_to_num(np.array([value - low, high - value])), 0)
    axes.barh(at, value - 1, left=1, height=0.62, color=colour, xerr=spread,
              error_kw={"ecolor": plot_svg.INK, "elinewidth": 1, "capsize": 2})
    for y, end, note in zip(at, np.fmax(np.fmax(value, high), 1), notes):
        axes.annotate(plot_svg.literal(note), (end, y), (5, 0), textcoords="offset points",
                      va="center", fontsize=8, color=plot_svg.INK)
    axes.axvline(1, color=plot_svg.MUTED, linewidth=1)
    axes.set_yticks(at, [plot_svg.literal(name) for name in names], fontsize=9)
    axes.tick_params(axis="y", length=0)
