"""Section of the report: how far does it scale, and would it without the bad node?"""

from __future__ import annotations

import numpy as np

import curves
import page
import plot_scaling
import plot_svg
import scaling_text
import words
from curves import Study
from material import Material
from plot_scaling import Without
from report_words import above, few, sentence

TITLE = "How far does it scale?"
KEPT, ONE = ("efficiency", "parallel"), "1.000"  # columns that are shown whatever they hold
FEWEST = 3  # scales of a curve: two points are a comparison, which the table of layouts has


def section(found: Material) -> list:
    """A curve with its models' bands for each layout and regime; then without the bad nodes."""
    parts = []
    for i, one in enumerate(worth(found)):
        twin = next((other for other in found.scaling.without
                     if other.curve.key == one.curve.key), None)
        bad = found.scaling.bad if scaling_text.has(one, found.scaling.bad) else ()
        parts += [page.tag("h3", one.curve.title), curve(one, twin, bad, f"curve{i}"),
                  numbers(one), *models(one), *gain(one, twin, bad, found.scaling.why_bad),
                  page.bullets([*scaling_text.apart(one), *one.curve.notes,
                                *scaling_text.attribution(one)])]
    return parts


def worth(found: Material) -> list[Study]:
    """Curves that say more than the table of layouts."""
    return [one for one in found.scaling.studies if len(one.p) >= FEWEST]


def curve(one: Study, twin: Study | None, bad: tuple, name: str) -> page.Markup:
    made, [axes] = plot_svg.figure(3.8)
    plot_scaling.draw(axes, one, without(one, twin, bad) if bad else None)
    return page.plot(plot_svg.svg(made, name), " ".join(map(
        sentence, scaling_text.sentences(one))) + (
        " Bands: 95 % of the models that hold; dotted: models that do not."))


def without(one: Study, twin: Study | None, bad: tuple) -> Without:
    """Each speed-up over its own smallest scale."""
    same = twin is not None and twin.curve.points[0].scale == one.curve.points[0].scale
    scales, measured = ((twin.curve.scales, twin.speedup[:, 0]) if twin and same
                        else ([], np.empty(0)))
    return Without(bad, np.array(scales), measured, curves.corrected(one, bad))


def numbers(one: Study) -> page.Markup:
    """The table of scaling.py, intervals below their numbers."""
    head, *rows = scaling_text.rows(one)
    kept = [i for i, name in enumerate(head) if name != "interval" and (
        name in KEPT or any(row[i] != ONE for row in rows))]
    return page.table([head[i] for i in kept], [[below(head, row, i) for i in kept]
                                                for row in rows], left=0, caption=(
        "Medians over launches; below: 95 % interval. Speed-up and efficiency over the smallest "
        "scale; e: the serial part that this scale alone would need (Karp and Flatt). Shares of "
        "cores × time: parallel = threads × ranks × nodes × meeting × combining; those that are "
        "1 everywhere are left out."))


def below(head: list, row: list, i: int) -> object:
    return above(row[i], row[i + 1] if head[i + 1:i + 2] == ["interval"] else words.UNKNOWN)


def models(one: Study) -> list:
    if not one.fits:
        return []
    head, *rows = scaling_text.model_rows(one)
    return [page.folded("The models and their parameters", page.table(
        head, rows, left=2, text="parameters", caption=scaling_text.MODEL_WORDS))]


def gain(one: Study, twin: Study | None, bad: tuple, why: str) -> list:
    """With and without the bad nodes, side by side."""
    if not bad:
        return []
    head, *rows = scaling_text.beside_rows(one, twin, bad)
    return [page.tag("p", f"With and without {few(list(bad))} ({why}):"),
            page.table(head, rows, left=0, caption=(
                "Median times; without: of runs that they took no part in; if they were median: "
                "the speed-up as the ladder of runs on different nodes lets expect it."))]
