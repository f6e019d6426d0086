"""Section of the report: which statements on parallelism in Python are true here?"""

from __future__ import annotations

import collections
import math

import numpy as np

import claim
import claims
import exhibits
import page
import plot_cores
import plot_operations
import plot_prices
import plot_slices
import plot_svg
import ways
import words
from material import Material
from report_words import above

TITLE = "What is true of parallelism in Python?"
BASES = {ways.PYTHON: "np.sum over the array (pairwise)", ways.C: "the array's pairwise sum in C"}
NAMES = {ways.PYTHON: "Python", ways.C: "C"}
BUSY = " Other programs took part of the machine meanwhile: look, but take no number from it."


def section(found: Material) -> list:
    """Every statement with its verdict, and what the text shows; nothing without CPython's runs."""
    runs = claim.Runs(found.traces)
    if not any(ways.language(trace.text("layout")) == ways.PYTHON for trace in runs.traces):
        return []
    judged = claims.judge(list(runs.traces))
    return [summary(judged), *operations(exhibits.operations(runs)), *prices(exhibits.prices(runs)),
            *cores(exhibits.views(runs)), *turns(exhibits.turns(runs)),
            page.tag("h3", "Every statement, measured"), *tables(judged)]


# --------------------------------------------------------------------------------- statements

def summary(judged: list) -> page.Markup:
    counts = collections.Counter(one.verdict for one in judged)
    wrong = [one.statement for one in judged if one.verdict == claim.FAILS]
    told = page.tag("strong", f"{counts[claim.HOLDS]} statements hold, {counts[claim.FAILS]} do "
                              f"not, {counts[claim.UNTOLD]} cannot be told here. ")
    return page.tag("div", told, "What does not hold:" if wrong else "", page.bullets(wrong),
                    cls="verdict " + ("warn" if counts[claim.UNTOLD] else "good"))


def tables(judged: list) -> list:
    """A table for each group of statements."""
    head = page.tag("tr", *(page.tag("th", name) for name in (
        "statement, and the experiment", "measured", "verdict", "why, and what it teaches")))
    parts = []
    for group in dict.fromkeys(one.group for one in judged):
        rows = [row(one) for one in judged if one.group == group]
        parts += [page.tag("h4", group), page.tag("div", page.tag(
            "table", page.tag("thead", head), page.tag("tbody", *rows)), cls="wide")]
    return parts


def row(one: claim.Claim) -> page.Markup:
    cells = (two(f"{one.statement}.", one.experiment), measured(one), one.verdict,
             two(one.reason, one.lesson))
    return page.tag("tr", *(page.tag("td", cell, cls="bad" * (cell == claim.FAILS))
                            for cell in cells))


def measured(one: claim.Claim) -> object:
    """The effect and its interval; below, what it is and what would be true."""
    if one.effect is None:
        return words.UNKNOWN
    return two(effect(one.effect), f"{one.what}; {one.effect.n} launches; true if "
                                   f"{claims.condition(*one.true)}")


def two(text: str, below: str) -> page.Markup:
    """A text, and a smaller one below it."""
    return page.tag("div", text, page.tag("div", page.tag("small", below), cls="muted"))


def effect(e: claim.Effect, unit: str = "") -> str:
    """A number with its interval, or the number and why there is none."""
    unit = f" {unit}" if unit else ""
    if math.isnan(e.low):
        return f"{words.number(e.value, 3)}{unit} (n = {e.n}, no interval)"
    return f"{words.number(e.value, 3)} {words.interval((e.low, e.high), digits=3)}{unit}"


# ---------------------------------------------------------------------------------- exhibits

