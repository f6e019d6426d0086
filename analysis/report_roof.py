"""Section of the report: how far from the machine's limit?"""

from __future__ import annotations

import numpy as np

import cells
import page
import plot_roofline
import plot_svg
import words
from material import Material

TITLE = "How far from the machine's limit?"


def section(found: Material) -> list:
    """A roofline of each work whose nodes' peaks were measured."""
    parts = []
    for i, group in enumerate(found.groups):
        known = [(cell, roof) for cell in group.cells if (roof := cells.roofline(cell))]
        if known:
            parts += [page.tag("h3", group.title), roofline(known, f"roof{i}")]
    return parts


def roofline(known: list, name: str) -> page.Markup:
    columns = {key: np.array([roof[key] for _, roof in known]) for key in known[0][1]}
    made = plot_roofline.draw([c.name for c, _ in known], columns["intensity"],
                              columns["attained"], columns["peak_flops"], columns["peak_read"])
    best = int(np.nanargmax(columns["fraction"])) if np.isfinite(columns["fraction"]).any() else 0
    return page.plot(plot_svg.svg(made, name), (
        f"{known[best][0].name} comes nearest to its roof: "
        f"{words.percent(columns['fraction'][best])} of what its nodes can do by the peaks "
        "that the run measured itself."))
