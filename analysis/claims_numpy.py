"""Rows on compiled libraries: who uses all cores, and is it any faster? Pure."""

from __future__ import annotations

import math

from typing import Any

import numpy as np

from claim import LESS, MORE, Claim, Effect, Missing, Runs, least, level, middle, ratio
from traces import Trace

LIBRARY = "A library that is already parallel"


SEEN_BUSY = 0.8  # share from which a monitor's bar looks full
ALL_GAIN = (0.8, math.inf)  # speed-ups over cores that say so


def product(runs: Runs, way: str = "single", kernel: str = "matmul", **wanted: Any) -> Runs:
    what = "matrices" if kernel == "matmul" else "vectors"
    usual: dict[str, Any] = {"handed_over": lambda yes: not yes, **wanted}
    return runs.find(f"np.dot of {what}, way {way}" + "".join(
        f", {name.replace('_', ' ')} {value}" for name, value in wanted.items()
        if not callable(value)), invalid=True, kernel=kernel, layout="python", way=way, **usual)


def largest(runs: Runs) -> Runs:
    return runs.most("size")


def all_cores(runs: Runs, kernel: str = "matmul", **wanted: Any) -> Runs:
    """One call with a BLAS thread for each core."""
    found = product(runs, kernel=kernel, blas_threads=lambda n: (n or 1) > 1, **wanted)
    return found.find("np.dot with a thread for each core", invalid=True,
                      blas_threads=found.number("cpus"))


def speedup(runs: Runs, size: int, kernel: str = "matmul") -> Effect:
    """One call with all cores over one call with one."""
    return ratio(all_cores(runs, kernel, size=size),
                 product(runs, kernel=kernel, size=size, blas_threads=1))


def busy(runs: Runs) -> Effect:
    value = middle("results/cores_busy")
    return level(runs, lambda trace: value(trace) / trace.number("cpus", 1))


def monitor(trace: Trace) -> float:
    """What a monitor shows of the least busy CPU while the product runs, 0..1: the mean over the
    samples that began and ended in one repetition."""
    when, looks = trace.cores.get("time_ns"), trace.cores.get("busy")
    starts, ends = trace.array("start_ns"), trace.array("end_ns")
    if when is None or looks is None or len(when) < 2 or starts is None or ends is None:
        raise Missing(f"no look at the CPUs in {trace.path}")
    start, end = starts.min(axis=1), ends.max(axis=1)
    inside = ((when[:-1, None] >= start) & (when[1:, None] <= end)).any(axis=1)
    shares = looks[1:][inside]
    if not shares.size or np.isnan(shares).all(axis=0).any():
        raise Missing(f"no whole look at the CPUs inside of a product in {trace.path}")
    return float(np.nanmean(shares, axis=0).min())


def least_gain(runs: Runs) -> Effect:
    """Speed-up over cores where it says least for ALL_GAIN although a monitor shows all cores
    busy."""
    works = {(trace.text("kernel"), trace.number("size", 0)) for trace in runs.find(
        "np.dot with a look at the CPUs", invalid=True, layout="python", way="single",
        kernel=lambda k: k in ("dot", "matmul"), blas_threads=lambda n: (n or 1) > 1).traces
        if trace.cores}
    gains = []
    for kernel, size in works:
        some = all_cores(runs, kernel, size=size)
        if level(some, monitor, most=1).low >= SEEN_BUSY:
            gain, cores = speedup(runs, size, kernel), some.number("cpus")
            gains.append(Effect(gain.value / cores, gain.low / cores, gain.high / cores, gain.n))
    if not gains:
        raise Missing("no product at which all cores were seen busy")
    return least(gains, ALL_GAIN)


def by_calls(runs: Runs) -> Effect:
    """Share of the library's threads that were not there when it had been imported."""
    def share(trace: Trace) -> float:
        before, after, end = (trace.number(f"threads_{name}", -1)
                              for name in ("before_numpy", "after_numpy", "at_end"))
        if before < 0 or end <= before:
            raise Missing("it started no thread here")
        return (end - after) / (end - before)
    return level(largest(all_cores(runs)), share, most=1)


