"""Every node's launches against its peers, a small plot for each node. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import plot_svg

ACROSS = 4  # plots side by side
BESIDE = 4  # names side by side in the legend
MARKS = ("o", "s", "^", "D", "v")  # one fewer than colours, so that pairs differ for long


def draw(hosts: Sequence[str], accused: Sequence[bool],
         away: Mapping[str, np.ndarray]) -> Figure:
    """hosts (node,); away: measure -> (node, round) shares off the other nodes, nan: no launch."""
    down = -(-len(hosts) // ACROSS)
    legend = 0.1 + 0.22 * -(-len(away) // BESIDE)
    height = 1.25 * down + 0.4 + legend
    made = Figure(figsize=(plot_svg.WIDTH, height), constrained_layout=True)
    made.get_layout_engine().set(rect=(0, 0, 1, 1 - legend / height))
    panels = made.subplots(down, ACROSS, sharex=True, sharey=True, squeeze=False).ravel()
    panels[0].set_xlim(0.5, max(x.shape[1] for x in away.values()) + 0.5)
    for axes in panels[len(hosts):]:
        axes.set_axis_off()
    for i, (axes, host) in enumerate(zip(panels, hosts)):
        axes.axhline(0, color=plot_svg.LINE, linewidth=1)
        for (title, x), colour, mark in zip(away.items(), cycle(plot_svg.PALETTE), cycle(MARKS)):
            known = np.flatnonzero(~np.isnan(x[i]))
            [line] = axes.plot(known + 1, 100 * x[i][known], mark, color=colour, markersize=4,
                               label=title if i == 0 else None)
            plot_svg.tell(line, [f"{host}, launch {at + 1}: {title} {100 * x[i][at]:+.2f} %"
                                 for at in known])
        axes.set_title(plot_svg.shortened(host, 20) + (" (accused)" if accused[i] else ""),
                       loc="left", fontsize=9, fontweight="bold" if accused[i] else "normal",
                       color=plot_svg.INK)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    made.supxlabel("launch", fontsize=9, color=plot_svg.MUTED)
    made.supylabel("% off its peers", fontsize=9, color=plot_svg.MUTED)
    made.legend(loc="upper left", ncol=BESIDE, labelcolor=plot_svg.INK, fontsize=9)
    return made
