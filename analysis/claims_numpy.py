"""Rows on compiled libraries: who uses all cores, and what handing data over costs. Pure."""

from __future__ import annotations

import math

from claim import LESS, MORE, Claim, Effect, Missing, Runs, level, middle, rate, ratio

LIBRARY = "A library that is already parallel"
MARSHAL = "Handing data over"


def product(runs: Runs, way: str = "single", **wanted: object) -> Runs:
    return runs.find(f"np.dot of matrices, way {way}" + "".join(
        f", {name.replace('_', ' ')} {value}" for name, value in wanted.items()
        if not callable(value)), invalid=True, kernel="matmul", layout="python", way=way, **wanted)


def largest(runs: Runs) -> Runs:
    return runs.most("size")


def all_cores(runs: Runs) -> Runs:
    """One call with a BLAS thread for each core."""
    found = product(runs, blas_threads=lambda n: (n or 1) > 1)
    return found.find("np.dot with a thread for each core", invalid=True,
                      blas_threads=found.number("cpus"))


def speedup(runs: Runs, size: int) -> Effect:
    """One call with all cores over one call with one."""
    return ratio(all_cores(product(runs, size=size)),
                 product(runs, size=size, blas_threads=1))


def busy(runs: Runs) -> Effect:
    value = middle("results/cores_busy")
    return level(runs, lambda trace: value(trace) / trace.number("cpus"))


def least_gain(runs: Runs) -> Effect:
    """The speed-up at the size where it is smallest although all cores were busy."""
    sizes = {trace.number("size") for trace in all_cores(runs).traces}
    gains = []
    for size in sizes:
        some = all_cores(product(runs, size=size))
        try:
            if busy(some).low >= 0.8:
                gains.append(speedup(runs, size))
        except Missing:
            continue
    if not gains:
        raise Missing("at no size were all cores busy")
    return min(gains, key=lambda effect: effect.value)


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
    (Claim("busy-is-evidence", LIBRARY, "Where all cores are busy, the work is parallel to their "
           "number", "matmul, way single, all cores against one, the size that gains least",
           "rate with all cores / rate with one", (1.6, math.inf),
           lesson="Busy cores are no evidence: threads that wait in a loop are busy too. Only the "
                  "speed-up tells."),
     least_gain),
    (Claim("lock-released", LIBRARY, "NumPy releases the lock while the library computes",
           "matmul, way threading, one BLAS thread each, against way single",
           "rate of N threads / (N x rate of one)", (0.7, 1.1)),
     lock_released),
    (Claim("not-both-levels", LIBRARY, "Processes around a library that is parallel itself make "
           "it slower", "matmul, way processes, all BLAS threads against one in each",
           "rate with both levels / rate with processes alone", LESS,
           lesson="Choose one level: processes, or the library's threads."),
     both_levels),
]


# --------------------------------------------------------------------------------- marshalling

def cell(runs: Runs, method: str, layout: str = "python") -> Runs:
    return runs.find(f"marshal {method} in {'Python' if layout == 'python' else 'C'}",
                     kernel="marshal", layout=layout, method=method)


def dearer(runs: Runs, slow: str, fast: str, layout: str = "python") -> Effect:
    """Time per element of one cell over that of another."""
    return ratio(cell(runs, fast, layout), cell(runs, slow, layout))


def time_of(runs: Runs, method: str) -> Effect:
    """Seconds per element."""
    return level(cell(runs, method), lambda trace: 1 / rate(trace))


def gap_explained(runs: Runs) -> Effect:
    """(memoryview loop - list loop) / (array loop - list loop): the share of the array loop's
    price that is paid as well where a plain Python float is made of each element.

    The interval is the widest that the three intervals allow.
    """
    view, lists, array = (time_of(runs, f"{name}-loop") for name in ("memoryview", "list", "array"))

    def share(v: float, li: float, a: float) -> float:
        return max(0.0, v - li) / (a - li) if a > li else math.nan
    if array.low <= lists.high:
        raise Missing("the array loop is not dearer than the list loop here")
    return Effect(share(view.value, lists.value, array.value),
                  share(view.low, lists.high, array.high),
                  share(view.high, lists.low, array.low), min(view.n, lists.n, array.n))


MARSHAL_ROWS = [
    (Claim("npsum-100", MARSHAL, "np.sum is about a hundred times as fast as a Python loop over the "
           "array", "marshal array-loop against array-npsum (pairwise sum)",
           "time of the loop / time of np.sum", (50, 200),
           lesson="Of the order of hundreds. The baseline is NumPy's pairwise sum; against a naive "
                  "left-to-right sum every such ratio is several times smaller."),
     lambda runs: dearer(runs, "array-loop", "array-npsum")),
    (Claim("array-3-list", MARSHAL, "A loop over the array is three times as dear as one over a "
           "list", "marshal array-loop against list-loop",
           "time over the array / time over the list", (2, 4)),
     lambda runs: dearer(runs, "array-loop", "list-loop")),
    (Claim("array-dearer-list", MARSHAL, "A loop over the array is dearer than one over a list",
           "marshal array-loop against list-loop", "time over the array / time over the list", MORE),
     lambda runs: dearer(runs, "array-loop", "list-loop")),
    (Claim("sum-is-iteration", MARSHAL, "sum(array) pays for iterating, the loop pays for "
           "marshalling: two different prices", "marshal array-loop against array-sum",
           "time of the loop / time of sum()", (1.5, math.inf),
           lesson="Both make a NumPy scalar of each element; the price and its cause are the same."),
     lambda runs: dearer(runs, "array-loop", "array-sum")),
    (Claim("npsum-list", MARSHAL, "The missing cell: np.sum over a list is still faster than a loop "
           "over it", "marshal list-npsum against list-loop",
           "time of np.sum / time of the loop", LESS,
           lesson="It converts the whole list first; that costs more than looping."),
     lambda runs: dearer(runs, "list-npsum", "list-loop")),
    (Claim("conversion", MARSHAL, "Converting each element from C to Python is what makes the array "
           "loop dear", "marshal: control memoryview-loop, which converts each element too",
           "share of the array loop's extra time that the control pays", (0.5, math.inf),
           lesson="Most of it is NumPy's own scalar type, not conversion."),
     gap_explained),
    (Claim("address-order", MARSHAL, "Conversion is dearer than where the objects lie",
           "marshal: control shuffled-list-loop against array-loop",
           "time of the shuffled list / time of the array", LESS,
           lesson="A list whose objects lie scattered, as in one that has lived, may cost more than "
                  "any conversion: address order is the hidden variable."),
     lambda runs: dearer(runs, "shuffled-list-loop", "array-loop")),
    (Claim("convert-once", MARSHAL, "Converting once and looping over the list beats looping over "
           "the array", "marshal convert-once-loop against array-loop",
           "time with one conversion / time of the loop", LESS),
     lambda runs: dearer(runs, "convert-once-loop", "array-loop")),
    (Claim("c-boxes", MARSHAL, "Boxed doubles are dear in C as well: the price is not the "
           "interpreter's alone", "marshal in C: list-loop against array-npsum",
           "time over boxes / time over the array", (5, math.inf)),
     lambda runs: dearer(runs, "list-loop", "array-npsum", "serial")),
]
