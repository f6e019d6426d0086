"""What is to be run: cells, launches and their order. Pure: it starts nothing.

A cell is one way of running one kernel. A launch is one start of it and the
replicate of the study: neither the repetitions inside nor the bins are.
"""

import json
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path

PLAN = "plan.json"
VERSION = 1


@dataclass(frozen=True)
class Cell:
    """layout, ranks x threads: the way. kernel, variant, options: the work."""

    layout: str
    ranks: int
    threads: int
    kernel: str
    variant: str = ""  # tells cells of one kernel apart: "library", "partition"
    options: tuple = ()

    @property
    def work(self):
        return "-".join(filter(None, (self.kernel, self.variant)))

    @property
    def name(self):
        return f"{self.work}-{self.layout}-{self.ranks}x{self.threads}"


@dataclass(frozen=True)
class Launch:
    cell: Cell
    number: int  # 1 .. launches, within the cell

    @property
    def name(self):
        return f"{self.cell.name}-{self.number}"


@dataclass(frozen=True)
class Plan:
    study: str
    seed: int
    launches: int  # of every cell
    cores: int  # that the layouts use
    machine: int  # cores that there were to use
    kernels: tuple
    cells: tuple
    order: tuple  # Launch

    @property
    def question(self):
        """What a command line can ask for; the rest follows from that and the machine."""
        return {
            "seed": self.seed,
            "launches": self.launches,
            "cores": self.cores,
            "kernels": self.kernels,
        }


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


def order(cells, launches, seed):
    """Every cell once, in random order, then every cell again, in another.

    A slow minute of the machine so falls on one launch of many cells instead of
    all launches of one (randomised complete blocks).
    """
    dice = random.Random(seed)
    rounds = (dice.sample(cells, len(cells)) for _ in range(launches))
    return tuple(
        Launch(cell, number) for number, cells in enumerate(rounds, 1) for cell in cells
    )


def plan(study, cells, *, launches, seed, cores, machine, kernels):
    cells = tuple(cells)
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names), "two cells of one name would share a trace"
    turns = order(cells, launches, seed)
    return Plan(study, seed, launches, cores, machine, tuple(kernels), cells, turns)


def write(plan, folder):
    """Once, and whole: a plan that exists is never changed."""
    folder = Path(folder)
    text = json.dumps(
        {
            "version": VERSION,
            "study": plan.study,
            **plan.question,
            "machine": plan.machine,
            "cells": [{"name": cell.name, **asdict(cell)} for cell in plan.cells],
            "order": [[launch.cell.name, launch.number] for launch in plan.order],
        },
        indent=1,
    )
    if (folder / PLAN).exists():
        raise FileExistsError(folder / PLAN)
    part = folder / f"{PLAN}.part"
    part.write_text(text + "\n")
    os.replace(part, folder / PLAN)


def read(folder):
    """Raises ValueError, with a reason, for what is not a plan of this version."""
    try:
        text = json.loads((Path(folder) / PLAN).read_text())
        if text["version"] != VERSION:
            raise ValueError(f"version {text['version']} instead of {VERSION}")
        cells = {}
        for row in text["cells"]:
            name = row.pop("name")
            cells[name] = Cell(**dict(row, options=tuple(row["options"])))
        return Plan(
            text["study"],
            text["seed"],
            text["launches"],
            text["cores"],
            text["machine"],
            tuple(text["kernels"]),
            tuple(cells.values()),
            tuple(Launch(cells[name], number) for name, number in text["order"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder}/{PLAN} is no plan: {error!r}") from error


def missing(plan, done):
    """The launches still to run, in the plan's order. done: names of launches."""
    return tuple(launch for launch in plan.order if launch.name not in done)
