"""One statement of the training text as a measured row. Pure: traces in, verdicts out.

A statement has an effect (a ratio, a share or a count), an interval of it over launches, and the
values for which the statement is true. It holds if the whole interval lies among them, does not
hold if none of it does, and cannot be told otherwise. Nothing holds by default: where a run is
missing, or there are fewer than three launches of it, the row says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import stats
from traces import Trace

HOLDS, FAILS, UNTOLD = "holds", "does not hold", "cannot tell here"
LESS, MORE = (0.0, 1.0), (1.0, math.inf)  # ranges of a ratio: below 1, above 1
BUSY = 0.5  # cores used by other programs, from which a launch says more of them than of itself


@dataclass(frozen=True)
class Effect:
    """What was measured. low, high: 95 % over launches. n: launches, the fewest of any side."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Claim:
    """A row. true: the range of effects (low, high) for which the statement is true.

    what      : the effect in words, "work of 2 threads / work of 1"
    lesson    : what a reader should take away, whatever the verdict
    """

    key: str
    group: str
    statement: str
    experiment: str
    what: str
    true: tuple[float, float]
    effect: Effect | None = None
    why: str = ""
    lesson: str = ""

    @property
    def verdict(self) -> str:
        return UNTOLD if self.effect is None else told(self.effect, self.true)

    @property
    def reason(self) -> str:
        """Why it cannot be told, or ""."""
        if self.verdict != UNTOLD or self.effect is None:
            return self.why
        low, high = self.true
        edges = [edge for edge in (low, high)
                 if math.isfinite(edge) and self.effect.low <= edge <= self.effect.high]
        return "undecided: the interval includes " + " and ".join(f"{edge:g}" for edge in edges)


def told(effect: Effect, true: tuple[float, float]) -> str:
    """What an effect says of a statement that is true for values from `true` only."""
    low, high = true
    if low <= effect.low and effect.high <= high:
        return HOLDS
    return FAILS if effect.high < low or effect.low > high else UNTOLD


def least(effects: Iterable[Effect], true: tuple[float, float]) -> Effect:
    """Of several effects of which a statement must hold, the one that is least favourable to it.

    What refutes it, else what leaves it open, else what confirms it; then the nearest to an edge
    of `true`, or the farthest beyond. Effects are not negative; distances are by ratio.
    """
    low, high = true

    def inside(effect: Effect) -> float:
        return min(effect.value / low if low > 0 else math.inf,
                   high / effect.value if effect.value > 0 else math.inf)
    return min(effects, key=lambda effect: ((FAILS, UNTOLD, HOLDS).index(told(effect, true)),
                                            inside(effect)))


class Missing(Exception):
    """A run that a row needs is not there, or too few launches of it. Its text says which."""


@dataclass(frozen=True)
class Runs:
    """The traces that may be used. A row picks its runs by what their attributes say."""

    traces: Sequence[Trace]

    def find(self, what: str, invalid: bool = False, loaded: bool = False,
             **wanted: Any) -> Runs:
        """Those whose attributes have these values. what: for the reason, if there is none.

        A function as a value is asked. INVALID runs are left out unless they are the point; so
        are those that other programs disturbed, unless load cannot change what is looked at.
        """
        found = [trace for trace in self.traces if all(_fits(trace, k, v) for k, v in wanted.items())]
        good = found if invalid else [t for t in found if t.valid]
        quiet = [trace for trace in good if loaded or not others(trace) > BUSY]
        if not quiet:
            raise Missing(_why_none(what, found, good))
        return replace(self, traces=quiet)

    def where(self, fits: Callable[[Trace], bool], why: Callable[[Trace], str]) -> Runs:
        """Those that fit; if none does, why the first does not."""
        found = [trace for trace in self.traces if fits(trace)]
        if not found:
            raise Missing(why(self.traces[0]))
        return replace(self, traces=found)

    def most(self, name: str) -> Runs:
        """Of these, the ones with the largest value of an attribute."""
        top = max(trace.number(name, 0) for trace in self.traces)
        return replace(self, traces=[t for t in self.traces if t.number(name, 0) == top])

    def number(self, name: str) -> int:
        return self.traces[0].number(name, 0)

    def values(self, value: Callable[[Trace], float]) -> np.ndarray:
        """One number for each launch. (launch,)"""
        return np.array([value(trace) for trace in self.traces], float)


