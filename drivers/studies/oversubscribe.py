"""oversubscribe: what does it cost to ask for more workers and library threads than cores?

Runs a matrix product that is already parallel inside (the library's threads) under several
ranks (mpi) and threads (openmp), from one worker to four times the cores, small and large
matrices. The mistake behind it: parallelising a program whose library uses every core. On
two cores about three minutes.

look for
  of best    the rate as a share of the best layout that fills the cores exactly
  verdict    holds: asking for more costs; undecided: its interval includes 1
  small n    the loss is larger where a call is short: threads that wait for a core then
             wait longer than they work

it cannot say
  that it is harmless where nothing is lost: with a neighbour on the cores, or a library
  whose threads spin without giving way (BLIS, MKL at some settings), the same mistake costs
  far more than it does with OpenBLAS. Inside OpenMP's threads the OpenMP flavour of
  OpenBLAS makes one thread, whatever it was asked for.

options of its own:
  --launches N    launches of every cell [5]
  --matmul SIZES  rows of the matrices [128,1024]
  --times COUNTS  how many times the cores to ask for [2,4]
"""

from studies import work
from studies.design import Cell, doubling

LIMIT_S = 300


def ways(cores, times):
    """(layout, ranks, threads, library threads): one, every way to fill the cores, and so
    many times as many in each of its factors. Each once."""
    found = {("mpi", 1, 1, 1): None}
    full = [(ranks, cores // ranks) for ranks in doubling(cores) if cores % ranks == 0]
    for more in (1, *times):
        for ranks, blas in full:
            found[("mpi", ranks * more, 1, blas)] = None
            found[("mpi", ranks, 1, blas * more)] = None
        found[("openmp", 1, cores * more, 1)] = None
    found[("openmp", 1, cores, cores)] = None
    return list(found)


def cells(asked, place):
    found = []
    for size in asked.matmul:
        options = ("--method", "partition", "--size", str(size), "--repeats", "5",
                   "--warmup", "100ms")  # fmt: skip
        variant = work.shorter(size)
        for layout, ranks, threads, blas in ways(asked.cores, asked.times):
            crowded = ranks * threads * blas > asked.cores
            found.append(Cell(layout, ranks, threads, "matmul", variant, options, blas=blas,
                              control=crowded))  # fmt: skip
    return found


def analyses(folder, asked):
    numbers = folder / "oversubscribe.json"
    return [
        ("oversubscribe", [folder, "--cores", asked.cores, "--json", numbers]),
        work.page(folder, "--allow-invalid"),
    ]
