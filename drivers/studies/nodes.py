"""nodes: which node is different from the others, and how?

Runs the same work on every node of a Slurm allocation, each alone, with all its cores under
openmp; then once more on the nodes that were suspected, with some healthy ones beside them:
what was a moment is not seen again. Four nodes take about four minutes; with --together as
many as there are nodes, a hundred take no longer.

look for
  verdict   bad: slower than its peers beyond what nodes of its kind do, twice. The reason in
            words, what the node costs, and the line that leaves it out (--exclude=...)
  no evidence   together with the smallest effect that would have been seen

it cannot say
  anything about the network: every node works for itself (ladder). On one machine there are
  no peers: it then tells how much one node differs from launch to launch. And do not use
  --together where nodes share more than a file system: they would disturb each other.

options of its own:
  --launches N    launches on every node; less than 5 are no evidence [5]
  --kernels LIST  some of: binning,dot,matmul,marshal [binning,dot,matmul]
  --dot SIZES     elements of the vectors [2e7]
  --matmul SIZES  rows of the matrices [1000]
  --marshal SIZES  boxed doubles of the list [1e6]
  --controls N    healthy nodes that are run again beside the suspected ones [3]
  --together N    nodes that are measured at the same time [1]
  --nodes N       nodes of the allocation to use (all)
"""

import random
from dataclasses import replace

from studies import work

LIMIT_S = 600
FIRST, SECOND = "first", "second"  # folders of the two stages


def cells(asked, place):
    way = [("openmp", 1, asked.cores)]
    return [
        cell
        for host in place.hosts[: asked.nodes]
        for cell in work.cells(asked, way, hosts=(host,), where=host, folder=FIRST,
                               labels=(("subset", "alone"),))
    ]  # fmt: skip


def following(asked, plans, ask):
    """Once more: what was suspected, and some that were not."""
    if len(plans) > 1:
        return []
    found = ask("nodes")
    suspected = set(found["suspected"]) | set(found["exclude"])
    if not suspected:
        return []
    healthy = sorted({cell.where for cell in plans[0].cells} - suspected)
    dice = random.Random(asked.seed)
    again = suspected | set(dice.sample(healthy, min(asked.controls, len(healthy))))
    return [replace(cell, folder=SECOND) for cell in plans[0].cells if cell.where in again]


def analyses(folder, asked):
    confirm = ["--confirm", folder / SECOND] if (folder / SECOND).is_dir() else []
    return [
        ("nodes", [folder / FIRST, *confirm, "--json", folder / "nodes.json"]),
        work.page(folder),
    ]
