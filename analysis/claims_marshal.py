"""Rows on what it costs to hand data from compiled code to Python and back. Pure."""

from __future__ import annotations

import math

from claim import LESS, MORE, Claim, Effect, Missing, Runs, least, level, rate, ratio

MARSHAL = "Handing data over"

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


def dearest(runs: Runs) -> Effect:
    """Time of the loop over the array over that of the other cell of the six that is nearest."""
    return least([dearer(runs, "array-loop", other)
                  for other in ("array-sum", "list-npsum", "list-sum", "list-loop")], MORE)


def vectorised(runs: Runs) -> Effect:
    """One np.sum over as many perfect workers as there are cores, each looping over a list."""
    base = cell(runs, "list-loop")
    return ratio(cell(runs, "array-npsum"), base, divisor=base.number("cpus") or 1)


MARSHAL_ROWS = [
    (Claim("npsum-100", MARSHAL, "np.sum is about a hundred times as fast as a Python loop over the "
           "array", "marshal array-loop against array-npsum (pairwise sum)",
           "time of the loop / time of np.sum", (50, 200),
           lesson="Of the order of hundreds. The baseline is NumPy's pairwise sum; against a naive "
                  "left-to-right sum every such ratio is several times smaller."),
     lambda runs: dearer(runs, "array-loop", "array-npsum")),
    (Claim("npsum-100-list", MARSHAL, "... and as a loop over a list",
           "marshal list-loop against array-npsum", "time of the loop / time of np.sum", (50, 200)),
     lambda runs: dearer(runs, "list-loop", "array-npsum")),
    (Claim("npsum-100-sum", MARSHAL, "... and as sum() of a list",
           "marshal list-sum against array-npsum", "time of sum() / time of np.sum", (50, 200),
           lesson="A hundred times as fast as what? Each ratio needs its base by name."),
     lambda runs: dearer(runs, "list-sum", "array-npsum")),
    (Claim("base-named", MARSHAL, "It does not matter which sum in C such ratios are taken to",
           "marshal in C: array-naive (left to right) against array-npsum (pairwise)",
           "time of the naive sum / time of the pairwise one", (0.9, 1.1),
           lesson="Left to right, each addition waits for the one before; every ratio to it is as "
                  "many times smaller. The base of all rows here is the pairwise sum."),
     lambda runs: dearer(runs, "array-naive", "array-npsum", "serial")),
    (Claim("worst-cell", MARSHAL, "A loop over the array is the dearest way to add it up",
           "marshal array-loop against the dearest other cell of the six",
           "time of the loop / time of the other", MORE),
     dearest),
    (Claim("sum-beats-loop", MARSHAL, "sum() beats a loop over the list",
           "marshal list-loop against list-sum", "time of the loop / time of sum()", MORE),
     lambda runs: dearer(runs, "list-loop", "list-sum")),
    (Claim("vectorise-first", MARSHAL, "Vectorising gains more than running the loop on all cores "
           "ever could", "marshal array-npsum against list-loop",
           "rate of np.sum / (cores x rate of the loop)", MORE),
     vectorised),
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
