"""What the training text shows, as arrays: traces in, one exhibit out, or nothing. Pure.

An exhibit is a picture of what ran, so it takes launches that other programs disturbed where
there are no others, and says so (`quiet`). Verdicts are claims.py's, and take none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import slices
import ways
from claim import Effect, Missing, Runs, level, rate, ratio
from traces import Trace

SHOWN_NS = 50_000_000  # of a window: the text's own
MOST_WORKERS = 8
GRID = np.linspace(0.5, 8, 1501)  # switch intervals
BASE = "array-npsum"  # the marshalling cell that the others are compared with
LANGUAGES = {ways.PYTHON: "python", ways.C: "serial"}  # layout of one worker


@dataclass(frozen=True)
class Panel:
    """Operations over time. work (worker, bin): units in each bin of width_ns.

    total: work of all workers over that of one; nothing for one worker itself.
    """

    language: str
    what: str
    name: str
    work: np.ndarray
    width_ns: int
    total: Effect | None
    quiet: bool


@dataclass(frozen=True)
class Price:
    """One way of handing data over. each: ns per element; times: the same over the base's."""

    language: str
    method: str
    each: Effect
    times: Effect
    quiet: bool


@dataclass(frozen=True)
class View:
    """CPUs during a product, as a monitor shows them. seconds (sample,): ends of the samples since
    the first began; busy (sample, cpu); measured: (begin, end) s of the repetitions.

    gain: rate over that of one library thread; nothing for one thread itself.
    """

    name: str
    threads: int
    seconds: np.ndarray
    busy: np.ndarray
    measured: list[tuple[float, float]]
    gain: Effect | None
    quiet: bool


@dataclass(frozen=True)
class Turns:
    """Slices of the lock of all launches of a cell: shares no longer than GRID (point,)."""

    language: str
    workers: int
    interval_ns: int
    shares: np.ndarray
    median_ms: Effect
    quiet: bool


def pick(runs: Runs, what: str, **wanted: Any) -> tuple[Runs, bool]:
    """Undisturbed launches if there are any. Raises Missing."""
    try:
        return runs.find(what, **wanted), True
    except Missing:
        return runs.find(what, loaded=True, **wanted), False


def as_known(measure: Callable[[], Effect], value: float, n: int) -> Effect:
    """An effect, or the bare value where there are too few launches for an interval."""
    try:
        return measure()
    except Missing:
        return Effect(value, math.nan, math.nan, n)


def median_rate(runs: Runs) -> float:
    return float(np.median(runs.values(rate)))


def over(runs: Runs, base: Runs) -> Effect:
    """Rate over rate."""
    return as_known(lambda: ratio(runs, base), median_rate(runs) / median_rate(base),
                    min(len(runs.traces), len(base.traces)))


