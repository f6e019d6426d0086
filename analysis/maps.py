"""Which runs a report shows as maps of work over time, and their bins brought to one axis.

Reads the bins of the launches that it chose, a block of workers at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import fleet
import grids
import heat
import stats
import survey
from cells import Cell, Group, Launch
from heat import Heat
from traces import Trace

LANES = 24  # rows of one layout among several


@dataclass(frozen=True)
class Map:
    """rows: (row,) names; hosts, numbers: (worker,) of each, the number in its own run

    millis: of the axis
    alone : each node ran alone, at a moment of its own
    known : ns by which an instant of two nodes may be wrong; 0: one node, inf: not compared
    """

    title: str
    heat: Heat
    rows: Sequence[str]
    hosts: Sequence[str]
    numbers: np.ndarray
    millis: float
    alone: bool
    known: float

    @property
    def row_hosts(self) -> list[str]:
        """(row,) the host of each row; "" where it holds several."""
        there: list[set] = [set() for _ in self.rows]
        for row, host in zip(self.heat.row.tolist(), self.hosts):
            there[row].add(host)
        return [one.pop() if len(one) == 1 else "" for one in there]


@dataclass(frozen=True)
class Lane:
    """One layout: share (row, column) of each worker's own best bin, 0..1; millis: of the time."""

    title: str
    share: np.ndarray
    millis: float


@dataclass(frozen=True)
class Source:
    """One repetition of one launch. where: see heat.heat; known: see Map."""

    trace: Trace
    repetition: int
    where: np.ndarray
    nodes: np.ndarray
    known: float

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for _, first, counts in self.trace.blocks("counts", self.repetition):
            yield counts, self.where[:, first:first + len(counts)]


def maps(groups: Sequence[Group]) -> list[Map]:
    """Of each work with bins: the largest run, and the nodes that ran alone side by side."""
    found = []
    for group in groups:
        timed = [cell for cell in group.cells if cell.used[0].trace.bins]
        largest = max(timed, key=lambda c: (c.valid, c.cores), default=None)
        for cell in timed:
            if several(cell):
                found.append(of(group, cell, [middle(mine) for mine in by_host(cell)]))
            elif cell is largest:
                found.append(of(group, cell, [middle(cell.used)]))
    return found


def lanes(group: Group) -> list[Lane]:
    """Every layout of one work, each by its own best rate: who worked when?"""
    return [lane(cell) for cell in group.cells if cell.used[0].trace.bins]


def lane(cell: Cell) -> Lane:
    launch = middle(cell.used)
    trace, rep = launch.trace, repetition(launch)
    rows = []
    for _, _, counts in trace.blocks("counts", rep):
        best = np.maximum(stats.best_counts(counts), 1)[:, None]
        rows.append(heat.pooled(np.minimum(counts / best, 1).T, heat.COLUMNS).T)
    return Lane(cell.name + ("" if cell.valid else ", INVALID"),
                heat.pooled(np.vstack(rows), LANES),
                trace.nbins * (trace.number("bin_width_ns") or 1) * 1e-6)


def by_host(cell: Cell) -> list[list[Launch]]:
    """Launches of each node, where every launch had one node; else one list of all."""
    hosts: dict[str, list[Launch]] = {}
    for launch in cell.used:
        if len(launch.trace.hostnames) != 1:
            return [list(cell.used)]
        hosts.setdefault(launch.trace.hostnames[0], []).append(launch)
    return [hosts[host] for host in sorted(hosts, key=fleet.natural)]


def several(cell: Cell) -> bool:
    return len(by_host(cell)) > 1


def repetition(launch: Launch) -> int:
    """The middle one by its rate."""
    return int(np.argsort(launch.rates)[len(launch.rates) // 2])


def middle(those: Sequence[Launch]) -> Launch:
    return sorted(those, key=lambda launch: launch.rate)[len(those) // 2]


def of(group: Group, cell: Cell, launches: Sequence[Launch]) -> Map:
    """The middle repetition of each launch, one below the other."""
    sources = [source(launch) for launch in launches]
    nodes = np.concatenate([i * 2**20 + one.nodes for i, one in enumerate(sources)])
    span = max(float((one.where[0] + one.trace.nbins * one.where[1]).max()) for one in sources)
    made = heat.heat((block for one in sources for block in one.blocks()), nodes, span)
    hosts = [name for one in sources for name in host_names(one)]
    numbers = np.concatenate([np.arange(len(one.nodes)) for one in sources])
    width = launches[0].trace.number("bin_width_ns") or 1
    return Map(f"{group.title}: {cell.name}" + ("" if cell.valid else ", INVALID"), made,
               heat.names(made, hosts, numbers), hosts, numbers, span * width * 1e-6,
               len(sources) > 1, max(one.known for one in sources))


def source(launch: Launch) -> Source:
    trace = launch.trace
    nodes = survey.column(trace, "node_index", 0)
    width = float(trace.number("bin_width_ns") or 1)
    axis = survey.common_axis(trace, width * trace.nbins)
    rep = repetition(launch)
    known = 0.0 if len(set(nodes.tolist())) < 2 else grids.pair(axis)
    return Source(trace, rep, grids.lines(axis, rep, nodes, width), nodes, known)


def host_names(one: Source) -> list[str]:
    names = one.trace.hostnames
    return [names[node] if node < len(names) else f"node {node}" for node in one.nodes.tolist()]
