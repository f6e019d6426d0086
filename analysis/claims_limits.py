"""Rows on when parallel execution does not pay. Pure."""

from __future__ import annotations

from typing import Any

from claim import LESS, MORE, Claim, Effect, Missing, Runs, level, ratio
from claims_workers import TEXT_WINDOW_NS, crowd

LIMITS = "When not to parallelise"


def c_runs(runs: Runs, what: str, **wanted: Any) -> Runs:
    usual: dict[str, Any] = {"scaling": "strong", **wanted}
    return runs.find(what, **usual)


def parallel_gain(runs: Runs, kernel: str, size_of) -> Effect:
    """Most threads over serial, at the smallest or largest size that both were run with."""
    serial = c_runs(runs, f"{kernel} in C, serial", kernel=kernel, layout="serial",
                    method=lambda m: m in ("blocked", "partition"))
    team = c_runs(runs, f"{kernel} in C, threads", kernel=kernel, layout="openmp",
                  method=serial.traces[0].attrs["method"],
                  size=lambda n: n in {t.number("size") for t in serial.traces})
    size = size_of(trace.number("size") for trace in team.traces)
    return ratio(c_runs(team, "threads", size=size).most("workers"),
                 c_runs(serial, "serial", size=size))


def coupled(runs: Runs, sync_every, **wanted: Any) -> Runs:
    return runs.find("threads in C that wait for each other", kernel="binning", layout="openmp",
                     lock="none", wait_ns=0, storage="private", sync_every=sync_every, **wanted)


def frequent_waiting(runs: Runs) -> Effect:
    """Work with the most frequent barrier over work without any, of as many threads."""
    some = coupled(runs, lambda n: (n or 0) > 0)
    least = min(trace.number("sync_every", 0) for trace in some.traces)
    often = coupled(some, least).most("workers")
    return ratio(often, coupled(runs, 0, workers=often.number("workers")))


def handed_over(runs: Runs) -> Effect:
    """Products of vectors that processes are sent, over one worker that has them."""
    sent = runs.find("np.dot of vectors handed to processes", invalid=True, kernel="dot",
                     layout="python", handed_over=1)
    return ratio(sent, runs.find("np.dot of vectors, one worker", kernel="dot", layout="python",
                                 way="single", blas_threads=1, size=sent.number("size")))


def starting(runs: Runs) -> Effect:
    """Time until processes are there, over the text's window."""
    some = crowd(runs)
    if any(trace.number("opening_ns") is None for trace in some.traces):
        raise Missing("the runs do not say how long starting took")
    return level(some, lambda trace: trace.number("opening_ns", 0) / TEXT_WINDOW_NS)


def strided(runs: Runs, method: str) -> Runs:
    return runs.find(f"a column sent by {method}", kernel="marshal", layout="mpi", method=method)


LIMIT_ROWS = [
    (Claim("short-tasks", LIMITS, "Short tasks are done sooner by one worker",
           "dot in C, most threads of openmp against serial, the smallest size measured",
           "rate of the threads / rate of one", LESS,
           lesson="Handing work out and meeting again has a price; drivers/study breakeven finds "
                  "the size from which it pays."),
     lambda runs: parallel_gain(runs, "dot", min)),
    (Claim("long-tasks", LIMITS, "Long ones by several",
           "matmul in C, most threads of openmp against serial, the largest size measured",
           "rate of the threads / rate of one", MORE),
     lambda runs: parallel_gain(runs, "matmul", max)),
    (Claim("starting", LIMITS, "Starting processes takes little of a task of 50 ms",
           "binning, way multiprocessing: until all processes of the pool are there",
           "time to start / 50 ms", (0, 0.2),
           lesson="Each starts an interpreter and imports its modules: a short task is over "
                  "before."),
     starting),
    (Claim("handing-over", LIMITS, "Handing data to processes may cost more than they gain",
           "dot of a million elements: processes that are sent them, against one worker that has "
           "them", "rate of the processes / rate of one", LESS,
           lesson="Twice as many cores do not help where a number is sent for each operation."),
     handed_over),
    (Claim("coupling", LIMITS, "Workers that wait for each other often get less done",
           "binning in C, openmp with the smallest --sync-every measured against never, of as many "
           "threads", "work with / work without waiting", LESS,
           lesson="How often is too often: drivers/study coupling."),
     frequent_waiting),
    (Claim("marshal-mpi", LIMITS, "Handing over scattered data costs more than handing over whole "
           "blocks, between processes too",
           "marshal in C under MPI: send-vector against send-contiguous",
           "rate of the column / rate of whole blocks", LESS),
     lambda runs: ratio(strided(runs, "send-vector"), strided(runs, "send-contiguous"))),
    (Claim("marshal-elements", LIMITS, "One message for each element is the dearest way of all",
           "marshal in C under MPI: send-blocks against packing by hand",
           "rate of single messages / rate of one packed message", LESS),
     lambda runs: ratio(strided(runs, "send-blocks"), strided(runs, "send-by-hand"))),
]
