"""python: which statements on parallelism in Python are true here?

Runs the training text's own programs in CPython (one worker, threads, processes, NumPy's
product, the marshalling cells) with the controls that tell what their figures mean, beside
the same work in C; every statement then gets a measured verdict. About twelve minutes on
two cores.

look for
  verdict    holds, does not hold, or cannot tell here, with the effect and its interval
  INVALID    some runs are controls: a serial loop that scores as if it were parallel, and
             processes with starts of their own. They are meant to be found out
  one table  threads in Python beside C threads under the same lock; processes beside ranks

it cannot say
  what another interpreter does (a build without the lock, another version: run it there);
  what a busy machine would have given: disturbed launches count for nothing

options of its own:
  --launches N    launches of every cell; below 3 nothing can be told [5]
  --lock WORD     of the C threads that stand for Python's, one of: gil,none
                  (with none the statement on them must turn out false) [gil]
"""

import importlib.util

from studies import work
from studies.design import Cell

LIMIT_S = 180
WIDTH = ("--width", "50us")
# 40 switch intervals for each of two threads; the same for all, so that they share a table.
WINDOW = ("--bins", "8000", *WIDTH)
TEXT_WORKERS = 4
LONG_WINDOW = ("--bins", "16000", *WIDTH)  # and for each of four
TEXT_WINDOW = ("--bins", "1000", *WIDTH)
SHORT = ("--repeats", "3")
BINNING = ("--detour", "20us", *SHORT)  # one threshold for both: one table
# Other switch intervals of the lock, 80 slices or more; unbound, as CPython's threads are.
TURNS = {"1ms": ("--bins", "4000"), "20ms": ("--bins", "32000")}
TURN = ("--width", "50us", "--detour", "20us", "--repeats", "1")
FREE = ("--bind", "none")
WAITS = ("--wait", "5ms", "--width", "1ms", "--bins", "200", *SHORT)
BRIEF = ("--warmup", "50ms", *SHORT)
MIXED = ("--wait", "5ms", "--compute", "1ms", "--width", "1ms", "--bins", "400", *BRIEF)
CONVOY = ("--way", "threading", "--wait", "1ms", "--width", "1ms", "--bins", "400", *BRIEF)
UPDATES = {"threading": ("call", "inline", "lock", "handed"), "processes": ("handed", "block")}
PRODUCTS = {"256": "600", "2000": "2"}  # size: calls that fill several looks at the CPUs
BUSY = ("20000", "25000")  # a product whose threads wait for each other more than they compute
LOOKS = ("--sample-cores", "50ms")
CELLS = ("array-npsum", "array-sum", "array-loop", "list-npsum", "list-sum", "list-loop",
         "memoryview-loop", "shuffled-list-sum", "shuffled-list-loop",
         "convert-once-loop")  # fmt: skip
IN_C = ("array-npsum", "array-naive", "array-sum", "array-loop", "list-npsum", "list-sum",
        "list-loop")  # fmt: skip
SENT = ("send-contiguous", "send-vector", "send-by-hand", "send-blocks")
WHERE_INSTALLED = {"joblib": "joblib", "dask": "dask"}


def python(kernel, variant, *options, workers=1, **more):
    """A way of CPython. workers: as the driver's --workers says."""
    count = ("--workers", str(workers)) if workers > 1 or "threading" in options else ()
    return Cell("python", 1, workers, kernel, variant, (*options, *count), **more)


def workers(cores):
    """Who really runs at the same time?"""
    many = 2 * cores
    common = ("--way", "multiprocessing", *BINNING)
    together = (*WINDOW, *common)
    found = [
        python("binning", "single", "--way", "single", *WINDOW, *BINNING),
        python("binning", "threads", "--way", "threading", *WINDOW, *BINNING, workers=2),
        python("binning", "threads", "--way", "threading", *LONG_WINDOW, *BINNING,
               workers=TEXT_WORKERS),
        python("binning", "threads-short", "--way", "threading", *TEXT_WINDOW, "--detour", "20us",
               workers=TEXT_WORKERS, control=True),
        python("binning", "processes", *together, workers=cores),
        python("binning", "processes", *together, workers=many, control=True),
        python("binning", "own-start", *common, "--start", "own", workers=many, control=True),
        python("binning", "serial-loop", "--way", "serial-loop", *BINNING, workers=many,
               control=True),
        python("binning", "one-core", *common, workers=many, cpus=1, control=True),
    ]  # fmt: skip
    found += [
        python("binning", f"threads-{interval}", "--way", "threading", *bins, *TURN,
               "--switch-interval", interval, workers=2)
        for interval, bins in TURNS.items()
    ]  # fmt: skip
    return found + [
        python("binning", way, "--way", way, *WINDOW, *BINNING, workers=cores)
        for way, package in WHERE_INSTALLED.items()
        if importlib.util.find_spec(package)
    ]


