"""Measures every node of a development cluster alone, turn by turn, as drivers/study nodes does."""

import random

import fleet
import kit
import traces

ALIKE = "slow=0.01%@node0"  # the same loop as that of a slowed node (inject.h), and no fault
SHORT = {"binning": ("--bins", 300), "dot": ("--size", "1e6")}


def study(cluster, folder, rounds, faults=None, kernels=("binning",)):
    """Visits of all nodes in every round, in random order. faults: node -> --inject.

    One process at a time, in a session of its own, as those of jobs are (see cluster slow).
    """
    folder.mkdir()
    dice = random.Random(str(folder))
    for turn in range(rounds):
        for node in dice.sample(range(1, cluster.nodes + 1), cluster.nodes):
            for kernel in kernels:
                host = f"node{node}"
                done = cluster.run(
                    host, "setsid", "--fork", "--wait", kit.program("serial"), kernel,
                    *SHORT[kernel], "--repeats", 3, "--warmup", "120ms", "--inject",
                    (faults or {}).get(host, ALIKE), "--allow-invalid", "--quiet",
                    "-o", folder / f"{kernel}-{host}-{turn}.h5")  # fmt: skip
                assert not done.stderr, done.stderr
    bad = []
    seen = fleet.visits(traces.each([str(folder)], bad), bad)
    assert not bad and len(seen) == rounds * cluster.nodes * len(kernels)
    return seen


def accused(found):
    """host -> measures that speak against it, of a verdict."""
    return {node.host: {(e.kernel, e.name) for e in node.effects if e.flagged}
            for node in found.nodes if any(e.flagged for e in node.effects)}
