"""What strong and weak have in common: workers, then nodes."""

from studies import work
from studies.design import doubling, layouts


def ways(workers):
    """Layouts with so many workers on one node; with one worker, each with its own cost."""
    found = layouts(workers)
    return found if workers == 1 else found[1:]  # serial is always one


def node_ways(cores, nodes):
    """Layouts over whole nodes: ranks everywhere, one rank to a node, few ranks."""
    _, _, mpi, hybrid = layouts(cores)
    found = {mpi: None, hybrid: None, ("hybrid", 1, cores): None}
    return [(layout, ranks * nodes, threads) for layout, ranks, threads in found
            if threads > 1 or layout == "mpi"]  # fmt: skip


def cells(asked, scaling):
    found = []
    for nodes in asked.nodes:
        if nodes > 1:
            found += work.cells(asked, node_ways(asked.cores, nodes), scaling, nodes=nodes)
            continue
        for workers in doubling(asked.cores):
            found += work.cells(asked, ways(workers), scaling)
    return found


def analyses(folder):
    return [*work.report(folder), ("scaling", [folder])]
