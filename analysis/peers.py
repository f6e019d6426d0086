"""One node against its peers: who is slow, how sure is that, and what would have been seen.

Pure functions: arrays in, arrays out. Nodes of one kind (CPU model, work, workers) are peers.

Nodes do differ, so "is this node equal to the fleet?" is the wrong question: a t-test of each node
against the fleet flagged 240 of 1000 healthy ones (facts/method.md 2.5). Asked is whether a node
lies outside of what nodes of its kind do, and far enough to matter:

  8 nodes and more   robust z of the node's score among all scores, against the distribution that
                     it has among so many healthy nodes, Benjamini and Hochberg's bound on the
                     share of false ones, and an effect beyond the threshold
  3 to 7             a spread of three peers is no yardstick. Instead, exactly: if all nodes were
                     alike, every order of them within a round of launches would be equally likely,
                     so the sum of a node's ranks has a known distribution (times the nodes, for
                     looking at each). Then the effect, and a gap to the next node that is wider
                     than the others lie apart: else it may be their usual spread
  2                  a difference, and nobody to say whose
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy import special

import stats

FEW = 8  # nodes: below, ranks within rounds; from here on, z among the scores
NORMAL = 500  # nodes: from here on z is normal enough
NULL_VALUES = 400_000  # of z simulated for fewer: resolves a p of 0.05 / NORMAL
SEED = 20250131
SEEN = 0.8  # share of planted effects that must be flagged before we say it would have been seen
PLANTED = 64  # nodes on which an effect is planted; of more, evenly chosen
MOST = 0.9  # the largest effect planted


@dataclass(frozen=True)
class Rule:
    """threshold: share below the peers that matters; q: of the flagged, at most so many healthy;

    fewest: launches of a node before it is judged.
    """

    threshold: float = 0.03
    q: float = 0.05
    fewest: int = 5


@dataclass(frozen=True)
class Standing:
    """Nodes among their peers; all (node,). Effects are shares: -0.05 is 5 % below the peers.

    effect    : against the median of the other nodes, median over rounds; nan: no launch
    low, high : 95 % interval over launches; nan: too few
    p         : as the rule above says, nan: not judged
    flagged   : slower than the rule allows
    alike     : as slow and as surely, but the peers lie as far apart among themselves (few nodes)
    """

    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    flagged: np.ndarray
    alike: np.ndarray

    @property
    def judged(self) -> np.ndarray:
        return ~np.isnan(self.p)


def stand(x: np.ndarray, rule: Rule) -> Standing:
    """Judge nodes. x (node, round): log of a rate; nan where a node has no such launch.

    A round holds one launch of each node, taken at about the same time: what moves all of them
    together is no node's fault.
    """
    away = deviations(x)
    effect = np.expm1(row_medians(away))
    bounds = [_bounds(row) for row in away]
    p, flagged, alike = decide(x, rule)
    low, high = np.array(bounds).reshape(-1, 2).T
    return Standing(effect, low, high, p, flagged, alike)


def decide(x: np.ndarray, rule: Rule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(p, flagged, alike) of all nodes, each (node,)."""
    p, nobody = np.full(len(x), math.nan), np.zeros(len(x), bool)
    enough = np.flatnonzero((~np.isnan(x)).sum(axis=1) >= rule.fewest)
    if len(enough) < 3:
        return p, nobody, nobody.copy()
    effect = np.expm1(row_medians(deviations(x[enough])))
    if len(enough) < FEW:
        p[enough] = rank_p(x[enough], rule.fewest)
        sure = p[enough] <= rule.q
    else:
        p[enough] = z_p(row_medians(centred(x[enough])))
        sure = stats.benjamini_hochberg(p[enough], rule.q)
    slow = sure & (effect < -rule.threshold)
    apart = stands_apart(row_medians(centred(x[enough]))) if len(enough) < FEW else slow
    flagged, alike = nobody, nobody.copy()
    flagged[enough], alike[enough] = slow & apart, slow & ~apart
    return p, flagged, alike


# ----------------------------------------------------------------------------------- deviations

def centred(x: np.ndarray) -> np.ndarray:
    """x less the median of its round. (node, round) -> the same."""
    return x - row_medians(x.T)[None, :]


def deviations(x: np.ndarray) -> np.ndarray:
    """x less the median of the other nodes of its round; nan where there is none."""
    return np.stack([column - others_median(column) for column in x.T], axis=1)


def others_median(x: np.ndarray) -> np.ndarray:
    """Median of all the others, for each of x (node,). nan are not counted, and get the median."""
    known = np.flatnonzero(~np.isnan(x))
    out = np.full(len(x), np.median(x[known]) if len(known) else math.nan)
    n = len(known)
    if n < 2:
        out[known] = math.nan
        return out
    order = known[np.argsort(x[known], kind="stable")]
    ordered, place = x[order], np.arange(n)
    upper, lower = (n - 1) // 2, (n - 2) // 2  # of the n - 1 that stay
    out[order] = (ordered[upper + (place <= upper)] + ordered[lower + (place <= lower)]) / 2
    return out


def row_medians(x: np.ndarray) -> np.ndarray:
    """Median of each row, nan left out; nan for a row of nothing else."""
    some = ~np.isnan(x).all(axis=1)
    out = np.full(len(x), math.nan)
    out[some] = np.nanmedian(x[some], axis=1)
    return out


def _bounds(row: np.ndarray) -> tuple[float, float]:
    found = stats.launch_interval(np.exp(row[~np.isnan(row)]))
    return (found.low - 1, found.high - 1) if found else (math.nan, math.nan)


# --------------------------------------------------------------------------------------- few nodes

