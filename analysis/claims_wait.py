"""Rows on work that waits for input and output, alone, with computing, and beside it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import ways
from claim import LESS, Claim, Effect, Missing, Runs, level, middle, ratio
from claims_workers import binning, per_core
from traces import Trace

WAITING = "Waiting for input and output"


def waiting(runs: Runs, way: str, what: str = "--wait", **wanted: Any) -> Runs:
    """Runs whose unit is a wait; with nothing to compute, unless that is wanted."""
    usual: dict[str, Any] = {"wait_ns": _some, "wait_compute_ns": _none, "beside": _none, **wanted}
    return binning(runs, f"way {way} with {what}", way, **usual)


def _some(number: object) -> bool:
    return bool(number)


def _none(number: object) -> bool:
    return not number


def overlap(runs: Runs, way: str) -> Effect:
    """Waits done by N workers over those done by one, per worker."""
    many = waiting(runs, way).most("workers")
    return per_core(many, waiting(runs, "single", wait_ns=many.number("wait_ns")))


def mixed(runs: Runs, way: str, **wanted: Any) -> Runs:
    return waiting(runs, way, "--wait and --compute", **{"wait_compute_ns": _some, **wanted})


def overlap_mixed(runs: Runs, way: str, **wanted: Any) -> Effect:
    """The same of waits with some computing after each."""
    many = mixed(runs, way, **wanted).most("workers")
    return per_core(many, mixed(runs, "single", wait_ns=many.number("wait_ns"),
                                wait_compute_ns=many.number("wait_compute_ns")))


def late(trace: Trace) -> float:
    """How late waits ended, ns: median over workers and repetitions of their medians."""
    middles = trace.workers.get("wake_median_ns")
    if middles is None or not np.median(middles) > 0:
        raise Missing(f"{trace.path} does not say how late its waits ended")
    return float(np.median(middles))


def beside(runs: Runs, interval_ns: int | Callable[[Any], bool] = ways.SWITCH_NS) -> Runs:
    """One thread that waits, beside threads that compute."""
    return waiting(runs, "threading", "--wait and --beside", workers=1, beside=_some,
                   lock_interval_ns=interval_ns)


def alone(runs: Runs) -> Runs:
    """The same thread with nobody beside it."""
    many = beside(runs)
    return waiting(runs, "threading", "--wait, one thread", workers=1,
                   wait_ns=many.number("wait_ns"))


def shorter(runs: Runs) -> Effect:
    """Lateness at the shortest switch interval over that at CPython's own."""
    some = beside(runs, lambda ns: 0 < (ns or 0) < ways.SWITCH_NS)
    least = min(trace.number("lock_interval_ns", 0) for trace in some.traces)
    return ratio(beside(runs, least), beside(runs), late)


WAIT_ROWS = [
    (Claim("io-threads", WAITING, "Threads overlap waiting: the lock is released meanwhile",
           "binning --wait, way threading against way single",
           "waits of N threads / (N x waits of one)", (0.8, 1.1)),
     lambda runs: overlap(runs, "threading")),
    (Claim("io-asyncio", WAITING, "Coroutines overlap waiting as well, in one thread",
           "binning --wait, way asyncio against way single",
           "waits of N coroutines / (N x waits of one)", (0.8, 1.1)),
     lambda runs: overlap(runs, "asyncio")),
    (Claim("mixed-threads", WAITING, "Threads that compute a little after each wait gain as much",
           "binning --wait 5ms --compute 1ms, way threading against way single",
           "waits of N threads / (N x waits of one)", (0.8, 1.1),
           lesson="The waits overlap, the computing does not: N threads get no further than the "
                  "lock's one core."),
     lambda runs: overlap_mixed(runs, "threading")),
    (Claim("mixed-bound", WAITING, "... because all of them together compute on one core",
           "the same runs: CPU time / time", "cores busy", (0, 1.1)),
     lambda runs: level(mixed(runs, "threading").most("workers"), middle("results/cores_busy"))),
    (Claim("mixed-asyncio", WAITING, "Coroutines that compute a little after each wait gain as "
           "much", "binning --wait 5ms --compute 1ms, way asyncio against way single",
           "waits of N coroutines / (N x waits of one)", (0.8, 1.1),
           lesson="They are one thread: whoever computes keeps all others waiting."),
     lambda runs: overlap_mixed(runs, "asyncio")),
    (Claim("mixed-processes", WAITING, "Processes overlap the computing too, up to the cores",
           "binning --wait 5ms --compute 1ms, way multiprocessing, a worker for each core",
           "waits of N processes / (N x waits of one)", (0.8, 1.1)),
     lambda runs: overlap_mixed(runs, "multiprocessing")),
    (Claim("convoy", WAITING, "A thread goes on at once when its wait is over, also beside one "
           "that computes",
           "binning --wait 1ms --beside 1: how late waits end, against the same thread alone",
           "median lateness beside / alone", (0, 2),
           lesson="The convoy effect: it must have the lock again first, and the thread that "
                  "computes keeps it for a whole switch interval. One such thread undoes what "
                  "waiting in threads had gained."),
     lambda runs: ratio(beside(runs), alone(runs), late)),
    (Claim("convoy-interval", WAITING, "What it waits for in addition is about a switch interval",
           "the same runs", "median lateness / switch interval", (0.8, 2.2)),
     lambda runs: level(beside(runs), lambda trace: late(trace) / ways.SWITCH_NS)),
    (Claim("convoy-shorter", WAITING, "A shorter switch interval makes it shorter",
           "the same with --switch-interval 500us against 5ms", "median lateness / that at 5 ms",
           LESS, lesson="At the price of more switches for those who compute."),
     shorter),
]
