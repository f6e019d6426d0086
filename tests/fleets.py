"""Studies of several nodes with one that is different, as the report has to show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import noisy
from synthetic import Run, write

BINS = 400


def together(folder: Path, nodes: int = 4, each: int = 2, launches: int = 3, slow: int = 1,
             names=None) -> Path:
    """Runs of the kernel binning over all nodes on one axis. Worker 0 of node `slow` is 10 %
    slower, and all of them stop for 1 ms in the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    for launch in range(launches):
        dice = np.random.default_rng(launch)
        counts = 5000 * (1 + 0.01 * dice.standard_normal((2, nodes * each, BINS)))
        counts[:, slow * each] *= 0.9
        counts[:, :, BINS // 2 - 10:BINS // 2 + 10] = 0
        path = write(folder / f"together-{launch}.h5", Run(
            kernel="binning", layout="hybrid", ranks=nodes, threads=each, repetitions=2,
            bins=BINS, counts=counts, begin=launch, hostnames=named(nodes, names)))
        noisy.tie(path, nodes=nodes)
    return folder


def alone(folder: Path, nodes: int = 4, rounds: int = 5, slow: int = 1, factor: float = 0.9,
          names=None) -> Path:
    """Every node alone with the same dot product, which is slower on one of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for turn in range(rounds):
        for node, name in enumerate(named(nodes, names)):
            write(folder / f"alone-{node}-{turn}.h5", Run(
                layout="mpi", ranks=2, rate=1e8 * (factor if node == slow else 1), noise=0.003,
                launch_noise=0.003, repetitions=3, begin=100 * turn + node, hostnames=(name,),
                seed=100 * turn + node))
    return folder


def ladder(folder: Path, launches: int = 5, slow: int = 1, factor: float = 0.9,
           names=None) -> Path:
    """The same product on two halves of four nodes and on all; they wait for the slow one."""
    folder.mkdir(parents=True, exist_ok=True)
    hosts = named(4, names)
    for turn in range(launches):
        for at, subset in enumerate((hosts[:2], hosts[2:], hosts)):
            pace = factor if hosts[slow] in subset else 1
            write(folder / f"ladder-{at}-{turn}.h5", Run(
                layout="mpi", ranks=2 * len(subset), rate=0.95e8 * pace, noise=0.003,
                launch_noise=0.003, repetitions=3, begin=100 * turn + 50 + at, compute=0.95,
                hostnames=subset, seed=1000 + 10 * turn + at))
    return folder


def named(nodes: int, names) -> tuple:
    return tuple((names or [f"node{i + 1}" for i in range(nodes)])[:nodes])
