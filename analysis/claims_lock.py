"""Rows on the lock itself: how long a worker has it, in CPython and in C. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slices
from claim import Claim, Effect, Missing, Runs, least, level, ratio
from traces import Trace

GROUP = "The lock and its hand-over"
MEDIAN, UPPER = 1, 2  # of the quartiles
ONE_INTERVAL, ALIKE = (0.98, 1.25), (0.9, 1.1)  # for which the rows below are true


def turns(runs: Runs, layout: str, **wanted: Any) -> Runs:
    """Workers that compute under one lock."""
    language = "Python" if layout == "python" else "C"
    usual: dict[str, Any] = {"workers": lambda n: (n or 1) > 1, **wanted}
    return runs.find(f"{language} threads under one lock, bound to no core", kernel="binning",
                     layout=layout, lock="gil", wait_ns=0, pinned=lambda pins: not pins, **usual)


def of_slices(value: Callable[[slices.Slices], float]) -> Callable[[Trace], float]:
    """A number of a launch's slices; a launch that has none cannot tell."""
    def of(trace: Trace) -> float:
        try:
            return float(value(slices.of_trace(trace)))
        except slices.NoSlices as error:
            raise Missing(f"{trace.path}: {error}") from None
    return of


def quartile(which: int) -> Callable[[Trace], float]:
    """Of the slices, in ns."""
    return of_slices(lambda found: found.quartiles[which])


def cell(trace: Trace) -> tuple:
    """(workers, switch interval): slices of one cell belong together."""
    return trace.nworkers, trace.number("lock_interval_ns")


def alike(runs: Runs, which: int) -> Effect:
    """A quartile of the slices in C over that in CPython, at the interval and the number of
    workers, of all that both ran with, that say least for ALIKE."""
    c, python = turns(runs, "openmp"), turns(runs, "python")
    both = sorted({cell(trace) for trace in c.traces} & {cell(trace) for trace in python.traces})
    if not both:
        raise Missing("no switch interval that C and Python both ran with")
    return least([
        ratio(turns(c, "openmp", workers=workers, lock_interval_ns=interval),
              turns(python, "python", workers=workers, lock_interval_ns=interval), quartile(which))
        for workers, interval in both], ALIKE)


def in_intervals(runs: Runs) -> Effect:
    """The median slice in CPython in switch intervals, where it says least for ONE_INTERVAL."""
    python = turns(runs, "python")
    median = of_slices(lambda found: found.median / found.interval)
    cells = sorted(set(map(cell, python.traces)))
    return least([level(turns(python, "python", workers=workers, lock_interval_ns=ns), median)
                  for workers, ns in cells], ONE_INTERVAL)


def asked(runs: Runs) -> Effect:
    """Share of slices that were ended by a waiter, at CPython's own interval or the longest."""
    return level(turns(runs, "python").most("lock_interval_ns"), of_slices(lambda s: s.forced),
                 most=1)


LOCK_ROWS = [
    (Claim("slice-interval", GROUP, "A thread that computes has the lock for one switch interval, "
           "and not much longer",
           "binning, way threading, at every --switch-interval measured; the least favourable",
           "median slice / switch interval", ONE_INTERVAL,
           lesson="A waiter asks once its time has run out; waking up is the rest. On a busy "
                  "machine the scheduler decides when it wakes, and slices get longer."),
     in_intervals),
    (Claim("slice-asked", GROUP, "It gives the lock away only when a waiter asks for it",
           "binning, way threading: slices that lasted a whole switch interval",
           "share of the slices", (0.95, 1)),
     asked),
    (Claim("slice-c", GROUP, "A lock in C that follows CPython's protocol hands over as it does",
           "binning, openmp --lock gil against way threading, at every switch interval that both "
           "ran with; the least favourable",
           "median slice in C / median slice in CPython", ALIKE,
           lesson="So what is measured under that lock is the protocol's doing, not the "
                  "interpreter's."),
     lambda runs: alike(runs, MEDIAN)),
    (Claim("slice-c-long", GROUP, "... its longer slices as well",
           "the same runs: upper quartile of the slices",
           "upper quartile in C / upper quartile in CPython", ALIKE),
     lambda runs: alike(runs, UPPER)),
]