def sum_cores(runs: Runs) -> Effect:
    """Cores that np.sum keeps busy, of those that there are."""
    some = runs.find("np.sum of an array", kernel="marshal", layout="python", method="array-npsum",
                     cpus=lambda n: (n or 1) > 1)
    value = middle("results/cores_busy")
    return level(some, lambda trace: value(trace) / trace.number("cpus", 1))


def processes_or_call(runs: Runs) -> Effect:
    """Processes with one library thread each over one call with all of them."""
    many = product(runs, "processes", blas_threads=1, workers=lambda n: (n or 1) > 1)
    return ratio(many, all_cores(runs, size=many.number("size")))


def both_levels(runs: Runs) -> Effect:
    """Processes x library threads over as many processes with one thread each."""
    crowd = product(runs, "processes", blas_threads=lambda n: (n or 1) > 1)
    return ratio(crowd, product(runs, "processes", blas_threads=1, size=crowd.number("size"),
                                workers=crowd.number("workers")))


def lock_released(runs: Runs) -> Effect:
    """Python threads that each call the library with one thread, over one of them; per thread."""
    many = largest(product(runs, "threading", blas_threads=1))
    return ratio(many, product(runs, blas_threads=1, size=many.number("size")),
                 divisor=many.number("workers"))


NUMPY_ROWS = [
    (Claim("dot-all-cores", LIBRARY, "One call of np.dot keeps all cores busy",
           "matmul, way single, a BLAS thread for each core, largest size",
           "CPU time / (time x cores)", (0.9, 1.1)),
     lambda runs: busy(largest(all_cores(runs)))),
    (Claim("dot-faster", LIBRARY, "... and is faster for it",
           "matmul, way single, all cores against one, largest size",
           "rate with all cores / rate with one", MORE),
     lambda runs: speedup(runs, largest(all_cores(runs)).number("size"))),
    (Claim("monitor", LIBRARY, "A monitor shows all cores busy during the product, of one process",
           "matmul, way single --sample-cores, largest size: busy share of each CPU as htop shows "
           "it", "busy share of the least busy CPU", (0.9, 1),
           lesson="It shows everybody's work, and waiting in a loop as well as computing."),
     lambda runs: level(largest(all_cores(runs)), monitor, most=1)),
    (Claim("busy-is-evidence", LIBRARY, "Where a monitor shows all cores busy, the work is as many "
           "times as fast", "products of matrices and of vectors, way single --sample-cores, all "
           "cores against one: of those that show all cores busy, the one that gains least",
           "(rate with all cores / rate with one) / cores", ALL_GAIN,
           lesson="Busy cores are no evidence: threads that wait in a loop are busy too. Only the "
                  "speed-up tells."),
     least_gain),
    (Claim("pool-at-call", LIBRARY, "The library starts its threads when it is called",
           "matmul, way single: threads of the process before NumPy, after importing it, and at "
           "the end", "share of its threads that the import had not started", (0.9, 1),
           lesson="Depends on how the library was built: many start them when they are loaded."),
     by_calls),
    (Claim("numpy-all-cores", LIBRARY, "NumPy uses all cores, not only in products",
           "marshal array-npsum: np.sum of an array", "CPU time / (time x cores)", (0.9, 1.1),
           lesson="Products go to a BLAS library that has threads; NumPy's own loops have one."),
     sum_cores),
    (Claim("lock-released", LIBRARY, "NumPy releases the lock while the library computes",
           "matmul, way threading, one BLAS thread each, against way single",
           "rate of N threads / (N x rate of one)", (0.7, 1.1)),
     lock_released),
    (Claim("not-both-levels", LIBRARY, "Processes around a library that is parallel itself make "
           "it slower", "matmul, way processes, all BLAS threads against one in each",
           "rate with both levels / rate with processes alone", LESS,
           lesson="Choose one level: processes, or the library's threads."),
     both_levels),
    (Claim("already-parallel", LIBRARY, "Processes gain nothing over one call that uses all cores",
           "matmul, way processes with one BLAS thread each, against one call with all",
           "rate of the processes / rate of the call", (0, 1.05)),
     processes_or_call),
]
