"""strong: how much faster does the same work get on more workers?

Runs one problem with 1, 2, 4 ... workers up to the cores, under every layout, and in a
Slurm allocation on all cores of 1, 2, 4 ... nodes (mpi; hybrid with one rank to a node
and with few ranks). On two cores about a minute and a half.

look for
  per core   falls as workers are added: from where on does a core no longer pay?
  parallel   falls with it: workers wait. It stays while per core falls: cores slow each
             other down, by memory or by power
  1x1        openmp, mpi and hybrid with one worker beside serial: what a layout costs
             before it gains

it cannot say
  what lies beyond the largest run: no model is asked to here, scaling.py says when one may
  be. A knee at a socket or a node is another regime, not a trend.

options of its own:
  --launches N    launches of every cell; 10 and more for a result to publish [5]
  --kernels LIST  some of: dot,matmul,marshal [dot,matmul]
  --dot SIZES     elements of the vectors [2e7]
  --matmul SIZES  rows of the matrices [1000]
  --marshal SIZES  boxed doubles of the list [1e6]
  --nodes COUNTS  numbers of nodes to run on (1, 2, 4 ... all of the allocation)
"""

from studies import scaling

LIMIT_S = 600


def cells(asked, place):
    return scaling.cells(asked, "strong")


def analyses(folder, asked):
    return scaling.analyses(folder)
