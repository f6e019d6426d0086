"""layouts: which split of the same cores into ranks and threads is the fastest?

Runs each kernel under serial and under every split of the cores: one process with C
threads (openmp), R ranks with C/R threads each for every R that divides C (hybrid), and
C ranks (mpi); hybrid with one rank shows what MPI costs a threaded program. Over several
nodes of an allocation (--nodes) a split is that of each node, and openmp stays on one.
On two cores, with what is usual: about a minute and a half.

look for
  interval   two splits whose speed-up intervals overlap are not told apart: more --launches
  balance    fewer workers for each rank even out what threads share
  comm       what ranks pay for talking; it is the price of splits with many ranks

it cannot say
  which split another program wants: its memory, its messages and its serial parts differ.
  It pins every worker; a job that does not pin may do worse under the same split.

options of its own:
  --launches N    launches of every cell; 10 and more for a result to publish [5]
  --kernels LIST  some of: binning,dot,matmul,marshal [binning,dot,matmul]
  --dot SIZES     elements of the vectors [2e7]
  --matmul SIZES  rows of the matrices another method: -- --method summa [1000]
  --marshal SIZES  boxed doubles of the list [1e6]
  --nodes N       nodes of the allocation to use (all)
"""

from studies import work
from studies.design import splits

LIMIT_S = 600


def cells(asked, place):
    found = work.cells(asked, splits(asked.cores))
    if asked.nodes > 1:
        wide = [(layout, ranks * asked.nodes, threads) for layout, ranks, threads
                in splits(asked.cores) if layout in ("hybrid", "mpi")]  # fmt: skip
        found += work.cells(asked, wide, nodes=asked.nodes)
    return found


def analyses(folder, asked):
    return work.report(folder)
