"""Scale or node? Time as scale + node + residual, from runs on nested and disjoint subsets. Pure.

A run on the nodes S of a study takes log T = a(|S|) + g(S) + residual. a: what the number of nodes
does to all alike. g: what these very nodes do, from an effect b of each (0: the median of those
that were run at the smallest scale):

  slowest  g = max b: the nodes wait for each other in every step
  mean     g = mean b: they share the work as they go, or hardly meet

Both are fitted; the one that leaves the smaller residual is told, with the other's. A ladder of
nested subsets alone cannot do this: the node that comes last is there only when the scale is
largest. Runs of each node alone and disjoint subsets separate them; what they do not separate is
said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import stats

DRAWS = 200
SEED = 20250131
ROUNDS = 50  # of looking who is the slowest
LINKS = ("slowest", "mean")


@dataclass(frozen=True)
class Ladder:
    """scales (s,), hosts (h,); effects are shares of time: 0.05 takes 5 % longer.

    scale : (s, 3) time against the smallest scale, its 95 % interval over launches; nan: unknown
    node  : (h, 3) effect of each node against the median one, likewise; all nan: not separable
    link, residual : how nodes act together, and the sd of what is left, a share; other: the sd
            that the other link leaves
    """

    scales: tuple[int, ...]
    hosts: tuple[str, ...]
    scale: np.ndarray
    node: np.ndarray
    link: str
    residual: float
    other: float

    def without(self, hosts: Sequence[str], bad: Sequence[str]) -> float:
        """Time of a run on `hosts` if the bad ones among them were median nodes, over its time;
        nan if the effect of one of them is not known."""
        effect = dict(zip(self.hosts, np.log1p(self.node[:, 0])))
        now = [effect.get(h, math.nan) for h in hosts]
        then = [0.0 if h in bad else e for h, e in zip(hosts, now)]
        both = np.array([then, now])  # max and mean of a nan are nan
        replaced, as_it_is = both.max(axis=1) if self.link == "slowest" else both.mean(axis=1)
        return math.exp(replaced - as_it_is)


def fit(subsets: Sequence[Sequence[str]], times: Sequence[float]) -> Ladder | None:
    """One subset of hosts and one time for each launch. None: there is nothing to separate."""
    hosts = tuple(dict.fromkeys(h for subset in subsets for h in subset))
    scales = tuple(sorted({len(s) for s in subsets}))
    if len(scales) < 2 or len(hosts) < 2 or len(subsets) < len(scales) + len(hosts):
        return None
    member = np.array([[h in s for h in hosts] for s in subsets])
    level = np.array([scales.index(len(s)) for s in subsets])
    y = np.log(np.asarray(times, float))
    both = {link: _solve(member, level, y, link) for link in LINKS}
    link = min(LINKS, key=lambda name: both[name][2])
    other = both[LINKS[1 - LINKS.index(link)]][2]
    a, b, residual = both[link]
    boot = _draws(member, level, y, link)
    known = separable(member, level)
    known &= known.sum() > 1
    node = np.stack([b, *np.nanquantile(boot[1], [0.025, 0.975], axis=0)], axis=1)
    node[~known] = math.nan
    scale = np.stack([a - a[0], *np.nanquantile(boot[0], [0.025, 0.975], axis=0)], axis=1)
    few = launches(member) < stats.FEWEST_LAUNCHES
    node[member[few].any(axis=0), 1:] = math.nan
    unsure = np.bincount(level[few], minlength=len(scales)) > 0
    scale[1:][unsure[1:] | unsure[0], 1:] = math.nan
    return Ladder(scales, hosts, np.exp(scale), np.expm1(node), link, residual, other)


def launches(member: np.ndarray) -> np.ndarray:
    """(run,) of the subset of each run; member (run, host). Of one launch every draw is the same,
    so where there are too few their scatter is not known."""
    _, cell, count = np.unique(member, axis=0, return_inverse=True, return_counts=True)
    return count[cell]


def separable(member: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Nodes whose effect is not a mixture with a scale's. member (run, host), level (run,)."""
    design = _design(member / member.sum(axis=1, keepdims=True), level, _anchors(member, level))
    _, size, right = np.linalg.svd(design, full_matrices=True)
    rank = int((size > 1e-9 * size[0]).sum())
    nothing = right[rank:]  # directions that no run sees
    loose = np.abs(nothing).max(axis=0, initial=0) > 1e-6
    return ~loose[level.max() + 1:]


def _anchors(member: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Nodes that were run at the smallest scale: the others are compared with them."""
    return member[level == 0].any(axis=0)


def _design(weights: np.ndarray, level: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Columns: a of each scale, b of each host; a last row holds the sum of the anchors at 0."""
    runs, hosts = weights.shape
    scales = level.max() + 1
    design = np.zeros((runs + 1, scales + hosts))
    design[np.arange(runs), level] = 1
    design[:runs, scales:] = weights
    design[runs, scales:] = anchors
    return design


def _solve(member: np.ndarray, level: np.ndarray, y: np.ndarray,
           link: str) -> tuple[np.ndarray, np.ndarray, float]:
    """(a, b, residual sd). "slowest" by looking who is the slowest, fitting, and looking again."""
    scales, runs, anchors = level.max() + 1, np.arange(len(y)), _anchors(member, level)
    weights = member / member.sum(axis=1, keepdims=True)
    seen = set()
    for _ in range(ROUNDS):
        x = np.linalg.lstsq(_design(weights, level, anchors), np.append(y, 0), rcond=None)[0]
        b = x[scales:] - np.median(x[scales:][anchors])
        if link == "mean":
            break
        slowest = np.where(member, b, -np.inf).argmax(axis=1)
        if slowest.tobytes() in seen:
            break
        seen.add(slowest.tobytes())
        weights = np.zeros(member.shape)
        weights[runs, slowest] = 1
    shift = np.where(member, b, -np.inf).max(axis=1) if link == "slowest" else (
        (member * b).sum(axis=1) / member.sum(axis=1))
    a = np.array([np.mean((y - shift)[level == s]) for s in range(scales)])
    left = y - a[level] - shift
    free = max(1, len(y) - scales - member.shape[1] + 1)
    return a, b, float(math.sqrt(left @ left / free))


def _draws(member: np.ndarray, level: np.ndarray, y: np.ndarray,
           link: str) -> tuple[np.ndarray, np.ndarray]:
    """Refits with the launches of every subset drawn again: a - a[0] (draw, s), b (draw, h)."""
    dice = np.random.default_rng(SEED)
    _, cell = np.unique(member, axis=0, return_inverse=True)
    mine = [np.flatnonzero(cell == c) for c in range(cell.max() + 1)]
    found = []
    for _ in range(DRAWS):
        drawn = np.concatenate([dice.choice(m, len(m)) for m in mine])
        a, b, _ = _solve(member[drawn], level[drawn], y[drawn], link)
        found.append((a - a[0], b))
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])
