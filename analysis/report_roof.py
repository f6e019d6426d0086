"""Section of the report: how far from the machine's limit?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

import cells
import page
import plot_roofline
import plot_svg
import words
from cells import Cell, Launch
from material import Material
from report_words import above, middle

TITLE = "How far from the machine's limit?"


def section(found: Material) -> list:
    """A roofline of each work whose nodes' peaks were measured."""
    parts = []
    for i, group in enumerate(found.groups):
        known = [(cell, roof) for cell in group.cells if (roof := cells.roofline(cell))]
        if known:
            parts += [page.tag("h3", group.title), roofline(known, f"roof{i}"), numbers(known)]
    return parts


def roofline(known: list, name: str) -> page.Markup:
    columns = {key: np.array([roof[key] for _, roof in known]) for key in known[0][1]}
    made = plot_roofline.draw([c.name for c, _ in known], columns["intensity"],
                              columns["attained"], columns["peak_flops"], columns["peak_read"],
                              np.array([bounds(cell) for cell, _ in known]))
    return page.plot(plot_svg.svg(made, name), nearest(known, columns["fraction"]) + (
        " Points are below the roof of their colour by what they leave unused; whiskers: 95 % "
        "interval."))


def nearest(known: list, fraction: np.ndarray) -> str:
    """The cell that uses the most of its nodes. fraction (cell,), nan: unknown."""
    if np.isnan(fraction).all():
        return "How near they come to their roofs is unknown: a peak was not measured."
    best = int(np.nanargmax(fraction))
    return (f"{known[best][0].name} comes nearest to its roof: {words.percent(fraction[best])} of "
            "what its nodes can do by the peaks that the run measured itself.")


def bounds(cell: cells.Cell) -> tuple[float, float]:
    """Interval of the FLOP/s; nan: unknown."""
    spread = cell.interval[0]
    return (cells.FLOP * spread.low, cells.FLOP * spread.high) if spread else (math.nan, math.nan)


def peak(name: str) -> Callable[[Launch], float]:
    """GFLOP/s or GB/s."""
    return lambda launch: cells.peak(launch, name) * 1e-9


def share(cell: Cell) -> Callable[[Launch], float]:
    """Of the roof."""
    return lambda launch: cells.FLOP * launch.rate / cells.roof(cell, launch)


def numbers(known: list) -> page.Markup:
    rows = [[cell.label, cell.workers,
             above(words.number(roof["attained"] * 1e-9), words.interval(bounds(cell), 1e9)),
             *(middle(cell, peak(name), words.number) for name in cells.PEAKS),
             middle(cell, share(cell), words.percent)] for cell, roof in known]
    return page.table(["layout", "workers", "GFLOP/s", "peak, GFLOP/s", "peak read, GB/s",
                       "of the roof"], rows, left=2)