def operations(panels: list) -> list:
    """Operations per bin, Python and C side by side."""
    if not any(panel.what != exhibits.ONE for panel in panels):
        return []
    heads = [x for x in (ways.PYTHON, ways.C) if any(panel.language == x for panel in panels)]
    kinds = [x for x in (exhibits.ONE, exhibits.THREADS, exhibits.PROCESSES)
             if any(panel.what == x for panel in panels)]
    at = {(panel.what, panel.language): panel for panel in panels}
    grid = [[at.get((what, head)) for head in heads] for what in kinds]
    made = plot_operations.draw(
        [NAMES[head] for head in heads],
        [[panel.name if panel else "" for panel in line] for line in grid],
        [[panel.work if panel else None for panel in line] for line in grid],
        [[panel.work.shape[1] * panel.width_ns * 1e-6 if panel else 0 for panel in line]
         for line in grid])
    totals = [f"{NAMES[panel.language]} {panel.what} {effect(panel.total)}" for panel in panels
              if panel.total]
    return exhibit("Operations per bin", "claim-operations", made,
                   "A colour is a worker, the stack is the work of all: where they take turns it "
                   "is no higher than that of one worker, where they run at once it adds up. "
                   + (f"Work of all over that of one: {'; '.join(totals)}." if totals else ""),
                   panels)


def prices(found: list) -> list:
    """What an element costs in each way, over the named base of its language."""
    if not found:
        return []
    languages = list(dict.fromkeys(price.language for price in found))
    each = [sorted((p for p in found if p.language == x), key=lambda p: p.times.value)
            for x in languages]
    made = plot_prices.draw(
        [f"{NAMES[x]}, over {BASES[x]}" for x in languages],
        [[p.method for p in ps] for ps in each],
        [[f"{effect(p.times)} ×" for p in ps] for ps in each],
        [np.array([[p.times.value, p.times.low, p.times.high] for p in ps]) for ps in each])
    dearest = "; ".join(f"in {NAMES[x]} {ps[-1].method} costs {effect(ps[-1].times)} times as "
                        f"much as {BASES[x]}" for x, ps in zip(languages, each))
    table = page.table(
        ["language", "way", "ns per element", "times the base"],
        [[NAMES[p.language], p.method, *(above(words.number(e.value, 3), words.interval(
            None if math.isnan(e.low) else (e.low, e.high), digits=3)) for e in (p.each, p.times))]
         for ps in each for p in ps], left=2,
        caption="Median over launches; below: 95 % interval. Base: " + "; ".join(
            f"{NAMES[x]}: {BASES[x]}" for x in languages) + ".")
    return [*exhibit("What handing data over costs", "claim-prices", made,
                     f"The dearest way: {dearest}. The base is named because every ratio changes "
                     "with it.", found), table]


def cores(views: list) -> list:
    """What a monitor shows during a product."""
    if not views:
        return []
    made = plot_cores.draw([view.name for view in views], [view.seconds for view in views],
                           [view.busy for view in views], [view.measured for view in views])
    gains = [f"{view.name}: CPUs {100 * float(np.nanmean(view.busy)):.0f} % busy in the launch "
             f"shown, speed-up over one thread {effect(view.gain)}" for view in views if view.gain]
    return exhibit("CPUs during calls of the library", "claim-cores", made,
                   "; ".join([*gains, "a busy core is no evidence, only the speed-up is."]), views)


def turns(found: list) -> list:
    """Slices of the lock, C beside Python."""
    if not found:
        return []
    cells: dict = {}
    for one in found:
        cells.setdefault((one.workers, one.interval_ns), []).append(one)
    titles = [f"switch interval {words.span(ns)}, {workers} workers" for workers, ns in cells]
    made = plot_slices.draw(titles, exhibits.GRID, [
        [(NAMES[one.language], one.shares) for one in sorted(each, key=lambda x: x.language)]
        for each in cells.values()])
    medians = "; ".join(
        f"{words.span(one.interval_ns)}, {one.workers} workers: {NAMES[one.language]} "
        f"{effect(one.median_ms, 'ms')}"
        for one in found)
    return exhibit("How long one worker has the lock", "claim-slices", made,
                   "A waiter asks for the lock after one switch interval (the line at 1), so a "
                   "slice lasts that long, and then until the waiter wakes. Where the two curves "
                   f"lie on each other, the locks behave alike. Median slice: {medians}.", found)


def exhibit(title: str, name: str, made, sentence: str, shown: list) -> list:
    """A heading, and the plot below the sentence that says what to see."""
    disturbed = not all(one.quiet for one in shown)
    return [page.tag("h3", title), page.plot(plot_svg.svg(made, name), sentence + BUSY * disturbed)]
