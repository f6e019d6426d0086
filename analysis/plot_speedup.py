"""Speed-up of each layout beside the ideal. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg

FEW = 3  # core counts: up to here a row for each layout says more than a curve


def draw(
    names: Sequence[str],
    layouts: Sequence[str],
    cores: np.ndarray,
    speedup: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> Figure:
    """All (cell,). cores: relative to the base's. low, high: nan where the interval is unknown."""
    few = len(set(cores.tolist())) <= FEW
    return (_rows if few else _against_cores)(names, layouts, cores, speedup, low, high)


def _rows(names, layouts, cores, speedup, low, high) -> Figure:
    """One row for each cell; a bar across it marks the ideal."""
    made, [axes] = plot_svg.figure(0.75 + 0.36 * len(names))
    at = np.arange(len(names))[::-1]
    for layout, colour in _colours(layouts).items():
        mine = np.array([x == layout for x in layouts])
        _points(axes.errorbar, speedup[mine], at[mine], "xerr", low[mine], high[mine], colour)
    axes.scatter(cores, at, marker="|", s=420, color=plot_svg.MUTED, linewidths=1.5)
    axes.set_yticks(at, [plot_svg.literal(name) for name in names])
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlim(0, 1.06 * max(np.nanmax([*cores, *high]), speedup.max()))
    axes.set_xlabel("speed-up over the base; | is the ideal: one for each core")
    axes.grid(axis="x", color=plot_svg.LINE, linewidth=0.6, alpha=0.5)
    axes.tick_params(axis="y", length=0)
    return made


def _against_cores(names, layouts, cores, speedup, low, high) -> Figure:
    """Doubling axes; layouts are set apart a little so that their intervals do not overlap."""
    made, [axes] = plot_svg.figure(4.2)
    ends = np.array([cores.min(), cores.max()], float)
    axes.plot(ends, ends, color=plot_svg.MUTED, linewidth=1.2, linestyle=(0, (5, 4)))
    axes.annotate("ideal", (ends[1], ends[1]), (-6, 2), textcoords="offset points", ha="right",
                  va="bottom", color=plot_svg.MUTED)
    colours = _colours(layouts)
    for i, (layout, colour) in enumerate(colours.items()):
        mine = np.array([x == layout for x in layouts])
        x = cores[mine] * 1.04 ** (i - (len(colours) - 1) / 2)
        _points(axes.errorbar, x, speedup[mine], "yerr", low[mine], high[mine], colour, layout)
    plot_svg.logarithmic(axes, base=2)
    axes.set_xlabel("cores, in units of the base's")
    axes.set_ylabel("speed-up over the base")
    axes.legend(loc="upper left", labelcolor=plot_svg.INK)
    return made


def _points(errorbar, x, y, kind, low, high, colour, label=None) -> None:
    """Filled with an interval; hollow where none is known. Never joined: nothing was measured
    between two core counts."""
    value = x if kind == "xerr" else y
    spread = np.maximum(np.nan_to_num(np.array([value - low, high - value])), 0)
    known = ~np.isnan(low)
    errorbar(x[known], y[known], **{kind: spread[:, known]}, fmt="o", color=colour, capsize=4,
             markersize=7, label=plot_svg.literal(label) if label and known.any() else None)
    errorbar(x[~known], y[~known], fmt="o", markerfacecolor="none", markeredgecolor=colour,
             markeredgewidth=1.6, markersize=7,
             label=plot_svg.literal(label) if label and not known.any() else None)


def _colours(layouts: Sequence[str]) -> dict[str, str]:
    order = list(dict.fromkeys(layouts))
    return {name: plot_svg.PALETTE[i % len(plot_svg.PALETTE)] for i, name in enumerate(order)}
