"""Offsets of clocks over time, less the straight line from first to last. Figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import plot_svg
from clock_look import Clock, Look

FEW = 6  # nodes with a line of their own; of more, the ones known worst


def draw(looks: Sequence[Look]) -> Figure:
    """A panel for each trace."""
    made, panels = plot_svg.figure(2.6 * len(looks), len(looks))
    for axes, look in zip(panels, looks):
        _panel(axes, look)
    return made


def _panel(axes: Axes, look: Look) -> None:
    others = [clock for clock in look.nodes[1:] if len(clock.times) > 1]
    shown = sorted(sorted(others, key=lambda c: -c.bound)[:FEW], key=lambda c: c.node)
    for clock, colour in zip(shown, plot_svg.PALETTE):
        wander = _wander(clock)
        axes.fill_between(clock.times * 1e-9, (wander - clock.bounds) * 1e-3,
                          (wander + clock.bounds) * 1e-3, color=colour, alpha=0.15, linewidth=0)
        axes.plot(clock.times * 1e-9, wander * 1e-3, "o-", color=colour, markersize=3,
                  linewidth=1, label=plot_svg.literal(
                      f"node {clock.node} {clock.host}: {1e6 * clock.drift:+.2f} ppm"))
    more = f"; {len(others) - len(shown)} more in --json" if len(others) > len(shown) else ""
    axes.set_title(plot_svg.literal(look.path) + more, loc="left", fontsize=10,
                   color=plot_svg.INK)
    axes.set_ylabel("µs beside a\nsteady drift")
    axes.set_xlabel("s since the first knot; shaded: the bound")
    if shown:
        axes.legend(fontsize=8, labelcolor=plot_svg.INK)
    else:
        axes.text(0.5, 0.5, "one clock, or none compared", ha="center", va="center",
                  color=plot_svg.MUTED, transform=axes.transAxes)


def _wander(clock: Clock) -> np.ndarray:
    """(knot,) ns: the offset less the line from the first knot to the last."""
    times = clock.times.astype(float)
    since = (clock.offsets - clock.offsets[0]).astype(float)
    return since - since[-1] * (times - times[0]) / (times[-1] - times[0])
