"""coupling: how much work must lie between two barriers?

Runs the work counter with a barrier after every K microseconds, K from 1 to never, under
every layout on all cores and, with twice as many workers as there are cores, under openmp
and mpi. On two cores about four minutes.

look for
  10 % lost   the grain below which a program of this layout wastes a tenth of its time:
              put more work between two synchronisations, or use fewer workers
  half lost   below it, half of the workers would do as well
  2x          more workers than cores: whoever waits must give way first, and a barrier
              costs a turn of the scheduler. Marked INVALID, as such a job should be

it cannot say
  what messages cost: a barrier carries nothing. What a barrier costs on other numbers of
  workers: it grows with them. And it knows full barriers only; waiting for a neighbour is
  cheaper. --wait passive changes openmp's answer a hundredfold; MPI's it does not touch.

options of its own:
  --launches N    launches of every cell; 6 give an exact interval [6]
  --layouts LIST  some of: openmp,mpi,hybrid [all]
  --every TIMES   intervals, in microseconds
                  [1us,3us,10us,30us,100us,300us,1ms,3ms,10ms]
  --wait WORD     OMP_WAIT_POLICY, one of: default,active,passive [default]
"""

from studies import work
from studies.design import Cell, layouts

LIMIT_S = 120
WINDOW_US = 50_000
BASE = ("--bins", str(WINDOW_US), "--width", "1us", "--repeats", "3", "--warmup", "50ms")


def ways(cores):
    """(layout, ranks, threads, are there more workers than cores?)"""
    fit = [(*way, False) for way in layouts(cores)[1:]]
    return [*fit, ("openmp", 1, 2 * cores, True), ("mpi", 2 * cores, 1, True)]


def cells(asked, place):
    if any(every % 1000 or not 1000 <= every < WINDOW_US * 1000 for every in asked.every):
        raise ValueError(f"--every: whole microseconds, less than {WINDOW_US // 1000}ms")
    policy = () if asked.wait == "default" else (("OMP_WAIT_POLICY", asked.wait),)
    grains = [(f"{every // 1000}us", every // 1000) for every in asked.every]
    return [
        Cell(layout, ranks, threads, "binning", name, (*BASE, "--sync-every", str(bins)),
             environment=policy, control=crowded)
        for layout, ranks, threads, crowded in ways(asked.cores)
        if layout in asked.layouts
        for name, bins in [*grains, ("never", WINDOW_US)]
    ]  # fmt: skip


def analyses(folder, asked):
    return [("coupling", [folder, "--json", folder / "coupling.json"]), work.page(folder)]
