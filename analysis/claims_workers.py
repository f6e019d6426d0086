"""Rows on threads and processes: who really runs at the same time. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import ways
from claim import Claim, Effect, Runs, level, middle, rate, ratio
from traces import Trace

SAME = (0.9, 1.1)  # "about the same": within a tenth
INTERVALS = 40  # switch intervals that a window should have for each worker
TEXT_WINDOW_NS = 50_000_000
CROWDED = ("more workers and library threads than CPUs", "started after the agreed instant")
GROUP = "Threads and processes"


def binning(runs: Runs, what: str, way: str, **wanted: Any) -> Runs:
    """Runs of clock reads in bins, in CPython."""
    usual: dict[str, Any] = {"wait_ns": 0, "start": "common", "pinned": 0, **wanted}
    return runs.find(what, kernel="binning", layout="python", way=way, **usual)


def control(runs: Runs, what: str, way: str, **wanted: Any) -> Runs:
    """The same, of which only is asked when its windows were open: load does not matter, and
    being INVALID is the point."""
    return binning(runs, what, way, invalid=True, loaded=True, **wanted)


def single(runs: Runs, **wanted: Any) -> Runs:
    return binning(runs, "one worker in Python", "single", **wanted)


def threads(runs: Runs, **wanted: Any) -> Runs:
    """With CPython's own switch interval, or no lock at all; in windows that give each its
    turns."""
    usual: dict[str, Any] = {"lock_interval_ns": lambda ns: ns in (None, 0, ways.SWITCH_NS),
             "workers": lambda n: (n or 1) > 1, **wanted}
    return binning(runs, "threads in Python", "threading", **usual).where(long_enough, too_short)


def long_enough(trace: Trace) -> bool:
    """Is the window of so many switch intervals for each worker that shares are not left to
    chance?"""
    window = (trace.number("bins") or 0) * (trace.number("bin_width_ns") or 0)
    return window >= INTERVALS * trace.nworkers * (trace.number("lock_interval_ns") or 0)


def too_short(trace: Trace) -> str:
    idle = trace.text("never_ran")
    return (f"the window is shorter than {INTERVALS} switch intervals for each worker"
            + (f"; never ran: {idle}" if idle else ""))


def never_ran(trace: Trace) -> float:
    """Share of the repetitions in which a worker did nothing at all."""
    return float(np.mean(np.any(trace.array("units") == 0, axis=1)))


def processes(runs: Runs, **wanted: Any) -> Runs:
    return binning(runs, "processes in Python", "multiprocessing", **wanted)


def only_crowded(trace: Trace) -> bool:
    """Is it INVALID for nothing but more workers than CPUs, or what follows from that?"""
    return all(why.startswith(CROWDED)
               for why in filter(None, trace.invalid_reasons.split("; ")))


def crowd(runs: Runs) -> Runs:
    """The most processes that were run on all cores, also where they are more than those."""
    return processes(runs, invalid=True, cpus=single(runs).number("cpus")).where(
        only_crowded, lambda trace: trace.invalid_reasons).most("workers")


def c_threads(runs: Runs) -> Runs:
    """The C threads that stand for Python's: as the study labels them, else those with a lock."""
    labelled = any(trace.labels.get("role") == "threads" for trace in runs.traces)
    wanted: dict[str, Any] = {"label_role": "threads"} if labelled else {
        "lock": "gil", "wait_ns": 0, "workers": lambda n: (n or 1) > 1}
    return runs.find("C threads", kernel="binning", layout="openmp", **wanted).where(
        long_enough, too_short)


def c_single(runs: Runs) -> Runs:
    return runs.find("one worker in C", kernel="binning", layout="serial", lock="none", wait_ns=0,
                     storage="private", work_unit="clock", sync_every=0)


def together(trace: Trace) -> float:
    """Share of the bins with work in which more than one worker worked."""
    shares = []
    for repetition in range(trace.repetitions):
        working = np.zeros(trace.nbins, int)
        for _, _, counts in trace.blocks("counts", repetition):
            working += (counts > 0).sum(axis=0)
        shares.append(float(np.mean(working[working > 0] > 1)) if working.any() else math.nan)
    return float(np.median(shares))


