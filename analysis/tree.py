"""Where the time of a run goes, as factors that multiply: POP's efficiency tree, without a tracer.

Pure functions on what the trace holds of every worker: time computing, waiting for all others, and
combining results. (POP: pop-coe.eu; hybrid, multiplicative, as TALP computes it: facts/method.md 3)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Shares, 0 to 1. parallel = threads x ranks x nodes x meeting x combining, exactly.

    threads  : balance of the threads in a rank (OpenMP load balance)
    ranks    : balance of the ranks in a node, nodes: of the nodes (together MPI's load balance)
    meeting  : what waiting for each other leaves to the worker that computes longest. Serialisation
               (who is slow changes from step to step) and the barrier's own cost: they cannot be
               told apart without an ideal network
    combining: what the combining of results leaves (transfer; with threads, theirs too)
    """

    parallel: float
    threads: float
    ranks: float
    nodes: float
    meeting: float
    combining: float

    @property
    def balance(self) -> float:
        return self.threads * self.ranks * self.nodes

    def parts(self, layout: str) -> tuple[float, float]:
        """(OpenMP's part, MPI's part); their product is parallel.

        hybrid: meetings and combining hold both, and are counted as MPI's: its part is a lower
        bound, OpenMP's an upper one.
        """
        if layout == "openmp":
            return self.parallel, 1.0
        if layout == "hybrid":
            return self.threads, self.parallel / self.threads
        return 1.0, self.parallel


UNKNOWN = Tree(*[math.nan] * 6)


def tree(compute: np.ndarray, wait: np.ndarray, wall: np.ndarray, rank: np.ndarray,
         node: np.ndarray) -> Tree:
    """compute, wait (repetition, worker), wall (repetition,), same unit; rank, node (worker,).

    Each level's cost is the mean over workers of the longest computing in their rank, their node,
    the job; medians over repetitions are taken of costs, before any division.
    """
    at = compute.argmax(axis=1)
    rows = np.arange(len(compute))
    longest = compute[rows, at]
    costs = [compute.mean(axis=1), _longest_of(compute, rank).mean(axis=1),
             _longest_of(compute, node).mean(axis=1), longest, longest + wait[rows, at], wall]
    a, b, c, d, e, f = (float(np.median(cost)) for cost in costs)
    if not min(a, d, f) > 0:
        return UNKNOWN
    e = min(e, f) if e < 1.01 * f else e
    return Tree(a / f, a / b, b / c, c / d, d / e, e / f)


def _longest_of(compute: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For every worker the longest computing in its group. (repetition, worker) -> the same."""
    names, index = np.unique(group, return_inverse=True)
    top = np.zeros((len(compute), len(names)))
    for row, out in zip(compute, top):
        np.maximum.at(out, index, row)
    return top[:, index]


def middle(trees: Sequence[Tree]) -> Tree:
    """Geometric mean over launches: the one middle that keeps the product exact."""
    known = [astuple(t) for t in trees if not math.isnan(t.parallel)]
    if not known:
        return UNKNOWN
    return Tree(*np.exp(np.mean(np.log(np.maximum(known, 1e-300)), axis=0)).tolist())


NAMES = tuple(field.name for field in fields(Tree))
