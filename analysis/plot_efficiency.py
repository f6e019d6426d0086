"""Where each core-second went: stacked bars. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg

LEGEND = 0.3  # inches above the bars
COLOURS = ("#009e73", "#e69f00", "#d55e00", "#8c6bb1")


def draw(names: Sequence[str], parts: Mapping[str, np.ndarray]) -> Figure:
    """names (cell,); parts: what -> (cell,) share of the core time. The first part is useful."""
    height = 1.05 + 0.36 * len(names)
    made, [axes] = plot_svg.figure(height)
    made.get_layout_engine().set(rect=(0, 0, 1, 1 - LEGEND / height))
    at = np.arange(len(names))[::-1]
    left = np.zeros(len(names))
    for (what, value), colour in zip(parts.items(), COLOURS):
        if what and not (value > 5e-4).any():
            continue
        axes.barh(at, value, left=left, height=0.62, color=colour, label=what)
        left = left + value
    useful = next(iter(parts.values()))
    for y, share in zip(at, useful):
        axes.text(min(share, 1) - 0.01, y, f"{100 * share:.0f} %", ha="right", va="center",
                  color="#ffffff", fontweight="bold")
    axes.set_yticks(at, [plot_svg.literal(name) for name in names])
    axes.set_xlim(0, max(1.0, left.max()))
    axes.set_xticks(np.linspace(0, 1, 6), [f"{p} %" for p in range(0, 101, 20)])
    axes.set_xlabel("share of cores × time")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    made.legend(loc="upper center", ncol=4, labelcolor=plot_svg.INK, handlelength=1.0,
                columnspacing=1.4)
    return made
