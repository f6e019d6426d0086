"""Bins of several nodes on one axis. Pure functions.

Each node counts in bins of its own clock, from one instant that all agreed on. No knot is tied
inside a repetition, so bins that are even by the node's clock are even by node 0's too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import timeline


GAP_NS = 10**12  # longer than a repetition


@dataclass(frozen=True)
class Grid:
    """Bins of one node. Edge k of a repetition is at first + k * step on the common axis.

    first : (repetition,) int64 ns of node 0; step: (repetition,) ns, a bin of the node's clock
    r     : what these times may be wrong by, ns; inf: not known for all of them
    """

    first: np.ndarray
    step: np.ndarray
    r: float


def grids(cords: Sequence[timeline.Cord], origin: np.ndarray, whole: int, bins: int) -> list[Grid]:
    """Each node's. origin (repetition, node): left edge of bin 0, own ns; whole: ns of all bins."""
    found = []
    for cord, begin in zip(cords, origin.T):
        end = begin + whole
        first, last = (timeline.root_ns(cord, t) for t in (begin, end))
        r = timeline.resolution(cord, np.concatenate([begin, end])).max()
        found.append(Grid(first, (last - first) / bins, float(r)))
    return found


def chain(parts: Sequence[Sequence[Grid]]) -> list[Grid]:
    """Grids of the segments of a launch as one grid for each node; it errs as the worst of them.

    Each segment has an axis of its own. They are laid end to end, GAP_NS between, so that no
    instant of one meets an instant of another.
    """
    laid: list[list[Grid]] = []
    end: int | None = None
    for nodes in parts:
        shift = 0 if end is None else end + GAP_NS - min(int(g.first.min()) for g in nodes)
        laid.append([Grid(g.first + shift, g.step, g.r) for g in nodes])
        end = max(int(g.first.max()) for g in laid[-1])
    return [Grid(np.concatenate([g.first for g in node]), np.concatenate([g.step for g in node]),
                 max(g.r for g in node)) for node in zip(*laid)]


def pair(axis: Sequence[Grid]) -> float:
    """r of two nodes against each other, for those that are known worst; inf: no axis."""
    return timeline.pair([grid.r for grid in axis]) if axis else math.inf


def lines(axis: Sequence[Grid], rep: int, nodes: np.ndarray, width: float) -> np.ndarray:
    """(2, worker): edge k of a worker is at row 0 + k * row 1, in bins of `width` ns since the
    first edge of all. nodes (worker,); no axis: one node, whose bins are the common ones."""
    if not axis:
        return np.stack([np.zeros(len(nodes)), np.ones(len(nodes))])
    origin = min(int(grid.first[rep]) for grid in axis)
    mine = np.unique(nodes, return_inverse=True)[1]
    each = np.array([[(int(grid.first[rep]) - origin) / width, grid.step[rep] / width]
                     for grid in axis])
    return each[mine].T
