"""How much work must lie between two meetings? Efficiency against the grain, with its crossings.

The work counter meets on a grid of time: all workers wait for each other every g ns of the window.
What a window then delivers, as a share E of what it delivers without any meeting, is efficiency.
Between two meetings E g ns are left for work, so E belongs to the grain w = E g: a program that
meets after every w ns of work runs at E = w / (w + c), where c = (1 - E) g is what a meeting cost.
With a constant c half is lost at w = c and a tenth at w = 9 c; measured, c grows where
interruptions of one worker hold up all others, so the crossings are read off the curve.
Pure functions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

import stats


MOST = 0.999  # efficiency; more is the noise of what it is a share of


class Crossing(NamedTuple):
    """Grain in ns at which a share is lost: median over rounds and its interval.

    0: less than the finest grain measured; inf: more than the coarsest; nan: no round tells.
    low, high: nan where there are too few rounds for an interval.
    """

    grain: float
    low: float
    high: float


def efficiencies(rates: np.ndarray, never: np.ndarray) -> np.ndarray:
    """E (round, grain). rates (round, grain): units per second; never (round,): without meetings.

    A round is one launch of every cell, so each is compared with what ran next to it; where it
    has no valid launch without meetings, with the median of all.
    """
    base = np.where(np.isnan(never), np.nanmedian(never), never)
    return rates / base[:, None]


def costs(interval: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What one meeting costs, ns, (round, grain). interval g (grain,), share E (round, grain)."""
    return (1 - share) * interval


def rising(share: np.ndarray) -> np.ndarray:
    """The nearest curve (least squares) that never falls. share (grain,), no nan.

    More work between two meetings never costs more efficiency; where a launch says so it was
    disturbed, and taken by its word it would move a crossing by decades. Neighbours that violate
    the order take their mean (pool adjacent violators).
    """
    blocks: list[tuple[float, int]] = []  # mean, how many
    for value in share:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return np.repeat([mean for mean, _ in blocks], [n for _, n in blocks])


def whole(share: np.ndarray) -> np.ndarray:
    """Rounds that can tell where a crossing lies: (round,) bool. share E (round, grain).

    Without its finest grain a round cannot tell a crossing below it, without its coarsest none
    above: either would pass for an answer. A gap between the two is bridged.
    """
    return np.isfinite(share[:, 0]) & np.isfinite(share[:, -1])


def grain_at(interval: np.ndarray, share: np.ndarray, level: float) -> float:
    """Work between meetings, ns, from which on E stays above `level`, in one round.

    interval g (grain,) ascending; share E (grain,) of a whole round, taken as rising. Around the
    crossing log w is linear in log(E / (1 - E)), as it is where a meeting always costs the same;
    beside a grain that left no work at all that cost is the other grain's. 0 or inf where the
    crossing lies outside of what was measured.
    """
    known = np.isfinite(share)
    interval, share = interval[known], np.minimum(rising(share[known]), MOST)
    under = np.flatnonzero(share < level)
    if not under.size:
        return 0.0
    i = int(under[-1])
    if i == len(share) - 1:
        return math.inf
    work = interval * share
    if not share[i] > 0:
        return float((1 - share[i + 1]) * interval[i + 1] * level / (1 - level))
    part = (odds(level) - odds(share[i])) / (odds(share[i + 1]) - odds(share[i]))
    return float(work[i] * (work[i + 1] / work[i]) ** part)


def odds(share: float) -> float:
    return math.log(share / (1 - share))


def crossing(interval: np.ndarray, share: np.ndarray, level: float) -> Crossing:
    """Over whole rounds. interval (grain,) ascending; share E (round, grain)."""
    each = np.array([grain_at(interval, row, level) for row in share[whole(share)]])
    if not each.size:
        return Crossing(math.nan, math.nan, math.nan)
    bounds = stats.median_interval(each)
    if bounds is None and np.all(np.isfinite(each)) and np.all(each > 0):
        bounds = stats.geometric_interval(each)
    low, high = bounds[:2] if bounds else (math.nan, math.nan)
    return Crossing(float(np.median(each)), low, high)