def rank_p(x: np.ndarray, fewest: int) -> np.ndarray:
    """P(a sum of ranks as low as this | all nodes alike), times the nodes. (node, round) -> (node,)

    Rounds that miss a node do not count; nan if fewer than `fewest` are left. Equal values share
    the higher rank, so the p of a tie is never too small.
    """
    whole = x[:, ~np.isnan(x).any(axis=0)]
    nodes, rounds = whole.shape
    if rounds < fewest:
        return np.full(nodes, math.nan)
    rank = (whole[:, None, :] >= whole[None, :, :]).sum(axis=1)  # 1 .. nodes
    return np.minimum(1, nodes * _rank_sums(nodes, rounds)[rank.sum(axis=1) - rounds])


@functools.lru_cache(maxsize=64)
def _rank_sums(nodes: int, rounds: int) -> np.ndarray:
    """P(sum of `rounds` ranks, each 1 .. nodes alike, <= rounds + k), k = 0, 1 ..."""
    one, density = np.full(nodes, 1 / nodes), np.ones(1)
    for _ in range(rounds):
        density = np.convolve(density, one)
    return np.cumsum(density)


def stands_apart(score: np.ndarray) -> np.ndarray:
    """The gap to the next higher node is wider than the others lie apart. (node,) -> (node,)"""
    out = np.zeros(len(score), bool)
    for i in range(len(score)):
        others = np.delete(score, i)
        out[i] = others.min() - score[i] > np.ptp(others)
    return out


# -------------------------------------------------------------------------------------- many nodes

def z_p(score: np.ndarray) -> np.ndarray:
    """P(robust z as low as this | all nodes alike, normal). score (node,) -> (node,)"""
    z = stats.modified_z(score)
    if len(score) >= NORMAL:
        return special.ndtr(z)
    null = _null(len(score))
    return (1 + np.searchsorted(null, z, side="right")) / (1 + len(null))


@functools.lru_cache(maxsize=16)
def _null(nodes: int) -> np.ndarray:
    """Sorted robust z of healthy nodes: heavier tails than the normal's, the MAD being one of few.

    Simulated: by a normal's p, healthy nodes among 16 are flagged 4 times as often as q says.
    """
    x = np.random.default_rng(SEED).standard_normal((NULL_VALUES // nodes, nodes))
    away = x - np.median(x, axis=1, keepdims=True)
    return np.sort((away / (1.4826 * np.median(np.abs(away), axis=1, keepdims=True))).ravel())


# --------------------------------------------------------------------------------------- stage two

def confirm(x: np.ndarray, suspects: np.ndarray,
            rule: Rule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(effect, confirmed, gone) of nodes in a second run; nan and False for those not suspected.

    x (node, round) of the second run; suspects (node,) bool, of the first. Compared with the
    nodes that nobody suspects: the effect is beyond the threshold again, and the node is below
    their median so often that a coin would show it in `q` of the cases at most. A node that was
    only the unluckiest of many will not be so again: gone, if there are launches enough for an
    interval. Neither: the second run decides nothing.
    """
    controls = x[~suspects]
    away = x - row_medians(controls.T)[None, :] if len(controls) else np.full(x.shape, math.nan)
    effect = np.where(suspects, np.expm1(row_medians(away)), math.nan)
    rounds = (~np.isnan(away)).sum(axis=1)
    above = (away >= 0).sum(axis=1)
    coin = special.bdtr(above, np.maximum(rounds, 1), 0.5)
    sure = (rounds > 0) & (coin <= rule.q)
    known = rounds >= stats.FEWEST_LAUNCHES
    return (effect, suspects & sure & (effect < -rule.threshold),
            suspects & known & (effect >= -rule.threshold))


# ------------------------------------------------------------------------------------------- power

def smallest_seen(x: np.ndarray, rule: Rule) -> float:
    """The smallest effect that would be flagged in 4 of 5 nodes, by planting it; nan: none would.

    Each node in turn is slowed by d, everything else stays as measured (a flagged node is sped up
    to its peers' pace first); the smallest d by bisection, to 0.1 %. So it holds the spread of
    these very nodes and launches.
    """
    known = np.flatnonzero((~np.isnan(x)).sum(axis=1) >= rule.fewest)
    flagged = decide(x, rule)[1]
    healthy = known[~flagged[known]]
    if len(known) < 3 or not len(healthy):
        return math.nan
    x = x - np.where(flagged, row_medians(deviations(x)), 0)[:, None]
    chosen = healthy[np.unique(np.linspace(0, len(healthy) - 1, PLANTED).astype(int))]
    low, high = 0.0, MOST
    if not _seen(x, chosen, high, rule):
        return math.nan
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if _seen(x, chosen, middle, rule) else (middle, high)
    return high


def _seen(x: np.ndarray, chosen: np.ndarray, effect: float, rule: Rule) -> bool:
    found = 0
    for node in chosen:
        planted = x.copy()
        planted[node] += math.log1p(-effect)
        found += bool(decide(planted, rule)[1][node])
    return found >= SEEN * len(chosen)


# ------------------------------------------------------------------------------------------ groups

def groups_p(score: np.ndarray, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """(effect, p) of each group of nodes against all other nodes, both (group,).

    score (node,) log; group (node,) index. Mann and Whitney's rank test, one-sided; nan for groups
    of fewer than 3 nodes or with fewer than 3 nodes outside. A bad rack is more than its nodes:
    it also widens the spread against which each of them is judged.
    """
    from scipy.stats import mannwhitneyu
    effect, p = np.full((2, groups), math.nan)
    known = ~np.isnan(score)
    for g in range(groups):
        inside, outside = score[known & (group == g)], score[known & (group != g)]
        if min(len(inside), len(outside)) >= 3:
            effect[g] = np.expm1(np.median(inside) - np.median(outside))
            p[g] = mannwhitneyu(inside, outside, alternative="less").pvalue
    return effect, p
