"""ladder: does it not scale, or is one node slow?

Inside one Slurm allocation of N nodes it runs the same work on each node alone and on 1, 2,
4 ... N of them: for each number, on disjoint subsets that together hold every node, the
first of them nested in the next larger one. All interleaved, host names in every trace. Then
time = scale + slowest node + residual is fitted: what the number of nodes costs, and what
the slowest node of a subset costs, come apart. Four nodes take about three minutes.

look for
  scale      efficiency as it were if all nodes were like the middle one
  node       an effect above the others; its subsets are slow at every number of nodes
  residual   what neither explains: the network between some nodes, or a neighbour

it cannot say
  why a node is slow (nodes). On one machine there is one node, and nothing to tell apart.
  With two nodes every subset of two holds both: scale and slowest node come from the runs
  alone.

options of its own:
  --launches N    launches on every subset [5]
  --kernels LIST  some of: dot,matmul,marshal [dot,matmul]
  --dot SIZES     elements: of each worker (weak) or in all (strong) [1e7]
  --matmul SIZES  rows: of each worker, or in all [700]
  --marshal SIZES  boxed doubles: of each worker, or in all [5e5]
  --scaling WORD  one of: weak,strong [weak]
  --layout WORD   one of: mpi,hybrid [mpi]
  --together N    subsets that are measured at the same time [1]
  --nodes N       nodes of the allocation to use (all)
"""

import random

from studies import work
from studies.design import doubling

LIMIT_S = 600


def subsets(hosts, seed):
    """(kind, name, hosts): every node alone; then for 2, 4 ... of them disjoint subsets, each
    made of two of the last ones where N allows it. The first of each size is nested."""
    order = random.Random(seed).sample(hosts, len(hosts))
    found = [("alone", host, (host,)) for host in order]
    for size in doubling(len(hosts))[1:]:
        for i in range(len(hosts) // size):
            kind = "disjoint" if i else "nested"
            name = f"n{size}-{kind}" + (f"{i}" if i else "")
            found.append((kind, name, tuple(order[i * size : (i + 1) * size])))
    return found


def cells(asked, place):
    each = {"mpi": (asked.cores, 1), "hybrid": (1, asked.cores)}[asked.layout]
    found = []
    for kind, name, hosts in subsets(place.hosts[: asked.nodes], asked.seed):
        way = (asked.layout, each[0] * len(hosts), each[1])
        found += work.cells(asked, [way], asked.scaling, nodes=len(hosts), hosts=hosts, where=name,
                            labels=(("subset", kind),))  # fmt: skip
    return found


def analyses(folder, asked):
    return [
        ("scaling", [folder, "--json", folder / "scaling.json"]),
        ("nodes", [folder]),
        work.page(folder),
    ]