def middle(runs: Runs) -> Trace:
    """The launch of the middle rate."""
    return sorted(runs.traces, key=rate)[len(runs.traces) // 2]


# --------------------------------------------------------------------------------- operations

ONE, THREADS, PROCESSES = "one worker", "threads", "processes"
COUNTED: dict[str, Any] = {"kernel": "binning", "wait_ns": 0}
IN_C: dict[str, Any] = {**COUNTED, "storage": "private", "sync_every": 0, "work_unit": "clock"}
IN_PYTHON: dict[str, Any] = {**COUNTED, "layout": "python", "start": "common", "pinned": 0,
             "lock_interval_ns": lambda ns: ns in (None, 0, ways.SWITCH_NS)}
WAYS: dict[tuple[str, str], dict[str, Any]] = {
    (ways.PYTHON, ONE): {**IN_PYTHON, "way": "single"},
    (ways.PYTHON, THREADS): {**IN_PYTHON, "way": "threading"},
    (ways.PYTHON, PROCESSES): {**IN_PYTHON, "way": "multiprocessing"},
    (ways.C, ONE): {**IN_C, "layout": "serial", "lock": "none"},
    (ways.C, THREADS): {**IN_C, "layout": "openmp", "label_role": "threads"},
    (ways.C, PROCESSES): {**IN_C, "layout": "mpi", "lock": "none"},
}


def operations(runs: Runs) -> list[Panel]:
    """One worker, threads and processes, in Python and in C, as far as they were run."""
    return [panel for key in WAYS if (panel := _panel(runs, *key)) is not None]


def _panel(runs: Runs, language: str, what: str) -> Panel | None:
    try:
        found, quiet = pick(runs, what, **WAYS[language, what])
    except Missing:
        return None
    found, one = _fewest(found), None
    if what != ONE:
        try:
            one, calm = pick(runs, ONE, **WAYS[language, ONE])
            quiet = quiet and calm
        except Missing:
            pass
    trace = middle(found)
    name = ways.words(trace.attrs) or trace.text("layout")
    return Panel(language, what, f"{name}, {trace.nworkers} worker" + "s" * (trace.nworkers > 1),
                 _work(trace), trace.number("bin_width_ns", 1),
                 over(found, one) if one else None, quiet)


def _fewest(runs: Runs) -> Runs:
    """The cell with the fewest workers: no more than there are cores."""
    least = min(trace.nworkers for trace in runs.traces)
    return Runs([trace for trace in runs.traces if trace.nworkers == least])


def _work(trace: Trace) -> np.ndarray:
    """Units of the middle repetition in each bin, of its first part. (worker, bin)"""
    rates = trace.arrays["results/rate"]
    repetition = int(np.argsort(rates)[len(rates) // 2])
    bins = min(trace.nbins, max(1, SHOWN_NS // trace.number("bin_width_ns", 1)))
    return trace.part("counts", repetition, slice(0, MOST_WORKERS), slice(0, bins))


# ------------------------------------------------------------------------------------- prices

def prices(runs: Runs) -> list[Price]:
    """Time per element of every marshalling cell, each over the base of its language."""
    found = []
    for language, layout in LANGUAGES.items():
        cells = {"kernel": "marshal", "layout": layout}
        methods = {trace.text("method") for trace in runs.traces
                   if trace.text("kernel") == "marshal" and trace.text("layout") == layout}
        if BASE in methods:
            base = pick(runs, BASE, method=BASE, **cells)
            found += [_price(language, method, pick(runs, method, method=method, **cells), base)
                      for method in sorted(methods)]
    return found


def _price(language: str, method: str, of: tuple, base: tuple) -> Price:
    runs, quiet = of
    each = as_known(lambda: level(runs, lambda trace: 1e9 / rate(trace)), 1e9 / median_rate(runs),
                    len(runs.traces))
    return Price(language, method, each, over(base[0], runs), quiet and base[1])


# -------------------------------------------------------------------------------------- cores

def views(runs: Runs) -> list[View]:
    """Of each kernel the largest product that was looked at, under one library thread and under
    the most."""
    found = []
    for kernel in ("matmul", "dot"):
        looked = [trace for trace in runs.traces if trace.text("kernel") == kernel and trace.cores
                  and trace.nworkers == 1 and trace.valid]
        if looked:
            largest = Runs(looked).most("size")
            threads = {trace.number("blas_threads", 1) for trace in largest.traces}
            found += [_view(largest, blas) for blas in sorted({min(threads), max(threads)})]
    return found


def _view(runs: Runs, threads: int) -> View:
    found, quiet = pick(runs, "product", blas_threads=threads)
    trace, one = middle(found), None
    if threads > 1:
        try:
            one, calm = pick(runs, "product", blas_threads=1)
            quiet = quiet and calm
        except Missing:
            pass
    ends = trace.cores["time_ns"].astype(float)
    begin = ends[0] - (ends[1] - ends[0] if len(ends) > 1 else 0)
    windows = zip(trace.arrays["start_ns"].min(axis=1), trace.arrays["end_ns"].max(axis=1))
    return View(f"{trace.text('kernel')}, n = {trace.number('size')}, {threads} library thread"
                + "s" * (threads > 1), threads, (ends - begin) * 1e-9,
                trace.cores["busy"], [((a - begin) * 1e-9, (b - begin) * 1e-9) for a, b in windows],
                over(found, one) if one else None, quiet)


# ------------------------------------------------------------------------------------- slices

def turns(runs: Runs) -> list[Turns]:
    """The lock's slices at every switch interval, in C and in Python, of two workers or more."""
    cells: dict[tuple, list] = {}
    for trace in runs.traces:
        try:
            found = slices.of_trace(trace)
        except slices.NoSlices:
            continue
        if trace.valid and not trace.number("pinned", 0):
            key = found.interval, trace.nworkers, ways.language(trace.text("layout"))
            cells.setdefault(key, []).append((trace, found))
    return [_turns(key, pairs) for key, pairs in sorted(cells.items())]


def _turns(key: tuple, pairs: list) -> Turns:
    interval, workers, language = key
    runs = Runs([trace for trace, _ in pairs])
    medians = {trace.path: found.median * 1e-6 for trace, found in pairs}
    used, quiet = pick(runs, "slices")
    each = [medians[trace.path] for trace in used.traces]
    median = as_known(lambda: level(used, lambda trace: medians[trace.path]),
                      float(np.median(each)), len(each))
    kept = {trace.path for trace in used.traces}
    pooled = np.concatenate([found.length for trace, found in pairs if trace.path in kept])
    return Turns(language, workers, interval, slices.shares_below(pooled, GRID * interval), median,
                 quiet)
