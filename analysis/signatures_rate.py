"""Signatures in the undisturbed rate of one worker: a step, a ramp, two speeds.

Pure functions, one per cause. Each answers even if it finds nothing: what was looked at, the
threshold, the value, and the smallest effect that would have been seen. "Nothing found" is a
statement about the test as much as about the machine.
"""

from __future__ import annotations

import math

import numpy as np

from finding import Finding, untested

LEVEL = 0.03  # a change of rate worth a word
STEP = 4.0  # CUSUM of block medians over sqrt(n) sd: 1.95 is passed once in 1000 by white noise
STEP_BLOCKS = 20
ASHMAN = 5.0  # one level 1.9, two levels > 11 (facts/method.md 4.2)
LEVEL_APART, LEVEL_SHARE = 0.05, 0.05


def throttling(worker: int, times: np.ndarray, medians: np.ndarray) -> Finding:
    """A step or a ramp in the undisturbed rate: heat, a power cap, another clock.

    times (block,) s; medians (block,) units per second, blocks of about 0.1 s. CUSUM: the largest
    |sum of the first k - k/n sum of all| over sd sqrt(n), the sd from differences of neighbours
    (a step does not enter it); and the levels on both sides must differ by 3 %.
    """
    name, statistic = "throttling", "CUSUM of 0.1 s medians (and 3 % change)"
    n = len(medians)
    if n < STEP_BLOCKS:
        return untested(name, statistic, STEP,
                        f"needs {STEP_BLOCKS} blocks of 0.1 s with work, found {n}")
    level = float(np.median(medians))
    sd = max(1.4826 * float(np.median(np.abs(np.diff(medians)))) / math.sqrt(2), 1e-4 * level)
    sums = np.cumsum(medians - medians.mean())
    at = int(np.argmax(np.abs(sums[:-1]))) + 1
    value = float(np.abs(sums[at - 1])) / (sd * math.sqrt(n))
    before, after = float(np.median(medians[:at])), float(np.median(medians[at:]))
    change = after / before - 1
    least = max(LEVEL, STEP * 4 * sd / level / math.sqrt(n))
    smallest = f"a lasting change of {100 * least:.1f} % in the middle of the run"
    if value <= STEP or abs(change) < LEVEL:
        return Finding(name, False, statistic, value, STEP,
                       f"largest lasting change {100 * change:+.2f} %", smallest)
    shape = "step" if _is_step(medians, at) else "ramp"
    how = ("the rate fell: heat, a power cap or a lower clock" if change < 0 else
           "the rate rose: a clock that ramps up, or a sibling that fell silent")
    return Finding(name, True, statistic, value, STEP,
                   f"{shape} of {100 * change:+.1f} % at {times[at]:.1f} s; {how}", smallest,
                   (worker,))


def _is_step(medians: np.ndarray, at: int) -> bool:
    """Two levels fit better than a line does."""
    x = np.arange(len(medians))
    line = medians - np.polyval(np.polyfit(x, medians, 1), x)
    flat = np.concatenate([medians[:at] - medians[:at].mean(), medians[at:] - medians[at:].mean()])
    return float(flat @ flat) < float(line @ line)


def two_speeds(worker: int, rates: np.ndarray, width_ns: float) -> Finding:
    """Undisturbed bins that come in two sorts: a duty cycle, or a sibling that is busy at times.

    rates (bin,), nan: disturbed. Ashman's D of the best two-part split (Otsu):
    sqrt(2) |m1 - m2| / sqrt(s1^2 + s2^2); above 2 the parts are apart.
    """
    name, statistic = "two speeds", "Ashman D of undisturbed bins"
    good = rates[~np.isnan(rates)]
    if len(good) < 200 or not np.median(good) > 0:
        return untested(name, statistic, ASHMAN, "fewer than 200 undisturbed bins")
    scaled = good / np.median(good)
    parts = _split(scaled)
    smallest = f"{100 * LEVEL_SHARE:.0f} % of the bins at a speed {100 * LEVEL_APART:.0f} % lower"
    if parts is None:
        return Finding(name, False, statistic, 0.0, ASHMAN, "all bins at one speed", smallest)
    low, high = parts
    spread = math.hypot(low.std(), high.std()) or 1e-6
    value = math.sqrt(2) * (high.mean() - low.mean()) / spread
    apart, share = 1 - low.mean() / high.mean(), len(low) / len(scaled)
    found = value > ASHMAN and apart > LEVEL_APART and LEVEL_SHARE < share < 1 - LEVEL_SHARE
    if not found:
        return Finding(name, False, statistic, value, ASHMAN,
                       f"the best split is {100 * apart:.1f} % apart, {100 * share:.1f} % slower",
                       smallest)
    cut = (low.max() + high.min()) / 2
    dwell = _dwell(rates / np.median(good), cut) * width_ns * 1e-6
    return Finding(name, True, statistic, value, ASHMAN,
                   f"{100 * share:.0f} % of the bins are {100 * apart:.0f} % slower, for "
                   f"{dwell:.3g} ms at a time: a power cap's duty cycle, or a sibling thread of "
                   "the core that works at times", smallest, (worker,))


def _split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The split into two parts with the largest variance between them, on 400 classes."""
    low, high = np.quantile(values, [0.001, 0.999])
    if not high > low:
        return None
    kept = values[(values >= low) & (values <= high)]
    counts, edges = np.histogram(kept, 400)
    middle = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * middle)[:-1]
    above, total = len(kept) - below, float(counts @ middle)
    ok = (below > 0) & (above > 0)
    between = np.zeros(len(below))
    between[ok] = (total * below[ok] / len(kept) - sums[ok]) ** 2 / (below[ok] * above[ok])
    cut = edges[1:-1][int(np.argmax(between))]
    parts = kept[kept < cut], kept[kept >= cut]
    return parts if min(map(len, parts)) else None


def _dwell(rates: np.ndarray, cut: float) -> float:
    """Median number of bins in a stay below the cut; disturbed bins are left out."""
    slow = np.concatenate([[False], rates[~np.isnan(rates)] < cut, [False]])
    edges = np.flatnonzero(slow[1:] != slow[:-1])
    return float(np.median(edges[1::2] - edges[::2])) if len(edges) else 0.0
