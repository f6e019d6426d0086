"""How often workers are interrupted, by the length of it. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg


def draw(names: Sequence[str], per_second: np.ndarray) -> Figure:
    """names (decade,): shortest of each; per_second (worker, decade)."""
    made, [axes] = plot_svg.figure(2.6)
    low, middle, high = np.quantile(per_second, [0, 0.5, 1], axis=0)
    at = np.arange(len(names))
    bars = axes.bar(at, middle, width=0.7, color=plot_svg.PALETTE[0])
    axes.errorbar(at, middle, yerr=[middle - low, high - middle], fmt="none", ecolor=plot_svg.INK,
                  elinewidth=1.2, capsize=4)
    for bar, name, *three in zip(bars, names, low, middle, high):
        plot_svg.tell(bar, "{}: {:.3g} per second (least {:.3g}, most {:.3g})".format(
            name, *(three[i] for i in (1, 0, 2))))
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    axes.set_ylim(bottom=0)
    axes.set_xticks(at, names)
    axes.set_xlabel("length of an interruption: from … to the next")
    axes.set_ylabel("per second\nof a worker")
    plot_svg.plain(axes.yaxis)
    axes.grid(axis="y", color=plot_svg.LINE, linewidth=0.6, alpha=0.5)
    axes.set_axisbelow(True)
    return made
