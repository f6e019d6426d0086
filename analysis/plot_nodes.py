"""Every node's effect with its interval, lowest first; accused ones in colour. Figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import plot_svg
from verdicts import Verdict

FEW = 32  # nodes: up to here each has its name
NAMED = 8  # of more, so many accused ones get theirs
GOOD, ACCUSED = plot_svg.PALETTE[0], plot_svg.PALETTE[4]


def of(found: Verdict) -> Figure:
    """A panel for each measure."""
    accused = {node.host for node in found.nodes if node.reason}
    shown = [one for one in found.measures if np.isfinite(one.standing.effect).any()]
    tall = max((len(one.measure.hosts) for one in shown), default=0)
    height = 0.8 + 0.22 * tall if tall <= FEW else 3.0
    made, panels = plot_svg.figure(max(height, 1.6) * max(len(shown), 1), max(len(shown), 1))
    for axes, one in zip(panels, shown):
        standing = one.standing
        draw(axes, one.name, one.measure.hosts, standing.effect, standing.low, standing.high,
             one.rule.threshold, [host in accused for host in one.measure.hosts])
    return made


def draw(axes: Axes, title: str, hosts: Sequence[str], effect: np.ndarray, low: np.ndarray,
         high: np.ndarray, threshold: float, accused: Sequence[bool]) -> None:
    """All (node,), shares. Rows with names for few nodes, a sorted curve of points for many."""
    order = np.argsort(np.where(np.isnan(effect), np.inf, effect))
    order = order[~np.isnan(effect[order])]
    few = len(order) <= FEW
    at = np.arange(len(order))
    for mine, colour in ((False, GOOD), (True, ACCUSED)):
        pick = np.array([accused[i] == mine for i in order], bool)
        _points(axes, at[pick], 100 * effect[order][pick], 100 * low[order][pick],
                100 * high[order][pick], colour, few)
    line = axes.axvline if few else axes.axhline
    line(0, color=plot_svg.LINE, linewidth=1)
    line(-100 * threshold, color=plot_svg.MUTED, linewidth=1, linestyle=(0, (5, 4)))
    axes.set_title(plot_svg.literal(title), loc="left", fontsize=10, color=plot_svg.INK)
    words = "% against its peers; dashed: what matters"
    if few:
        axes.set_yticks(at, [plot_svg.shortened(hosts[i]) for i in order])
        axes.set_ylim(len(order) - 0.3, -0.7)
        axes.set_xlabel(words)
        return
    axes.set_ylabel(words.replace("; ", ";\n"))
    axes.set_xlabel("nodes, slowest first")
    for place, i in enumerate(order[:NAMED]):
        if accused[i]:
            axes.annotate(plot_svg.shortened(hosts[i]), (place, 100 * effect[i]), (6, 0),
                          textcoords="offset points", va="center", color=plot_svg.INK)


def _points(axes: Axes, at: np.ndarray, effect: np.ndarray, low: np.ndarray, high: np.ndarray,
            colour: str, few: bool) -> None:
    """Hollow where no interval is known."""
    known = ~np.isnan(low)
    spread = np.maximum(np.array([effect - low, high - effect]), 0)
    for pick, face in ((known, colour), (~known, "none")):
        x, y = (effect[pick], at[pick]) if few else (at[pick], effect[pick])
        bars = {} if face == "none" else {"xerr" if few else "yerr": spread[:, pick]}
        axes.errorbar(x, y, **bars, fmt="o", color=colour, markerfacecolor=face,
                      markersize=6 if few else 3, capsize=3 if few else 0, elinewidth=1.2)
