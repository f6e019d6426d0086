"""What noise would cost a program of many ranks that wait for each other. Figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg
import words
from survey import Grain

WIDE = 50  # times the least: from here on a doubling scale shows more


def draw(grains: Sequence[Grain]) -> Figure:
    """A line for each grain, its 95 % band, and dotted its upper bound."""
    made, [axes] = plot_svg.figure(3.4)
    plot_svg.zoomable(axes)
    for one, colour in zip(grains, plot_svg.PALETTE):
        ranks = np.array([p.ranks for p in one.predictions])
        cost, low, high, most = 100 * (np.array([
            (p.slowdown, p.low, p.high, p.most) for p in one.predictions]).T - 1)
        axes.fill_between(ranks, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(ranks, most, color=colour, linewidth=1.0, linestyle=(0, (1, 2)))
        [line] = axes.plot(ranks, cost, "o-", color=colour, markersize=5, linewidth=1.4,
                           label=f"steps of {words.span(one.grain)}")
        plot_svg.tell(line, [
            f"{p.ranks} rank{'s' * (p.ranks != 1)}, steps of {words.span(one.grain)}: "
            f"{words.number(p.slowdown)} times {words.known(words.interval((p.low, p.high)))}, "
            f"at most {words.number(p.most)}"
            for p in one.predictions])
    axes.set_xscale("log", base=4)
    axes.set_xticks(sorted({p.ranks for one in grains for p in one.predictions}))
    axes.minorticks_off()
    plot_svg.plain(axes.xaxis)
    costs = [p.slowdown - 1 for one in grains for p in one.predictions]
    if max(costs) > WIDE * max(min(costs), 1e-4):
        axes.set_yscale("log")
        plot_svg.plain(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("ranks")
    axes.set_ylabel("% longer\nthan without noise")
    axes.grid(color=plot_svg.LINE, linewidth=0.6, alpha=0.5)
    axes.legend(loc="best", labelcolor=plot_svg.INK)
    return made
