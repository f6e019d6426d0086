"""Measures every node of a development cluster alone, turn by turn, as drivers/study nodes does."""

import random

import fleet
import kit
import traces

ALIKE = "slow=0.01%@node0"  # the same loop as that of a slowed node (inject.h), and no fault
SHORT = {"binning": ("--bins", 300), "dot": ("--size", "1e6")}


def study(cluster, folder, rounds, faults=None, kernels=("binning",), threads=None):
    """Visits of all nodes in every round, in random order. faults: node -> --inject; threads: of
    the openmp driver (serial).

    One process at a time, in a session of its own, as those of jobs are (see cluster slow).
    """
    folder.mkdir()
    dice = random.Random(str(folder))
    for turn in range(rounds):
        for node in dice.sample(range(1, cluster.nodes + 1), cluster.nodes):
            for kernel in kernels:
                host = f"node{node}"
                done = cluster.run(
                    host, "setsid", "--fork", "--wait",
                    *kit.command("openmp" if threads else "serial", kernel, threads=threads),
                    *SHORT[kernel], "--repeats", 3, "--warmup", "120ms", "--inject",
                    (faults or {}).get(host, ALIKE), "--allow-invalid", "--quiet",
                    "-o", folder / f"{kernel}-{host}-{turn}.h5")  # fmt: skip
                assert not done.stderr, done.stderr
    return visits(folder, rounds * cluster.nodes * len(kernels))


def together(cluster, folder, rounds, fault=""):
    """Visits of all nodes in runs over all of them, some seconds each, with several knots."""
    folder.mkdir()
    for turn in range(rounds):
        done = cluster.run(
            "ctl", "srun", "--mpi=pmix", "-K", f"-N{cluster.nodes}", f"-n{cluster.nodes}",
            "--cpu-bind=none", kit.program("mpi"), "binning", "--bins", 400, "--warmup", "1ms",
            "--repeats", "1e6", "--max-time", "8s", *(["--inject", fault] if fault else []),
            "--allow-invalid", "--quiet", "-o", folder / f"all-{turn}.h5")  # fmt: skip
        assert done.returncode == 0, done.stderr
    return visits(folder, rounds * cluster.nodes)


def visits(folder, number):
    bad = []
    seen = fleet.visits(traces.each([str(folder)], bad), bad)
    assert not bad and len(seen) == number
    return seen


def accused(found):
    """host -> measures that speak against it, of a verdict."""
    return {node.host: {(e.kernel, e.name) for e in node.effects if e.flagged}
            for node in found.nodes if any(e.flagged for e in node.effects)}