def per_core(runs: Runs, cores_of: Runs) -> Effect:
    """Total of the workers over that of one, for each of them."""
    return ratio(runs, cores_of, divisor=runs.number("workers"))


def score(runs: Runs, base: Runs) -> Effect:
    """What the text adds up: units of all windows over those of one window, per window."""
    return ratio(runs, base, in_windows, divisor=runs.number("workers"))


def in_windows(trace: Trace) -> float:
    """Units of all workers per bin of one window, whenever their windows were open."""
    return float(np.median(trace.arrays["units"].sum(axis=1))) / trace.nbins


def of_window(name: str, runs: Runs) -> Effect:
    """A count per worker: windows open at once, processes used; 1 is all of them."""
    value = middle(f"results/{name}")
    return level(runs, lambda trace: value(trace) / trace.nworkers, most=1)


def no_more_than_cores(runs: Runs) -> Effect:
    """CPU time of all workers over a window, over the cores that there were."""
    value = middle("results/cores_obtained")
    return level(runs, lambda trace: value(trace) / trace.number("cpus", 1))


ROWS = [
    (Claim("threads-total", GROUP, "Threads of one CPython process together do about as much "
           "work as one thread",
           "binning, way threading against way single", "work of the threads / work of one", SAME,
           lesson="Under the interpreter's lock threads take turns."),
     lambda runs: ratio(threads(runs).most("workers"), single(runs))),
    (Claim("threads-at-once", GROUP, "Threads are all under way at the same time",
           "binning, way threading: windows open at once", "windows open at once / workers",
           SAME, lesson="Under way is not at work: that is concurrency, not parallelism."),
     lambda runs: of_window("windows_open", threads(runs, loaded=True))),
    (Claim("threads-one-core", GROUP, "... and together get no more than one core",
           "binning, way threading: CPU time / time", "cores busy", (0, 1.1)),
     lambda runs: level(threads(runs), middle("results/cores_busy"))),
    (Claim("never-ran", GROUP, "In the text's window of 50 ms each of its four threads has a turn",
           "binning, way threading, 4 workers, 1000 bins of 50us: repetitions in which a worker "
           "did nothing at all", "share of such repetitions", (0, 0.05),
           lesson="Four turns of 5 ms, in no fixed order: totals in so short a window are left to "
                  "chance. Rows here take windows of 40 switch intervals for each thread."),
     lambda runs: level(binning(
         runs, "four threads in a window of 50 ms", "threading", invalid=True, loaded=True,
         workers=4, bins=lambda n: 0 < (n or 0) * 50_000 <= TEXT_WINDOW_NS, bin_width_ns=50_000),
         never_ran, most=1)),
    (Claim("threads-total-c", GROUP, "So do C threads under the same kind of lock: it is the "
           "lock, not the interpreter",
           "binning, openmp --lock gil against serial", "work of the threads / work of one", SAME,
           lesson="Without the lock (--lock none) the same threads do as much as there are "
                  "cores."),
     lambda runs: ratio(c_threads(runs), c_single(runs))),
    (Claim("one-at-a-time", GROUP, "Only one thread runs Python code at any instant",
           "binning, way threading: bins in which two workers counted",
           "share of bins with more than one worker", (0, 0.05),
           lesson="Bins with two workers are those in which the lock changed hands."),
     lambda runs: level(threads(runs, loaded=True), together, most=1)),
    (Claim("processes-total", GROUP, "N processes do about N times the work of one",
           "binning, way multiprocessing, one common start, the most workers measured",
           "work of the processes / (N x work of one)", SAME,
           lesson="They do as much as there are cores, and not more."),
     lambda runs: per_core(crowd(runs), single(runs))),
    (Claim("processes-cores", GROUP, "Processes run in parallel up to the number of cores",
           "binning, way multiprocessing, one common start, a worker for each core",
           "work of the processes / (cores x work of one)", (0.85, 1.1)),
     lambda runs: per_core(processes(runs, workers=single(runs).number("cpus")), single(runs))),
    (Claim("interpreters", GROUP, "Every process has an interpreter of its own",
           "binning, way multiprocessing, one common start: processes that worked",
           "processes / workers", (0.999, 1.001)),
     lambda runs: of_window("processes_used", binning(
         runs, "processes in Python", "multiprocessing", invalid=True, loaded=True,
         workers=lambda n: (n or 1) > 1))),
    (Claim("own-total", GROUP, "Measured the text's way, N processes do about N times the work",
           "binning, way multiprocessing --start own, scored as the text scores",
           "its score / N", SAME, lesson="See the next rows before believing it."),
     lambda runs: score(binning(runs, "processes with starts of their own", "multiprocessing",
                                invalid=True, start="own").most("workers"), single(runs))),
    (Claim("own-processes", GROUP, "... in N processes",
           "the same: processes that ran the N tasks", "processes / tasks", (0.9, 1),
           lesson="A pool gives the next task to whoever is ready first."),
     lambda runs: of_window("processes_used", control(
         runs, "processes with starts of their own", "multiprocessing", start="own")
         .most("workers"))),
    (Claim("own-start", GROUP, "The text's own measurement shows that its processes ran at the "
           "same time",
           "binning, way multiprocessing --start own: windows open at once",
           "windows open at once / workers", (0.9, 1.1),
           lesson="Every task takes its own start, so windows that follow one another are added "
                  "up as if they had coincided. Take one common start."),
     lambda runs: of_window("windows_open", control(
         runs, "processes with starts of their own", "multiprocessing", start="own")
         .most("workers"))),
    (Claim("serial-loop", GROUP, "The text's score tells parallel work from serial work",
           "the control that must fail: one loop over N windows, scored as the text scores",
           "its score / N windows (1: as good as parallel)", (-math.inf, 0.9),
           lesson="A loop that runs nothing in parallel gets the full score. A total is evidence "
                  "only if the windows were open at once."),
     lambda runs: score(binning(runs, "the serial loop", "serial-loop", invalid=True,
                                start="own").most("workers"), single(runs))),
    (Claim("serial-loop-caught", GROUP, "The kit's own measure is not fooled by that loop",
           "the same loop: windows open at once", "windows open at once", (0, 1.1)),
     lambda runs: level(control(runs, "the serial loop", "serial-loop", start="own")
                        .most("workers"), middle("results/windows_open"))),
    (Claim("one-core", GROUP, "Bound to one core, several processes obtain one core, whatever "
           "they score",
           "binning, way multiprocessing under a mask of one CPU",
           "cores obtained / cores of the mask", (0, 1.05)),
     lambda runs: no_more_than_cores(control(
         runs, "processes bound to one core", "multiprocessing", cpus=1,
         workers=lambda n: n > 1))),
    *[(Claim(f"framework-{way}", GROUP, f"{way}'s processes run in parallel up to the number of "
             "cores", f"binning, way {way}, one common start, a worker for each core",
             "work of the processes / (cores x work of one)", (0.85, 1.1)),
       lambda runs, way=way: per_core(binning(runs, f"way {way}", way,
                                              workers=single(runs).number("cpus")), single(runs)))
      for way in ("joblib", "dask")],
]


def c_rate(runs: Runs, what: str, **wanted: Any) -> Runs:
    return runs.find(what, kernel="binning", layout="openmp", lock="none", wait_ns=0, **wanted)


SHARING = "Sharing"
SHARE_ROWS = [
    (Claim("shared-table", SHARING, "One table with a column for each worker is a harmless way to "
           "count", "binning, openmp --storage shared against private",
           "work with the shared table / work with rows of one's own", (0.95, 1.05),
           lesson="Neighbours in a row share a cache line: harmless while a lock lets one work at "
                  "a time, and dear as soon as they really run in parallel."),
     lambda runs: ratio(c_rate(runs, "threads in C, one table", storage="shared"),
                        c_rate(runs, "threads in C, rows of their own", storage="private"), rate)),
]
