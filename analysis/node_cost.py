"""What slow nodes cost a job, and what leaving them out would gain. Pure.

A program whose nodes wait for each other runs at the pace of the slowest: N nodes are worth
N x min. One whose nodes take work as they go is worth the sum. Leaving a node out gains pace and
loses a node, so often only a replacement pays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import peers

DRAWS = 1000
SEED = 20250131


@dataclass(frozen=True)
class Cost:
    """Rates of the whole job on all nodes with the slow ones replaced, and on the others only;

    each over the rate on all nodes as they are, so 1.05 is 5 % faster. nodes: all, slow: of them.
    low, high : of coupled_replaced, 95 %, bootstrap over rounds; nan: fewer than 3
    """

    title: str
    nodes: int
    slow: int
    coupled_replaced: float
    low: float
    high: float
    coupled_without: float
    summed_replaced: float
    summed_without: float


def cost(title: str, x: np.ndarray, slow: Sequence[bool]) -> Cost | None:
    """x (node, round) log of what each node delivers; slow (node,). None if that leaves nobody."""
    is_slow = np.asarray(slow, bool)
    if not is_slow.any() or is_slow.all():
        return None
    worth = np.exp(peers.row_medians(peers.centred(x)))
    known = ~np.isnan(worth)
    if not (known & is_slow).any() or not (known & ~is_slow).any():
        return None
    rest, share = worth[known & ~is_slow], (known & ~is_slow).sum() / known.sum()
    replaced = rest.min() / worth[known].min()
    summed = rest.mean() / worth[known].mean()
    low, high = _bounds(x[known], is_slow[known])
    return Cost(title, int(known.sum()), int((known & is_slow).sum()), float(replaced), low, high,
                float(replaced * share), float(summed), float(summed * share))


def _bounds(x: np.ndarray, slow: np.ndarray) -> tuple[float, float]:
    rounds = x.shape[1]
    if rounds < 3:
        return math.nan, math.nan
    dice = np.random.default_rng(SEED)
    away = peers.centred(x)
    found = []
    for _ in range(DRAWS):
        worth = peers.row_medians(away[:, dice.integers(0, rounds, rounds)])
        found.append(np.nanmin(worth[~slow]) - np.nanmin(worth))
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(np.exp(low)), float(np.exp(high))
