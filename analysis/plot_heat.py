"""Work over time, worker by worker, beside what each did in all and what all did at each moment.

Arrays in, figure out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

import plot_svg
from heat import Heat

FEW = 16  # rows: up to here each has its name
LABELS = 24  # nodes: up to here each has its name
MAP = LinearSegmentedColormap.from_list("work", [
    (0, "#2b1020"), (0.5, "#b5372f"), (0.85, "#f0b64a"), (0.95, "#c9d39a"), (1, "#3f9f95")])


def draw(found: Heat, rows: Sequence[str], hosts: Sequence[str], millis: float) -> Figure:
    """rows: (row,) names, hosts: (row,) "" where a row holds several; millis: of the axis."""
    number = found.each.shape[1]
    tall = min(0.6 + 0.3 * number, 4.6)
    made = Figure(figsize=(plot_svg.WIDTH, tall + 2.0), constrained_layout=True)
    grid = made.add_gridspec(2, 2, width_ratios=(5, 1), height_ratios=(tall, 1.0))
    above, beside, below = (made.add_subplot(grid[at]) for at in ((0, 0), (0, 1), (1, 0)))
    for axes in (above, beside, below):
        plot_svg.zoomable(axes)
    _map(above, found, rows, hosts, millis)
    _each(beside, found, rows)
    _moments(below, found, millis)
    bar = made.colorbar(ScalarMappable(Normalize(0, 1), MAP), ax=[above, beside, below],
                        location="bottom", shrink=0.6, aspect=45, pad=0.03)
    bar.set_ticks([0, 0.5, 0.85, 1], labels=["off the CPU", "50 %", "85 %", "100 %"])
    bar.set_label("of the middle worker's best rate", color=plot_svg.MUTED)
    bar.outline.set_visible(False)
    return made


def _map(axes, found: Heat, rows: Sequence[str], hosts: Sequence[str], millis: float) -> None:
    mean = found.cells[1]
    axes.imshow(np.clip(mean, 0, 1), aspect="auto", interpolation="none", cmap=MAP, vmin=0, vmax=1,
                extent=(0, millis, len(mean) - 0.5, -0.5))
    for name, row in zip(rows, _bars(axes, len(mean), millis)):
        plot_svg.tell(row, name)
    _row_ticks(axes, rows, hosts)
    axes.tick_params(length=0, labelbottom=False)
    axes.spines[:].set_visible(False)


def _bars(axes, rows: int, millis: float):
    """Invisible, over each row: they carry its title."""
    return axes.barh(np.arange(rows), np.full(rows, millis), height=1.0, alpha=0.0, linewidth=0)


def _row_ticks(axes, rows: Sequence[str], hosts: Sequence[str]) -> None:
    change = [0, *(i for i in range(1, len(hosts)) if hosts[i] != hosts[i - 1]), len(hosts)]
    if len(rows) <= FEW:
        axes.set_yticks(range(len(rows)), [plot_svg.shortened(name) for name in rows])
        return
    if len(change) - 1 <= LABELS and all(hosts):
        middles = [(a + b - 1) / 2 for a, b in zip(change, change[1:])]
        axes.set_yticks(middles, [plot_svg.shortened(hosts[at]) for at in change[:-1]])
        for edge in change[1:-1]:
            axes.axhline(edge - 0.5, color=plot_svg.PAPER, linewidth=0.8)
        return
    axes.set_yticks([0, len(rows) - 1], ["first", "last"])
    axes.set_ylabel("workers, node by node")


def _each(axes, found: Heat, rows: Sequence[str]) -> None:
    """What each row did in the whole time: mean, and from the least to the most of its workers."""
    low, mean, high = 100 * found.each
    at = np.arange(len(mean))
    if found.pooled:
        axes.hlines(at, low, high, color=plot_svg.PALETTE[0], linewidth=1.6, alpha=0.6)
    [dots] = axes.plot(mean, at, "o", color=plot_svg.PALETTE[0], markersize=4 if len(at) < 40 else 2)
    plot_svg.tell(dots, [f"{name}: {m:.1f} %" + (f" (least {a:.1f} %, most {b:.1f} %)"
                         if found.pooled else "") for name, a, m, b in zip(rows, low, mean, high)])
    axes.set_ylim(len(at) - 0.5, -0.5)
    _shares(axes.set_xlim, low, high)
    axes.set_yticks([])
    axes.set_xlabel("% in all")
    axes.grid(axis="x", color=plot_svg.LINE, linewidth=0.6, alpha=0.5)


def _moments(axes, found: Heat, millis: float) -> None:
    """What all workers did at each moment: mean, and from the least to the most."""
    low, mean, high = 100 * found.moments
    at = (np.arange(len(mean)) + 0.5) * millis / len(mean)
    axes.fill_between(at, low, high, color=plot_svg.PALETTE[0], alpha=0.25, linewidth=0)
    axes.plot(at, mean, color=plot_svg.PALETTE[0], linewidth=1.0)
    axes.set_xlim(0, millis)
    _shares(axes.set_ylim, low, high)
    axes.set_xlabel("time in the repetition, ms")
    axes.set_ylabel("% of all\nworkers")
    axes.grid(axis="y", color=plot_svg.LINE, linewidth=0.6, alpha=0.5)


def _shares(limits, low: np.ndarray, high: np.ndarray) -> None:
    """From the least to the most, and never so close that noise fills the plot."""
    least = min(float(np.nanmin(low)), 95.0)
    limits(max(0.0, least - 3), max(float(np.nanmax(high)), 100.0) + 3)
