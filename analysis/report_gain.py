"""Section of the report: what did each layout gain?"""

from __future__ import annotations

import math

import numpy as np

import cells
import compare
import page
import plot_speedup
import plot_svg
import stats
import words
from material import Material
from report_words import above, few, used

TITLE = "What did each layout gain?"
MANY = 3  # works of one layout: from here on they share a table


def section(found: Material) -> list:
    """Of each work a table, a plot, and what to know before believing them."""
    lone = [group for group in found.groups if len(group.cells) == 1]
    lone = lone if len(lone) >= MANY else []
    parts = [page.tag("p", (
        "Median over launches; below: its 95 % interval over launches (*: within one launch only). "
        "Per core: speed-up over cores, 1 is ideal."), cls="muted")]
    for i, group in enumerate(found.groups):
        if not lone or len(group.cells) > 1:
            parts += [page.tag("h3", group.title), *speedups(group, f"gain{i}"), numbers(group),
                      *warned([group])]
    return [*parts, *together(lone), *warned(lone)]


def together(lone: list) -> list:
    """Works that were run in one layout only, a row for each."""
    if not lone:
        return []
    rows = []
    for group in lone:
        [cell] = group.cells
        scale, letter = words.prefix([cell.rate])
        texts = compare.row(cell, scale)
        titles = [column[0] for column in compare.COLUMNS]
        rows.append([group.title, *(texts[titles.index(name)] for name in COLUMNS[:3]),
                     with_interval(texts, titles, titles.index("rate")),
                     words.rate_unit(letter, group.unit)])
    return [page.tag("h3", "Run in one layout only"), page.table(
        ["work", *COLUMNS[:3], "rate", "unit"], rows, left=3, text="work")]


def warned(groups: list) -> list:
    """What to know before believing the numbers; errors are not folded away."""
    told = [text if len(groups) == 1 else f"{group.title}: {text}"
            for group in groups for text in group.warnings]
    return [page.folded(f"Before you trust these numbers ({len(told)})", page.bullets(told),
                        opened=any(map(errors, groups)))] if told else []


def errors(group: cells.Group) -> bool:
    return any(text.startswith("ERROR") for text in group.warnings)


# column of compare.py -> its heading; what follows as "interval" stands below it
COLUMNS = ("layout", "workers", "launches", "rate", "speed-up", "of C", "per core")


def numbers(group: cells.Group) -> page.Markup:
    """Columns of compare.py, intervals below their numbers, and rates that people know."""
    scale, letter = words.prefix([cell.rate for cell in group.cells])
    titles = [column[0] for column in compare.COLUMNS]
    more = list(cells.secondary(group.work["kernel"], 1.0))
    rows = []
    for cell in group.cells:
        texts = compare.row(cell, scale)
        rows.append([*(with_interval(texts, titles, titles.index(name)) for name in COLUMNS),
                     *(known_rate(group, cell, unit) for unit in more)])
    head, rows = used([*COLUMNS, *more], rows)
    unit = words.rate_unit(letter, group.unit)
    return page.table([unit if name == "rate" else name for name in head], rows, left=2)


def with_interval(texts: list, titles: list, i: int) -> object:
    return above(texts[i], texts[i + 1] if titles[i + 1:i + 2] == ["interval"] else words.UNKNOWN)


def known_rate(group: cells.Group, cell: cells.Cell, unit: str) -> object:
    """The rate in another unit, with its interval."""
    def of(rate: float) -> float:
        return cells.secondary(group.work["kernel"], rate)[unit]
    spread = cell.interval[0]
    return above(words.number(of(cell.rate)),
                 words.interval((of(spread.low), of(spread.high))) if spread else words.UNKNOWN)


def speedups(group: cells.Group, name: str) -> list:
    ranked = [cell for cell in group.cells if math.isfinite(cell.speedup)]
    others = gained(group)
    if not others:
        return []
    unknown = (math.nan, math.nan)
    spread = np.array([(1, 1) if c.is_base else c.speedup_interval or unknown for c in ranked])
    made = plot_speedup.draw(
        [c.name for c in ranked], [c.label for c in ranked],
        np.array([c.ideal for c in ranked]), np.array([c.speedup for c in ranked]),
        spread[:, 0], spread[:, 1])
    hollow = "" if all(c.speedup_interval for c in others) else " Hollow points have no interval."
    return [page.plot(plot_svg.svg(made, name), best_of(others) + hollow)]


def gained(group: cells.Group) -> list:
    """Cells that have a speed-up over another one."""
    return [c for c in group.cells if math.isfinite(c.speedup) and not c.is_base]


def best_of(others: list) -> str:
    """The largest speed-up, and which ones of as many cores the data cannot tell from it."""
    best = max(others, key=lambda c: c.speedup)
    known = (f"95 % interval {words.interval(best.speedup_interval, digits=3)}"
             if best.speedup_interval else best.speedup_missing)
    open_ = [cell.name for cell in rivals(best, others)]
    return (f"{best.name} has the largest speed-up: {words.number(best.speedup, 3)} ({known}), "
            f"where {best.ideal:g} would be ideal."
            + (f" The data do not settle whether it beats {few(open_)}." if open_ else ""))


def rivals(best: cells.Cell, others: list) -> list:
    """Layouts on as many cores that the data cannot tell from the best."""
    return [cell for cell in equals(best, others) if (
        ratio := stats.ratio_interval(best.rates, cell.rates)) is None or ratio.low <= 1]


def equals(best: cells.Cell, others: list) -> list:
    """Others on as many cores, in the same language: their rates may be compared."""
    return [cell for cell in others if cell is not best and (
        cell.cores, cell.language) == (best.cores, best.language)]
