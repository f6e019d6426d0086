"""Numbers from arrays. Pure functions: no files, no printing, no argument is changed.

The replicate is the launch. Repetitions inside one launch share its page placement, its clock
frequency and its neighbours; treating them as independent gives "95 %" intervals that hold in
61 to 68 % of the cases (facts/method.md 2.3). So each launch is first reduced to its median, and
the intervals below run over launches.

Which middle? The middle of a cell is the median of its launches: one disturbed launch does not
move it. Its interval is the exact one from order statistics where 6 launches allow it, and below
that the t interval of the logarithms: its centre, the geometric mean, is the median of any
distribution whose logarithm is symmetric, and run times are closer to that than to symmetric.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

CONFIDENCE = 0.95
FEWEST_LAUNCHES = 3  # below: one outlier among two cannot be seen, so no interval is given
BEST_PERCENTILE = 95  # of the bins: a worker's own undisturbed rate, not its luckiest bin


class Interval(NamedTuple):
    """low and high in the unit of the data; confidence: what the ranks really give."""

    low: float
    high: float
    confidence: float


class Ratio(NamedTuple):
    """A ratio of two groups (1) with its interval, and Welch's degrees of freedom."""

    ratio: float
    low: float
    high: float
    df: float


class Efficiency(NamedTuple):
    """Shares of the wall time, 0 to 1; parallel = balance * communication, exactly."""

    balance: float
    communication: float
    parallel: float


