"""What is to be run: cells, launches and their order. Pure: it starts nothing.

A cell is one way of running one kernel. A launch is one start of it and the
replicate of the study: neither the repetitions inside nor the bins are.

A study whose next question depends on its answers goes on in stages; each is a plan
of its own, in a file of its own, that never changes.
"""

import json
import os
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

PLAN = "plan.json"
SETTLED = "settled"  # written when the results ask for no stage more: the number of stages
VERSION = 2


@dataclass(frozen=True)
class Cell:
    """layout, ranks x threads: the way. kernel, variant, options: the work."""

    layout: str
    ranks: int  # on all nodes together
    threads: int
    kernel: str
    variant: str = ""  # tells cells of one kernel apart: "library", "partition"
    options: tuple = ()
    blas: int = 1  # library threads of each worker
    nodes: int = 1
    hosts: tuple = ()  # names, where it matters which nodes
    where: str = ""  # tells cells on different hosts apart
    environment: tuple = ()  # (name, value) that the driver shall see
    labels: tuple = ()  # (key, value) more for the trace
    control: bool = False  # it is run to be found INVALID
    cpus: int = 0  # bound to so many of the cores; 0: to all
    folder: str = ""  # of its traces, inside the study's

    @property
    def work(self):
        return "-".join(filter(None, (self.kernel, self.variant)))

    @property
    def workers(self):
        return f"{self.ranks}x{self.threads}" + (f"x{self.blas}" if self.blas > 1 else "")

    @property
    def name(self):
        where = self.where or (f"n{self.nodes}" if self.nodes > 1 else "")
        return "-".join(filter(None, (self.work, self.layout, self.workers, where)))

    @property
    def per_node(self):
        """Threads that can compute at once on each node."""
        return -(-self.ranks // self.nodes) * self.threads * self.blas


@dataclass(frozen=True)
class Launch:
    cell: Cell
    number: int  # 1, 2 ... within the cell, over all stages

    @property
    def name(self):
        return f"{self.cell.name}-{self.number}"


@dataclass(frozen=True)
class Place:
    """Where a study may run."""

    cores: int  # of each node
    hosts: tuple  # names of the nodes


@dataclass(frozen=True)
class Plan:
    """asked: option -> value, the whole question; the rest follows from that and the place."""

    study: str
    asked: dict
    place: Place
    cells: tuple
    order: tuple  # Launch
    stage: int = 1


def layouts(cores):
    """(layout, ranks, threads) of the four layouts on so many cores.

    hybrid: as few ranks as share the cores evenly, two threads each at the least;
    where there is no such split, one rank with all of them.
    """
    ranks = next((n for n in range(2, cores // 2 + 1) if cores % n == 0), 1)
    return (
        ("serial", 1, 1),
        ("openmp", 1, cores),
        ("mpi", cores, 1),
        ("hybrid", ranks, cores // ranks),
    )


def splits(cores):
    """(layout, ranks, threads) of every split of so many cores, serial first."""
    some = [r for r in range(1, cores) if cores % r == 0]
    return (
        ("serial", 1, 1),
        ("openmp", 1, cores),
        *(("hybrid", ranks, cores // ranks) for ranks in some),
        ("mpi", cores, 1),
    )


def doubling(most):
    """1, 2, 4 ... and `most` itself."""
    counts = []
    while not counts or counts[-1] * 2 < most:
        counts.append(counts[-1] * 2 if counts else 1)
    return tuple(dict.fromkeys((*counts, most)))


def order(cells, launches, seed, before=()):
    """Every cell once, in random order, then every cell again, in another.

    A slow minute of the machine so falls on one launch of many cells instead of
    all launches of one (randomised complete blocks). before: launches of earlier
    stages; a cell that comes again is counted on.
    """
    dice = random.Random(seed)
    had = {}
    for launch in before:
        had[launch.cell.name] = max(launch.number, had.get(launch.cell.name, 0))
    rounds = (dice.sample(cells, len(cells)) for _ in range(launches))
    return tuple(
        Launch(cell, number + had.get(cell.name, 0))
        for number, cells in enumerate(rounds, 1)
        for cell in cells
    )


def plan(study, asked, place, cells):
    """The first stage. asked has launches, seed and more: words for every driver."""
    cells = tuple(replace(c, options=(*c.options, *asked["more"])) for c in cells)
    check_names(cells)
    turns = order(cells, asked["launches"], asked["seed"])
    return Plan(study, dict(asked), place, cells, turns)


def next_stage(plans, cells):
    """The stage after `plans`. Its order follows from the same seed."""
    first, stage = plans[0], len(plans) + 1
    cells = tuple(replace(c, options=(*c.options, *first.asked["more"])) for c in cells)
    check_names(cells)
    before = [launch for plan in plans for launch in plan.order]
    turns = order(cells, first.asked["launches"], f"{first.asked['seed']}-{stage}", before)
    return replace(first, cells=cells, order=turns, stage=stage)


def check_names(cells):
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names), "two cells of one name would share a trace"


def file_of(folder, stage):
    return Path(folder) / (PLAN if stage == 1 else f"plan-{stage}.json")


def write(plan, folder):
    """Once, and whole: a plan that exists is never changed."""
    path = file_of(folder, plan.stage)
    text = json.dumps(
        {
            "version": VERSION,
            "study": plan.study,
            "stage": plan.stage,
            "asked": plan.asked,
            "place": asdict(plan.place),
            "cells": [{"name": cell.name, **asdict(cell)} for cell in plan.cells],
            "order": [[launch.cell.name, launch.number] for launch in plan.order],
        },
        indent=1,
    )
    if path.exists():
        raise FileExistsError(path)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text + "\n")
    os.replace(part, path)


def read(folder, stage=1):
    """One stage. Raises ValueError, with a reason, for what is not a plan of this version."""
    path = file_of(folder, stage)
    try:
        text = json.loads(path.read_text())
        if text["version"] != VERSION:
            raise ValueError(f"version {text['version']} instead of {VERSION}")
        cells = {}
        for row in text["cells"]:
            name = row.pop("name")
            cells[name] = Cell(**{key: frozen(value) for key, value in row.items()})
        return Plan(
            text["study"],
            {key: frozen(value) for key, value in text["asked"].items()},
            Place(text["place"]["cores"], tuple(text["place"]["hosts"])),
            tuple(cells.values()),
            tuple(Launch(cells[name], number) for name, number in text["order"]),
            text["stage"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no plan: {error!r}") from error


def read_all(folder):
    """Every stage there is, the first one first."""
    plans = [read(folder)]
    while file_of(folder, len(plans) + 1).exists():
        plans.append(read(folder, len(plans) + 1))
    return plans


def settle(plans, folder):
    """Notes that no stage follows these, of which everything has run."""
    (Path(folder) / SETTLED).write_text(f"{len(plans)}\n")


def is_settled(plans, folder):
    try:
        return (Path(folder) / SETTLED).read_text() == f"{len(plans)}\n"
    except OSError:
        return False


def frozen(value):
    """JSON's lists as the tuples that they were."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def batches(launches, most):
    """Launches that may run side by side, at most so many: of one round, on nodes that they name
    and do not share. most: 1 is one after the other."""
    left = list(launches)
    while left:
        batch, busy = [left.pop(0)], set()
        busy.update(batch[0].cell.hosts)
        if busy:
            for launch in list(left):
                if len(batch) == most or launch.number != batch[0].number:
                    break
                hosts = launch.cell.hosts
                if hosts and busy.isdisjoint(hosts):
                    left.remove(launch)
                    batch.append(launch)
                    busy.update(hosts)
        yield batch


def missing(plan, done):
    """The launches still to run, in the plan's order. done: names of launches."""
    return tuple(launch for launch in plan.order if launch.name not in done)
