"""Measured speed-up beside the ideal and the models' bands. Figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import plot_svg
import words
from curves import Study


@dataclass(frozen=True)
class Without:
    """Speed-ups without the bad nodes, over the smallest scale without them.

    scales, measured : (m,) of runs that they took no part in
    modelled : (n,) of all scales, if they were median ones; nan: nobody can tell
    """

    bad: Sequence[str]
    scales: np.ndarray
    measured: np.ndarray
    modelled: np.ndarray


def of(studies: Sequence[Study]) -> Figure:
    """A panel for each curve."""
    made, panels = plot_svg.figure(3.6 * max(len(studies), 1), max(len(studies), 1))
    for axes, one in zip(panels, studies):
        draw(axes, one)
        axes.set_title(plot_svg.literal(one.curve.title), loc="left", fontsize=9,
                       color=plot_svg.INK)
    return made


def draw(axes: Axes, one: Study, without: Without | None = None) -> None:
    """Points with intervals, never joined; each model's band as far as it may speak."""
    plot_svg.zoomable(axes)
    first, unit = one.curve.points[0].scale, one.curve.unit
    n = len(one.p)
    reach = first * np.array([one.p[0], one.p[-1]])
    for fit, colour in zip(one.fits, plot_svg.PALETTE[1:]):
        may = n + sum(any(e[0] == fit.name for e in b.each) for b in one.beyond)
        at, base = fit.at[:may], 1.0 if one.curve.strong else fit.at[:may]
        start = fit.time[0]
        axes.plot(first * at, base * start / fit.time[:may], color=colour, linewidth=1.4,
                  label=plot_svg.literal(fit.name) + ("" if fit.holds else ", fails"),
                  linestyle="-" if fit.holds else (0, (1, 2)))
        if fit.holds and not np.isnan(fit.low).any():
            axes.fill_between(first * at, base * start / fit.high[:may],
                              base * start / fit.low[:may], color=colour, alpha=0.2, linewidth=0)
        reach[1] = max(reach[1], first * at[-1])
    axes.plot(reach, reach / first, color=plot_svg.MUTED, linewidth=1.2, linestyle=(0, (5, 4)))
    axes.annotate("ideal", (reach[1], reach[1] / first), (-6, 2), textcoords="offset points",
                  ha="right", va="bottom", color=plot_svg.MUTED)
    _points(axes, one)
    if without:
        _without(axes, one, without)
    plot_svg.logarithmic(axes, base=2)
    axes.set_xlabel(unit)
    axes.set_ylabel(f"speed-up over {first}")
    axes.legend(loc="upper left", labelcolor=plot_svg.INK)


def _points(axes: Axes, one: Study) -> None:
    value, low, high = one.speedup.T
    spread = np.maximum(np.nan_to_num(np.array([value - low, high - value])), 0)
    [line, *_] = axes.errorbar(
        one.curve.scales, value, yerr=spread, fmt="o", color=plot_svg.PALETTE[0], capsize=4,
        markersize=6, label="measured")
    plot_svg.tell(line, [
        f"{point.scale} {one.curve.unit}: speed-up {words.number(row[0], 3)} "
        f"{words.known(words.interval((row[1], row[2]), digits=3))}, {len(point.times)} launches"
        for point, row in zip(one.curve.points, one.speedup)])


def _without(axes: Axes, one: Study, without: Without) -> None:
    """What was measured without the bad nodes, and what the ladder says."""
    names = [plot_svg.shortened(name, 16) for name in without.bad[:3]]
    told = "without " + ", ".join(names) + (" …" if len(without.bad) > 3 else "")
    for at, value, mark, label in (
            (without.scales, without.measured, "D", f"{told}: measured"),
            (one.curve.scales, without.modelled, "*", f"{told}: if they were median")):
        known = ~np.isnan(value)
        if known.any():
            [line] = axes.plot(
                np.asarray(at)[known], value[known], mark, markerfacecolor="none",
                markeredgecolor=plot_svg.PALETTE[4], markeredgewidth=1.4, markersize=9,
                label=label)
            plot_svg.tell(line, [f"{scale:g} {one.curve.unit}, {label}: {words.number(v, 3)}"
                                 for scale, v in zip(np.asarray(at)[known], value[known])])
