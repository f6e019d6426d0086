"""quick: how much does each layout gain on this machine?

Runs serial, openmp, mpi and hybrid on all cores, with every kernel: five launches each
are about two minutes on two cores. Sizes are a compromise: large enough that a layout
shows, small enough that it stays quick.

look for
  speed-up   near the number of cores where work is bound by computing (matmul); dot is
             bound by memory and gains as much as memory allows
  parallel   below 1: what waiting, uneven load and interruptions took
  INVALID    two workers on one core, for one: that comparison is not made

it cannot say
  what another size would give (layouts, breakeven), how it goes on over more cores and
  nodes (strong, weak), or whether this is a good node (nodes)

options of its own:
  --launches N    launches of every cell; 10 and more for a result to publish [5]
  --kernels LIST  some of: binning,dot,matmul [all]
"""

from studies import work
from studies.design import Cell, layouts

WORK = {  # kernel -> (variant, options) of its cells
    "binning": [("", ("--bins", "1000", "--width", "50us", "--repeats", "10"))],
    "dot": [("", ("--size", "2e7", "--repeats", "10"))],  # 320 MB: beyond any cache
    "matmul": [
        (method, ("--method", method, "--size", "1000", "--repeats", "10"))
        for method in ("library", "partition")
    ],
}

LIMIT_S = 120  # a launch takes about one second; beyond this it hangs


def cells(asked, place):
    return [
        Cell(layout, ranks, threads, kernel, variant, options)
        for kernel in asked.kernels
        for variant, options in WORK[kernel]
        for layout, ranks, threads in layouts(asked.cores)
    ]


def analyses(folder, asked):
    """Commands that show what came out: script and arguments."""
    return work.report(folder)
