"""Work that is left where workers meet, against how often they do. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg
import words


def draw(names: Sequence[str], every_us: Sequence[np.ndarray], share: Sequence[np.ndarray],
         low: Sequence[np.ndarray], high: Sequence[np.ndarray]) -> Figure:
    """All by layout; every_us[i] (grain,): time between meetings; share[i], low[i], high[i]
    (grain,): of the speed-up without meetings, nan: unknown."""
    made, [axes] = plot_svg.figure(3.8)
    for level in (0.9, 0.5):
        axes.axhline(100 * level, color=plot_svg.MUTED, linewidth=1, linestyle=(0, (5, 4)))
    for i, name in enumerate(names):
        spread = 100 * np.maximum(np.nan_to_num([share[i] - low[i], high[i] - share[i]]), 0)
        drawn = axes.errorbar(every_us[i], 100 * share[i], yerr=spread, fmt="o-", linewidth=0.8,
                              capsize=3, markersize=4, label=plot_svg.literal(name),
                              color=plot_svg.PALETTE[i % len(plot_svg.PALETTE)])
        plot_svg.tell(drawn[0], [
            f"{name}, barrier every {words.span(1e3 * us)}: {words.percent(value)} "
            + words.known(words.interval((100 * a, 100 * b), digits=3))
            for us, value, a, b in zip(every_us[i], share[i], low[i], high[i])])
    axes.set_xscale("log")
    plot_svg.plain(axes.xaxis)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("barrier every, µs")
    axes.set_ylabel("speed-up that is left, %")
    axes.grid(color=plot_svg.LINE, linewidth=0.6, alpha=0.5)
    axes.legend(loc="lower right", fontsize=8, labelcolor=plot_svg.INK)
    return made