def median_ranks(n: int, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """Ranks (1-based) of the order statistics that enclose the median. None: n is too small.

    P(x_(k) <= median <= x_(n+1-k)) = 1 - 2 P(Binomial(n, 1/2) <= k - 1), for any distribution.
    """
    below = special.bdtr(np.arange(n // 2), n, 0.5)  # P(Binomial <= 0), P(<= 1), ...
    k = int(np.count_nonzero(below <= (1 - confidence) / 2))
    return (k, n + 1 - k) if k else None


def median_interval(x: np.ndarray, confidence: float = CONFIDENCE) -> Interval | None:
    """Exact interval of the median of independent x (n,); None for n < 6 at 95 %."""
    x = np.sort(np.asarray(x, float))
    ranks = median_ranks(len(x), confidence)
    if ranks is None:
        return None
    low, high = ranks
    return Interval(x[low - 1], x[high - 1], 1 - 2 * float(special.bdtr(low - 1, len(x), 0.5)))


def geometric_interval(x: np.ndarray, confidence: float = CONFIDENCE) -> Interval | None:
    """Student's t interval of the mean of log x, taken back. x (n,) > 0; None for n < 3."""
    x = np.asarray(x, float)
    if len(x) < FEWEST_LAUNCHES or not np.all(x > 0):
        return None
    logs = np.log(x)
    half = t_quantile(len(x) - 1, confidence) * logs.std(ddof=1) / math.sqrt(len(x))
    return Interval(math.exp(logs.mean() - half), math.exp(logs.mean() + half), confidence)


def launch_interval(x: np.ndarray, confidence: float = CONFIDENCE) -> Interval | None:
    """Interval of the median over launches x (n,): exact from 6 on, log t for 3 to 5, else None."""
    return median_interval(x, confidence) or geometric_interval(x, confidence)


def ratio_interval(
    x: np.ndarray, base: np.ndarray, confidence: float = CONFIDENCE
) -> Ratio | None:
    """Ratio of two independent groups of launches, with the uncertainty of both.

    x (n,), base (m,), all > 0; None if n or m < 3. Welch's t interval of mean(log x) -
    mean(log base), degrees of freedom by Welch and Satterthwaite, taken back by exp.
    """
    found = _welch(x, base)
    if found is None:
        return None
    middle, error, df = found
    half = t_quantile(df, confidence) * error if error else 0.0
    return Ratio(math.exp(middle), math.exp(middle - half), math.exp(middle + half), df)


def ratio_p(x: np.ndarray, base: np.ndarray) -> float:
    """Two-sided p of the hypothesis that the ratio is 1, by the same test; nan for n or m < 3."""
    found = _welch(x, base)
    if found is None:
        return math.nan
    middle, error, df = found
    return 2 * float(special.stdtr(df, -abs(middle) / error)) if error else float(middle == 0)


def benjamini_hochberg(p: np.ndarray, q: float) -> np.ndarray:
    """Which to reject so that among them a share of q at most is expected to be false. (n,)

    Step-up: the k smallest p, k the largest for which the k-th is <= q k / n (Benjamini and
    Hochberg 1995). Holds for independent tests and for those that rise and fall together.
    """
    order = np.sort(p)
    below = np.flatnonzero(order <= q * np.arange(1, len(p) + 1) / len(p))
    return p <= order[below[-1]] if len(below) else np.zeros(len(p), bool)


def _welch(x: np.ndarray, base: np.ndarray) -> tuple[float, float, float] | None:
    """Difference of the mean logs, its standard error, degrees of freedom."""
    x, base = np.asarray(x, float), np.asarray(base, float)
    if min(len(x), len(base)) < FEWEST_LAUNCHES or not (np.all(x > 0) and np.all(base > 0)):
        return None
    a, b = np.log(x), np.log(base)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return a.mean() - b.mean(), 0.0, math.inf
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return a.mean() - b.mean(), math.sqrt(va + vb), df


def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of Student's t."""
    return float(special.stdtrit(df, (1 + confidence) / 2))


def efficiency(compute: np.ndarray, wall: np.ndarray) -> Efficiency:
    """POP's efficiency tree of one launch, without a tracer.

    compute (repetition, worker): U, useful time of each worker; wall (repetition,): T, same unit.
    Load balance = mean U / max U over workers; communication (with serialisation) = max U / T;
    parallel efficiency = their product = mean U / T. (POP: pop-coe.eu)

    Each of mean U, max U and T is a cost; its median over repetitions is taken before any
    division, so the product stays exact and no ratio is averaged.
    """
    mean = float(np.median(compute.mean(axis=1)))
    top = float(np.median(compute.max(axis=1)))
    time = float(np.median(wall))
    if not (top > 0 and time > 0):
        return Efficiency(math.nan, math.nan, math.nan)
    return Efficiency(mean / top, top / time, mean / time)


def imbalance(compute: np.ndarray) -> float:
    """max U / mean U - 1 over workers, median over repetitions; 0 is even. (repetition, worker)"""
    mean = compute.mean(axis=1)
    ok = mean > 0
    return float(np.median(compute.max(axis=1)[ok] / mean[ok] - 1)) if ok.any() else math.nan


def ordered(counts: np.ndarray) -> np.ndarray:
    """Each row in ascending order. Radix sort where counts allow it: a fifth of a partition."""
    if counts.dtype.kind == "u" and counts.size and counts.max() < 1 << 16:
        return np.sort(counts.astype(np.uint16), axis=1, kind="stable")
    return np.sort(counts, axis=1)


def best_counts(counts: np.ndarray) -> np.ndarray:
    """Each worker's own undisturbed count per bin: the 95th percentile. (worker, bin) -> (worker,)

    A worker that worked in less than 5 % of its bins gets its best bin.
    """
    rows = ordered(counts)
    at = BEST_PERCENTILE / 100 * (rows.shape[1] - 1)
    low, high = rows[:, math.floor(at)].astype(float), rows[:, math.ceil(at)]
    best = low + (at - math.floor(at)) * (high - low)
    return np.where(best > 0, best, rows[:, -1])


def busy_share(counts: np.ndarray) -> np.ndarray:
    """Share of the window in which each worker worked at its own best rate: U_i / T.

    counts (worker, bin) -> (worker,). U_i = sum of counts / best rate; T = number of bins.
    """
    best = best_counts(counts)
    return np.divide(counts.mean(axis=1), best, out=np.zeros(len(counts)), where=best > 0)


def lost_share(counts: np.ndarray) -> np.ndarray:
    """Share of work each worker lost against its own best rate. (worker, bin) -> (worker,)

    0 means no loss. Slightly negative if the mean lies above the 95th percentile: shown as 0.
    """
    return np.maximum(0, 1 - busy_share(counts))


def empty_share(counts: np.ndarray) -> np.ndarray:
    """Share of bins without any work: the worker was off its CPU. (worker, bin) -> (worker,)"""
    return (counts == 0).mean(axis=1)


def undisturbed_counts(counts: np.ndarray) -> np.ndarray:
    """Median over each worker's bins with work; 0 if it has none. (worker, bin) -> (worker,)"""
    rows, bins = ordered(counts), counts.shape[1]
    empty = (counts == 0).sum(axis=1)  # they come first
    low, high = (np.take_along_axis(rows, np.minimum(at, bins - 1)[:, None], axis=1)[:, 0]
                 for at in ((empty + bins - 1) // 2, (empty + bins) // 2))
    return np.where(empty < bins, (low.astype(float) + high) / 2, 0.0)


def running_counts(counts: np.ndarray) -> np.ndarray:
    """Units per bin of each worker: median of its bins with work x share of such bins.

    counts (worker, bin) -> (worker,). With no empty bin this is the median bin, which a shared
    machine cannot bend (a mean moved from 10 to 36 ns per unit where the median stayed at 10:
    facts/binning.md 0). Empty bins are time off the CPU, not slow work: without their share, two
    workers that take turns on one core would count as two.
    """
    return undisturbed_counts(counts) * (1 - empty_share(counts))


def rank_autocorrelation(x: np.ndarray) -> float:
    """Lag-1 autocorrelation of the ranks of x (n,); nan for n < 4 or constant x."""
    x = np.asarray(x, float)
    if len(x) < 4 or np.all(x == x[0]):
        return math.nan
    ranks = _ranks(x) - (len(x) + 1) / 2
    return float(np.dot(ranks[1:], ranks[:-1]) / np.dot(ranks, ranks))


def effective_share(r: float) -> float:
    """How many independent values one of a series is worth: (1 - r) / (1 + r), r the lag-1 value.

    At most 1: what chance gives a negative r is not worth more.
    """
    return (1 - r) / (1 + r) if r > 0 else 1.0


def are_autocorrelated(launches: list[np.ndarray]) -> bool:
    """Repetitions of the launches (each (n,)) are worth less than half of their number.

    Judged by the mean over launches of the lag-1 value: one launch of ten repetitions shows
    r = 0.3 by chance alone, so it must also exceed 1.96 / sqrt(all repetitions).
    """
    known = [(r, len(x)) for x in launches if not math.isnan(r := rank_autocorrelation(x))]
    if not known:
        return False
    r, n = float(np.mean([r for r, _ in known])), sum(n for _, n in known)
    return bool(effective_share(r) < 0.5 and r > 1.96 / math.sqrt(n))


def modified_z(x: np.ndarray) -> np.ndarray:
    """(x - median) / (1.4826 MAD). If MAD is 0, the mean deviation x 1.2533 takes its place."""
    deviation = np.asarray(x, float) - np.median(x)
    scale = 1.4826 * np.median(np.abs(deviation)) or 1.2533 * np.mean(np.abs(deviation))
    return deviation / scale if scale else np.zeros(len(deviation))


def outliers(x: np.ndarray, limit: float = 3.5) -> int:
    """How many values are far out (Iglewicz and Hoaglin's 3.5). They are counted, never dropped."""
    return int(np.count_nonzero(np.abs(modified_z(x)) > limit))


def _ranks(x: np.ndarray) -> np.ndarray:
    """1-based ranks; equal values share their mean rank."""
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