def waits(cores):
    """Waiting, with some computing after it, and beside a thread that computes."""
    return [
        python("binning", "wait-single", "--way", "single", *WAITS),
        python("binning", "wait-threads", "--way", "threading", *WAITS, workers=10),
        python("binning", "wait-coroutines", "--way", "asyncio", *WAITS, workers=10),
        python("binning", "mixed-single", "--way", "single", *MIXED),
        python("binning", "mixed-threads", "--way", "threading", *MIXED, workers=10),
        python("binning", "mixed-coroutines", "--way", "asyncio", *MIXED, workers=10),
        python("binning", "mixed-processes", "--way", "multiprocessing", *MIXED, workers=cores),
        python("binning", "convoy-alone", *CONVOY),
        python("binning", "convoy", *CONVOY, "--beside", "1"),
        python("binning", "convoy-500us", *CONVOY, "--beside", "1", "--switch-interval", "500us"),
    ]  # fmt: skip


def updates():
    """Counters that several workers write."""
    return [
        python("update", f"{way}-{method}", "--way", way, "--method", method, *BRIEF, workers=2)
        for way, methods in UPDATES.items()
        for method in methods
    ]


def products(cores):
    """A library that is parallel itself, and the mistake of making it so twice."""
    found = []
    works = [("matmul", f"{size}-single", size, calls) for size, calls in PRODUCTS.items()]
    for kernel, name, size, calls in (*works, ("dot", "busy-single", *BUSY)):
        found += [python(kernel, name, "--size", size, "--iterations", calls, *BRIEF, *LOOKS,
                         "--blas-threads", str(blas), blas=blas)
                  for blas in dict.fromkeys((1, cores))]  # fmt: skip
    sent = ("--size", "1e6", *SHORT)
    found.append(python("dot", "1e6-single", *sent, "--blas-threads", "1"))
    found.append(python("dot", "1e6-sent", "--way", "processes", *sent, "--hand-over", workers=2))
    pair = ("--size", list(PRODUCTS)[-1], *SHORT)
    found.append(python("matmul", "threads", "--way", "threading", *pair, workers=2))
    for blas in dict.fromkeys((1, cores)):
        found.append(python("matmul", "processes", "--way", "processes", *pair, "--blas-threads",
                            str(blas), workers=2, blas=blas, control=2 * blas > cores))  # fmt: skip
    return found


def in_c(cores, lock):
    """The same in C: the lock, the table, the boxes; and what limits parallel work."""
    many = ("openmp", 1, cores)
    stands_for = (("role", "threads"),)
    lock_option = () if lock == "none" else ("--lock", lock)
    found = [
        Cell("serial", 1, 1, "binning", "", (*WINDOW, *BINNING)),
        Cell("openmp", 1, 2, "binning", f"lock-{lock}", (*WINDOW, *BINNING, *FREE, *lock_option),
             labels=stands_for, control=lock != "none"),
        *(Cell("openmp", 1, 2, "binning", f"lock-{interval}",
               (*bins, *TURN, *FREE, "--lock", f"gil:{interval}"))
          for interval, bins in TURNS.items()),
        Cell(*many, "binning", "", (*WINDOW, *BINNING)),
        Cell("mpi", cores, 1, "binning", "", (*WINDOW, *BINNING)),
        Cell(*many, "binning", "shared", (*WINDOW, *BINNING, "--storage", "shared")),
        Cell(*many, "binning", "coupled", (*BINNING, "--sync-every", "1")),
    ]  # fmt: skip
    for layout in (("serial", 1, 1), many):
        found += [
            Cell(*layout, "dot", size, ("--size", size, *SHORT)) for size in ("1000", "1000000")
        ]
        found.append(Cell(*layout, "matmul", "", ("--method", "partition", "--size", "1000", *SHORT)))
    found += [Cell("serial", 1, 1, "marshal", m, ("--method", m, *SHORT)) for m in IN_C]
    return found + [Cell("mpi", 2, 1, "marshal", m, ("--method", m, *SHORT)) for m in SENT]


def cells(asked, place):
    marshal = [python("marshal", method, "--method", method, *SHORT) for method in CELLS]
    return [*workers(asked.cores), *waits(asked.cores), *updates(), *products(asked.cores),
            *marshal, *in_c(asked.cores, asked.lock)]  # fmt: skip


def analyses(folder, asked):
    return [
        ("compare", [folder, "--across-kernels"]),
        ("claims", [folder, "--json", folder / "claims.json"]),
        work.page(folder, "--across-kernels"),
    ]
