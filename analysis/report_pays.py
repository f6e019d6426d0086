"""Section of the report: from which size on, and up to which coupling, does parallel work pay?"""

from __future__ import annotations

import math

import numpy as np

import breakeven
import coupling
import page
import plot_coupling
import plot_crossing
import plot_svg
import stats
import words
from material import Material
from report_words import above

TITLE = "When does parallel work pay?"
WITHIN = math.sqrt(2)  # nearness of a bracket's ends: of no matter here, nothing more is run
FEWEST = 2  # sizes or intervals of a curve


def section(found: Material) -> list:
    """Break-even curves of each kernel, and what barriers leave."""
    curves = [one for one in breakeven.curves(found.traces, WITHIN) if len(one.points) >= FEWEST]
    works = dict.fromkeys((one.kernel, one.method) for one in curves)
    parts = [part for i, work in enumerate(works) for part in sizes(
        [one for one in curves if (one.kernel, one.method) == work], f"pays{i}")]
    met = [one for one in coupling.couplings(found.traces) if len(one.interval) >= FEWEST]
    return parts + (barriers(met) if met else [])


# -------------------------------------------------------------------------------------- sizes

def sizes(curves: list, name: str) -> list:
    """Speed-up of every layout against size, and the smallest sizes that pay."""
    points = [np.array(one.points, float) for one in curves]  # (size, 4): size, ratio, low, high
    at, ratio, low, high = ([each[:, column] for each in points] for column in range(4))
    levels = sorted({search.threshold for one in curves for search in one.searches})
    made = plot_crossing.draw([breakeven.name(one) for one in curves],
                              at, ratio, low, high, [drawn(one) for one in curves], levels)
    sentence = " ".join(breakeven.sentence(one) for one in curves)
    rows = [[breakeven.name(one), *(part for search in one.searches for part in (
        breakeven.span(search, one), breakeven.times(search, one))), best(one)] for one in curves]
    first = curves[0]
    return [page.tag("h3", f"{first.kernel}, method {first.method}"),
            page.plot(plot_svg.svg(made, name), sentence),
            page.table(["layout", "beats serial from", "serial takes", "50 % of ideal from",
                        "serial takes", "largest speed-up"], rows,
                       caption="A .. B: at A the whole 95 % interval lies below, from B on all lie "
                               "above; between them the data do not decide.")]


def drawn(one: breakeven.Curve) -> tuple[float, float]:
    """The bracket of break-even, to the edge of what was measured where an end is unknown."""
    low, high = one.searches[0].bracket
    measured = [p.size for p in one.points]
    return low or min(measured), high or max(measured)


def best(one: breakeven.Curve) -> object:
    top = breakeven.best(one)
    return above(breakeven.at_best(top), words.interval((top.low, top.high), digits=3))


# ----------------------------------------------------------------------------------- barriers

def barriers(met: list) -> list:
    """What is left of the speed-up where workers meet, and where a tenth and half of it is lost."""
    bounds = [spread(one.share) for one in met]
    made = plot_coupling.draw([one.title for one in met], [one.interval * 1e-3 for one in met],
                              [np.nanmedian(one.share, axis=0) for one in met],
                              [low for low, _ in bounds], [high for _, high in bounds])
    rows = [[one.title + ("" if one.valid else " (INVALID)"), *(above(*coupling.lost(at, one))
             for at in (one.tenth, one.half)), above(words.span(one.cost),
                                                     coupling.spans(one.cost_interval))]
            for one in met]
    return [page.tag("h3", "Workers that wait for each other"),
            page.plot(plot_svg.svg(made, "coupled"), " ".join(map(coupling.sentence, met))),
            page.table(["layout", "10 % lost at", "half lost at", "a barrier costs"], rows,
                       caption="Work between two barriers at which so much of the speed-up is "
                               "lost; below: 95 % interval over launches.")]


def spread(share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of each median. share (round, grain) -> two of (grain,), nan: none."""
    found = [stats.launch_interval(column[np.isfinite(column)]) for column in share.T]
    low, high = (np.array([one[end] if one else math.nan for one in found]) for end in (0, 1))
    return low, high
