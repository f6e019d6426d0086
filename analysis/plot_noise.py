"""Lost time of every worker over time, and its spectrum. Arrays in, figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import heat
import plot_svg

LOST = LinearSegmentedColormap.from_list(
    "lost", [(0, "#f3f1ec"), (0.25, "#f0b64a"), (0.6, "#b5372f"), (1, "#2b1020")])
ROWS = 64
LINES = 4  # spectra drawn: of the workers that lost most


def draw(title: str, lanes: Mapping[int, np.ndarray], seconds: Sequence[float],
         spectra: Mapping[str, tuple[np.ndarray, np.ndarray]], ticks: Sequence[float]) -> Figure:
    """lanes: worker -> (column,) share lost, 0..1, repetitions side by side.

    seconds: length of each repetition; spectra: name -> (frequency Hz, height); ticks: Hz, marked.
    """
    rows = min(len(lanes), ROWS)
    made, [above, below] = plot_svg.figure(4.4 + min(0.3 * rows, 3.0), 2)
    _lanes(above, lanes, seconds)
    above.set_title(plot_svg.literal(title), loc="left", fontsize=10, color=plot_svg.INK)
    bar = made.colorbar(ScalarMappable(_norm(), LOST), ax=above, aspect=12, pad=0.01)
    bar.set_ticks([0, 0.01, 0.1, 0.5, 1], labels=["0 %", "1 %", "10 %", "50 %", "100 %"])
    bar.outline.set_visible(False)
    if spectra:
        spectrum(below, spectra, ticks)
    else:
        below.text(0.5, 0.5, "no spectrum: nothing was lost, or the repetitions are too short",
                   ha="center", va="center", color=plot_svg.MUTED, transform=below.transAxes)
        below.set_axis_off()
    return made


def _norm() -> PowerNorm:
    """The fourth root: 0.1 % is still told from nothing."""
    return PowerNorm(0.25, 0, 1)


def _lanes(axes, lanes: Mapping[int, np.ndarray], seconds: Sequence[float]) -> None:
    width = min(map(len, lanes.values()))
    shares = heat.pooled(np.array([lane[:width] for lane in lanes.values()]), ROWS)
    total = float(sum(seconds))
    axes.imshow(np.clip(shares, 0, 1), aspect="auto", interpolation="nearest", cmap=LOST,
                norm=_norm(), extent=(0, total, len(shares) - 0.5, -0.5))
    for edge in np.cumsum(seconds)[:-1].tolist() if len(seconds) <= 20 else ():
        axes.axvline(edge, color=plot_svg.INK, linewidth=0.6)
    names = [f"worker {worker}" for worker in lanes]
    if len(lanes) <= 8:
        axes.set_yticks(range(len(lanes)), names)
    else:
        axes.set_yticks([0, len(shares) - 1], [names[0], names[-1]])
        axes.set_ylabel(f"{len(lanes)} workers")
    axes.set_xlabel("measured time, s" + ("; lines part repetitions" if 1 < len(seconds) <= 20
                                          else ""))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def spectrum(axes, spectra: Mapping[str, tuple[np.ndarray, np.ndarray]],
             ticks: Sequence[float]) -> None:
    """Heights over frequency; see draw."""
    for (name, (frequency, height)), colour in zip(list(spectra.items())[:LINES],
                                                   plot_svg.PALETTE):
        seen = height > 0
        axes.plot(frequency[seen], height[seen], color=colour, linewidth=0.7,
                  label=plot_svg.literal(name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.5)
    for tick in ticks:
        axes.axvline(tick, color=plot_svg.MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.annotate(f"{tick:g} Hz", (tick, 0.98), (3, 0), xycoords=("data", "axes fraction"),
                      textcoords="offset points", va="top", fontsize=9, color=plot_svg.INK)
    axes.set_xlabel("frequency of lost time, Hz")
    axes.set_ylabel("power over\nits surroundings")
    axes.set_ylim(top=4 * axes.get_ylim()[1])  # room for names
    plot_svg.plain(axes.xaxis, axes.yaxis)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper right", labelcolor=plot_svg.INK, fontsize=9, ncol=2)
