"""Rates beside the roofs of the nodes that ran them. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

import plot_svg
import words


def draw(
    names: Sequence[str],
    intensity: np.ndarray,
    attained: np.ndarray,
    peak_flops: np.ndarray,
    peak_read: np.ndarray,
    bounds: np.ndarray,
) -> Figure:
    """All (cell,): FLOP/B, FLOP/s, FLOP/s, B/s. A roof for each cell, in its point's colour.

    bounds: (cell, 2) interval of attained; nan: unknown. Points of the same intensity are set
    apart a little.
    """
    made, [axes] = plot_svg.figure(4.0)
    plot_svg.zoomable(axes)
    known = np.isfinite(peak_read) & (peak_read > 0)
    ridge = np.where(known, peak_flops / np.where(known, peak_read, 1), intensity)
    ends = np.array([min(intensity.min(), ridge.min()) / 4, max(intensity.max(), ridge.max()) * 4])
    for i, name in enumerate(names):
        colour = plot_svg.PALETTE[i % len(plot_svg.PALETTE)]
        at = np.unique([*ends, ridge[i]])
        roof = np.minimum(peak_flops[i], at * peak_read[i]) if known[i] else 0 * at + peak_flops[i]
        axes.plot(at, roof * 1e-9, color=colour, linewidth=1.2)
        low, high = np.where(np.isnan(bounds[i]), attained[i], bounds[i])
        spread = np.array([[attained[i] - low], [high - attained[i]]])
        [point, *_] = axes.errorbar(
            [intensity[i] * 1.08 ** (i - (len(names) - 1) / 2)], [attained[i] * 1e-9],
            yerr=np.maximum(spread, 0) * 1e-9, fmt="o", color=colour, markersize=7, capsize=3,
            label=plot_svg.literal(name))
        plot_svg.tell(point, f"{name}: {words.number(attained[i] * 1e-9)} GFLOP/s "
                             f"{words.known(words.interval(tuple(bounds[i]), 1e9))}")
    plot_svg.logarithmic(axes)
    axes.set_xlabel("FLOP for each byte from memory")
    axes.set_ylabel("GFLOP/s")
    axes.legend(loc="lower right", labelcolor=plot_svg.INK)
    return made
