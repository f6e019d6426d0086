"""weak: how long does it take if every worker brings its own work?

Runs 1, 2, 4 ... workers up to the cores under every layout, each with the same share of
work, and in a Slurm allocation all cores of 1, 2, 4 ... nodes (mpi; hybrid with one rank
to a node and with few ranks). On two cores about a minute and a half.

look for
  per core   1 is ideal: the time stays the same. What it falls by inside a node is mostly
             memory that cores share; over nodes, what waiting for each other costs
  parallel   what of that is waiting

it cannot say
  whether the same answer would be found sooner: the problem grows with the workers
  (strong). matmul grows in rows, C is (size x workers) by size.

options of its own:
  --launches N    launches of every cell; 10 and more for a result to publish [5]
  --kernels LIST  some of: dot,matmul,marshal [dot,matmul]
  --dot SIZES     elements for each worker [1e7]
  --matmul SIZES  rows for each worker, and columns [700]
  --marshal SIZES  boxed doubles for each worker [5e5]
  --nodes COUNTS  numbers of nodes to run on (1, 2, 4 ... all of the allocation)
"""

from studies import scaling

LIMIT_S = 600


def cells(asked, place):
    return scaling.cells(asked, "weak")


def analyses(folder, asked):
    return scaling.analyses(folder)
