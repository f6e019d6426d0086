"""What stopped one worker, and how fast it was when nothing did. Pure functions on one worker.

Two different things: the rate of undisturbed work (clock, chip, sibling) and the time inside
detours (interruptions). A mean over everything mixes them; here they are apart
(facts/binning.md 3.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

DECADES = tuple(10.0**p for p in range(2, 10))  # ns: 100 ns, 1 us ... 100 ms, 1 s
DECADE_NAMES = ("<100ns", "100ns", "1us", "10us", "100us", "1ms", "10ms", "100ms", "1s")
BLOCKS = 50  # medians along the time, for drift
FEWEST_BLOCKS = 8
LOST_MUCH = 0.1  # of a bin: such a bin says nothing about the undisturbed rate


@dataclass(frozen=True)
class Listed:
    """Detours of one worker in one repetition, in order of time, as the trace lists them.

    start, length : (detour,) ns; start since the left edge of bin 0
    dropped       : those that found the list full; the list then covers the first part only
    """

    start: np.ndarray
    length: np.ndarray
    dropped: int = 0

    def covered(self, whole_ns: float) -> float:
        """Time (ns) for which the list is complete."""
        if not self.dropped:
            return whole_ns
        return float(self.start[-1] + self.length[-1]) if len(self.start) else 0.0


@dataclass(frozen=True)
class Lengths:
    """Statistics of the listed detours of one worker.

    per_second : (9,) by decade of length, see DECADE_NAMES; quantiles in ns, nan: too few
    covered_s  : seconds for which the lists are complete
    longest    : ns; where the list was full, the longest absence that the bins show
    """

    listed: int
    dropped: int
    covered_s: float
    per_second: np.ndarray
    longest: float
    p99: float
    p999: float


@dataclass(frozen=True)
class Drift:
    """Change of the undisturbed rate.

    start : first tenth over the rest, minus 1; slope: relative change per 10 s with a 95 % interval
    """

    start: float
    slope: float
    low: float
    high: float


@dataclass(frozen=True)
class Resolution:
    """The shortest detour that this trace can show, ns, and why no shorter one."""

    shortest: float
    why: str


def lost_time(counts: np.ndarray, lost: np.ndarray, width_ns: float) -> np.ndarray:
    """Lost ns per bin, a late start included. counts, lost (bin,) -> (bin,) float.

    Before its first unit a worker has no clock read, so the driver saw no detour there; on the
    common axis that time is lost all the same.
    """
    first = int(late_bins(counts))
    found = np.minimum(lost.astype(float), width_ns)
    found[:first] = width_ns
    return found


def lost_from_counts(counts: np.ndarray, width_ns: float) -> np.ndarray:
    """Lost ns per bin where only counts are known: what is missing to the 95th percentile.

    counts (bin,) -> (bin,). It cannot tell a slower bin from an interrupted one.
    """
    busy = counts[counts > 0]
    best = np.percentile(busy, 95) if len(busy) else 1.0
    return width_ns * np.clip(1 - counts / best, 0, 1)


def late_bins(counts: np.ndarray) -> np.ndarray:
    """Empty bins before the first unit; all of them if there is none. (..., bin) -> (...)"""
    works = counts > 0
    return np.where(works.any(axis=-1), works.argmax(axis=-1), counts.shape[-1])


def rate(counts: Sequence[np.ndarray], width_ns: float) -> float:
    """Units per second: the median bin among those with work. counts: (bin,) per repetition."""
    busy = np.concatenate([c[c > 0] for c in counts])
    return float(np.median(busy)) / (width_ns * 1e-9) if len(busy) else math.nan


def running_rate(counts: np.ndarray, lost: np.ndarray, width_ns: float) -> np.ndarray:
    """Units per second of the time that was not lost, (bin,); nan where much was lost."""
    ran = width_ns - lost
    good = (counts > 0) & (lost < LOST_MUCH * width_ns)
    return np.divide(counts * 1e9, ran, out=np.full(len(counts), np.nan), where=good)


def block_medians(series: Sequence[np.ndarray], starts: Sequence[float], width_ns: float,
                  seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Medians of running rates over blocks of about `seconds`. Returns (time s, median).

    series : each (bin,), one per repetition; starts: s, of each. A block without any good bin is
    left out.
    """
    times, medians = [], []
    for values, start in zip(series, starts):
        number = max(1, round(len(values) * width_ns * 1e-9 / seconds))
        edges = np.linspace(0, len(values), number + 1).astype(int)
        for low, high in zip(edges[:-1], edges[1:]):
            good = values[low:high][~np.isnan(values[low:high])]
            if len(good):
                times.append(start + (low + high) / 2 * width_ns * 1e-9)
                medians.append(float(np.median(good)))
    return np.array(times), np.array(medians)


