"""Section of the report: where did the rest go?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import cells
import page
import plot_efficiency
import plot_svg
import words
from material import Material
from report_words import middle, used

TITLE = "Where did the rest go?"
HEAD = ("layout", "workers", "parallel", "balance", "comm", "imbalance", "lost")
NOTHING = 0.01  # a share of the core time that is not drawn


def section(found: Material) -> list:
    """The efficiency tree of each work as stacked bars, and its factors."""
    parts, whole = [], []
    for i, group in enumerate(found.groups):
        known = [(cell, cells.losses(cell)) for cell in group.cells if cells.losses(cell)]
        if known and largest(known)[0] < NOTHING:
            whole.append(group.title)
        elif known:
            parts += [page.tag("h3", group.title), bars(known, f"rest{i}"),
                      factors([cell for cell, _ in known])]
    if whole:
        parts.append(page.tag("p", f"No part takes more than {100 * NOTHING:g} % of the core time "
                                   f"of any layout in: {'; '.join(whole)}."))
    return [explained(), *parts] if parts else []


def explained() -> page.Markup:
    return page.tag("p", (
        "Shares of cores × time: parallel = balance × comm. Imbalance: largest over mean compute "
        "time, less 1; lost: time taken from the workers. Median over launches, below: its 95 % "
        "interval."), cls="muted")


def bars(known: list, name: str) -> page.Markup:
    parts = {what: np.array([p[what] for _, p in known]) for what in known[0][1]}
    made = plot_efficiency.draw([c.name + (" INVALID" if not c.valid else "") for c, _ in known],
                                parts)
    share, what, where = largest(known)
    return page.plot(plot_svg.svg(made, name), (
        f"The largest loss is {what} in {where}: {100 * share:.0f} % of its core time."))


def largest(known: list) -> tuple[float, str, str]:
    """(share of the core time, which loss, in which layout)."""
    return max((p[what], what, cell.name) for cell, p in known for what in list(p)[1:])


def factor(name: str) -> Callable:
    return lambda x: getattr(x.efficiency, name)


def factors(those: list) -> page.Markup:
    """The factors that multiply: parallel = balance x comm."""
    rows = [[cell.label, cell.workers,
             *(middle(cell, factor(name), most=1.0)
               for name in ("parallel", "balance", "communication")),
             middle(cell, lambda x: x.imbalance, words.percent),
             middle(cell, lambda x: x.lost, words.percent)] for cell in those]
    head, rows = used(HEAD, rows)
    return page.table(head, rows, left=2)