def _why_none(what: str, found: Sequence[Trace], good: Sequence[Trace]) -> str:
    if not found:
        return f"no run of {what}"
    if not good:
        return f"all {len(found)} runs of {what} are INVALID: {found[0].invalid_reasons}"
    taken = np.median([others(trace) for trace in good])
    return f"the machine was busy: others used {taken:.1f} cores during the runs of {what}"


def others(trace: Trace) -> float:
    """Cores that other programs used during the repetitions; nan where nobody looked.

    What the driver says, else the node's busy time less the workers' own (clock ticks: coarse,
    so all repetitions together).
    """
    told = trace.array("results/cores_of_others")
    if told is not None:
        return float(np.median(told))
    busy, own = trace.nodes.get("busy_ns"), trace.workers.get("cpu_time_ns")
    seconds = trace.array("results/seconds")
    if busy is None or own is None or seconds is None or np.any(busy < 0):
        return math.nan
    return float(max(0.0, busy.sum() - own.sum()) / (1e9 * seconds.sum()))


def _fits(trace: Trace, name: str, wanted: object) -> bool:
    has = trace.labels.get(name[6:]) if name.startswith("label_") else trace.attrs.get(name)
    return bool(wanted(has)) if callable(wanted) else has == wanted


def middle(name: str) -> Callable[[Trace], float]:
    """The median over repetitions of a table with one number a repetition."""
    def of(trace: Trace) -> float:
        values = trace.array(name)
        if values is None:
            raise Missing(f"{trace.path} has no /{name}")
        return float(np.median(values))
    return of


rate = middle("results/rate")


def ratio(over: Runs, under: Runs, value: Callable[[Trace], float] = rate,
          divisor: float = 1.0) -> Effect:
    """Ratio of two groups of launches, over a number, with the uncertainty of both (stats)."""
    x, base = over.values(value), under.values(value)
    found = stats.ratio_interval(x, base)
    if found is None:
        few = min(len(x), len(base))
        raise Missing(f"{few} launch{'es' * (few != 1)}, {stats.FEWEST_LAUNCHES} are needed")
    return Effect(found.ratio / divisor, found.low / divisor, found.high / divisor,
                  min(len(x), len(base)))


def level(runs: Runs, value: Callable[[Trace], float], most: float = math.inf) -> Effect:
    """The median over launches of one number each, with its interval; equal values have none
    of width. Values must not be negative.

    most: what no value can exceed, 1 for a share; the interval does not either, whatever the
    launches' scatter says.
    """
    x = runs.values(value)
    if len(x) < stats.FEWEST_LAUNCHES:
        raise Missing(f"{len(x)} launch{'es' * (len(x) != 1)}, {stats.FEWEST_LAUNCHES} are needed")
    found = stats.launch_interval(x) or _plain(x)
    return Effect(float(np.median(x)), found.low, min(found.high, most), len(x))


def _plain(x: np.ndarray) -> stats.Interval:
    """Student's t of values that may be 0, which have no logarithm; no less than 0."""
    half = stats.t_quantile(len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    return stats.Interval(max(0.0, x.mean() - half), x.mean() + half, stats.CONFIDENCE)


def judged(rows: Iterable[tuple[Claim, Callable[[Runs], Effect]]], runs: Runs) -> list[Claim]:
    """Every row with its effect, or with the reason why it has none."""
    found = []
    for claim, measure in rows:
        try:
            found.append(replace(claim, effect=measure(runs)))
        except Missing as missing:
            found.append(replace(claim, why=str(missing)))
    return found