def drift(times: np.ndarray, medians: np.ndarray) -> Drift:
    """Drift of block medians (block,) at times (block,) s.

    Slope: Theil and Sen's median of pairwise slopes; its interval is Kendall's, widened by the
    lag-1 autocorrelation of the residuals, because neighbouring blocks are not independent.
    """
    if len(medians) < FEWEST_BLOCKS:
        return Drift(math.nan, math.nan, math.nan, math.nan)
    tenth = max(1, len(medians) // 10)
    start = float(np.median(medians[:tenth]) / np.median(medians[tenth:]) - 1)
    step = -(-len(medians) // BLOCKS)
    t, y = times[::step], medians[::step] / np.median(medians)
    i, j = np.triu_indices(len(t), 1)
    slopes = np.sort((y[j] - y[i]) / (t[j] - t[i]))
    slope = float(np.median(slopes))
    left = y - np.median(y) - slope * (t - np.median(t))
    power = float(left @ left)
    r = max(0.0, float(left[1:] @ left[:-1]) / power) if power > 0 else 0.0
    n = len(t)
    wide = math.sqrt(n * (n - 1) * (2 * n + 5) / 18 * (1 + r) / max(1 - r, 0.05))
    half = float(special.ndtri(0.975)) * wide / 2
    ends = np.clip([len(slopes) / 2 - half, len(slopes) / 2 + half], 0, len(slopes) - 1)
    low, high = slopes[ends.astype(int)]
    return Drift(start, 10 * slope, 10 * float(low), 10 * float(high))


def lengths(lists: Sequence[Listed], whole_ns: float, absence: float) -> Lengths:
    """Statistics over all repetitions of one worker; each is whole_ns long.

    absence : ns, the longest that the bins show (`longest_absence`): no list can overflow it.
    """
    every = np.concatenate([x.length for x in lists]) if lists else np.array([])
    dropped = sum(x.dropped for x in lists)
    covered = sum(x.covered(whole_ns) for x in lists) * 1e-9
    by_decade = np.bincount(np.searchsorted(DECADES, every, side="right"),
                            minlength=len(DECADES) + 1)
    longest = float(every.max(initial=0))
    return Lengths(
        len(every), dropped, covered,
        by_decade / covered if covered else np.full(len(DECADES) + 1, math.nan),
        max(longest, absence) if dropped or not lists else longest,
        quantile(every, 0.99), quantile(every, 0.999))


def quantile(values: np.ndarray, q: float) -> float:
    """The q quantile; nan if fewer than 1 / (1 - q) values make it the maximum in disguise."""
    return float(np.quantile(values, q)) if len(values) * (1 - q) >= 1 - 1e-9 else math.nan


def absences(
    counts: np.ndarray, lost: np.ndarray, width_ns: float
) -> tuple[np.ndarray, np.ndarray]:
    """Runs of bins without any work: first bins (run,), and lengths in ns (run,).

    A run's length includes what was lost in the bins beside it, which it only touched; a
    neighbour that was hit twice makes it too long by less than a bin.
    """
    empty = np.concatenate([[False], counts == 0, [False]])
    edges = np.flatnonzero(empty[1:] != empty[:-1])
    first, last = edges[::2], edges[1::2]
    sums = np.concatenate([[0.0], np.cumsum(lost)])
    low, high = np.maximum(first - 1, 0), np.minimum(last + 1, len(counts))
    return first, np.minimum(sums[high] - sums[low], (last - first + 2) * width_ns)


def lossy_runs(lost: np.ndarray, width_ns: float, least: float = 10_000) -> tuple:
    """Runs of bins that each lost `least` ns or more, as detours where no list is whole.

    lost (bin,) ns. Returns first bins (run,) and summed losses in ns (run,).
    """
    least = min(least, 0.5 * width_ns)
    hit = np.concatenate([[False], lost >= least, [False]])
    edges = np.flatnonzero(hit[1:] != hit[:-1])
    sums = np.concatenate([[0.0], np.cumsum(lost, dtype=float)])
    return edges[::2], sums[edges[1::2]] - sums[edges[::2]]


def resolution(threshold_ns: float, step_ns: float, read_ns: float, unit_ns: float) -> Resolution:
    """The shortest detour that this trace can show, and what sets it.

    threshold: two reads further apart are a detour; step, read: of the clock (nan: unknown);
    unit: ns between two reads without any disturbance.
    """
    ticks = 3 * step_ns if step_ns > 0 else 0.0  # facts/binning.md 3.3
    reads = (read_ns if read_ns > 0 else 0.0) + (step_ns if step_ns > 0 else 0.0)
    best = max(ticks, reads, 1.5 * unit_ns if unit_ns > 0 else 0.0)
    clock = (f"clock step {step_ns:.1f} ns, read {read_ns:.1f} ns" if best and ticks
             else "clock step not recorded")
    if threshold_ns < best:
        return Resolution(best, f"the threshold of {threshold_ns:g} ns is below what the clock "
                                f"and the unit of {unit_ns:.0f} ns can tell ({clock})")
    more = f"; --detour could go down to {best:.0f} ns" if best < 0.8 * threshold_ns else ""
    return Resolution(threshold_ns, f"threshold {threshold_ns:g} ns, {clock}{more}")
