"""One worker, from its bins and its list of detours to everything that is said about it.

Pure: arrays in, a Portrait out that holds no series any more, so that a thousand workers can be
looked at one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import bsp
import detours
import signatures
import signatures_rate
import spectrum as spectra
from finding import Finding

BLOCK_S = 0.1  # medians of the rate, for steps and drift
HIT_NS = 20_000  # lost in one bin: counts for "all cores at once"


@dataclass(frozen=True)
class Setting:
    """What all workers of a trace have in common. Times in ns.

    whole : length of a repetition; step, read: of the clock, nan: unknown
    grains: for which steps are sampled; blocks: at most so many of each worker
    own   : /counts holds the worker's own units (--storage atomic: all threads' together)
    """

    width: float
    whole: float
    threshold: float
    step: float = math.nan
    read: float = math.nan
    grains: tuple[float, ...] = ()
    blocks: int = 1000
    own: bool = True


@dataclass(frozen=True)
class Series:
    """One worker as the trace holds it; one entry per repetition.

    counts, lost : (bin,) units, ns; listed: None if the trace has no list of detours
    starts       : s, of the repetitions on one axis; switches: involuntary, None: not recorded
    """

    counts: Sequence[np.ndarray]
    lost: Sequence[np.ndarray]
    listed: Sequence[detours.Listed] | None
    starts: Sequence[float]
    switches: int | None = None


@dataclass(frozen=True)
class Portrait:
    """One worker in numbers.

    rate    : units per second, the median bin with work; running: of the time not lost
    lost    : share of the time since its first unit; late: bins before that, most of all
              repetitions; empty: share of bins without work
    work, time : grain -> steps sampled in work and in time; lane: (column,) share lost over time
    """

    worker: int
    rate: float
    running: float
    drift: detours.Drift
    lost: float
    late: int
    empty: float
    lengths: detours.Lengths
    resolution: detours.Resolution
    spectrum: spectra.Spectrum | None
    ticks: Sequence[spectra.Tick]
    peaks: Sequence[spectra.Peak]
    findings: Sequence[Finding]
    seconds: float
    lane: np.ndarray
    work: Mapping[float, bsp.Sample] = field(default_factory=dict)
    time: Mapping[float, bsp.Sample] = field(default_factory=dict)


def paint(worker: int, series: Series, setting: Setting, columns: int) -> Portrait:
    """Everything about one worker. columns: of its lane in the plot."""
    late, counts, lost = _since_start(series, setting.width)
    seconds = sum(map(len, lost)) * setting.width * 1e-9
    gone = [detours.absences(c, x, setting.width) for c, x in zip(counts, lost)]
    lengths = _lengths(series, setting, max((float(g[1].max(initial=0)) for g in gone), default=0))
    running = [detours.running_rate(c, x, setting.width) for c, x in zip(counts, lost)]
    begin = [s + f * setting.width * 1e-9 for s, f in zip(series.starts, late)]
    blocks = detours.block_medians(running, begin, setting.width, BLOCK_S)
    if not setting.own:
        blocks, running = (blocks[0][:0], blocks[1][:0]), [np.full(1, math.nan)]
    spectrum = spectra.welch(lost, setting.width, [len(x) for x in lost])
    tick, ticks = signatures.tick(worker, spectrum)
    good = np.concatenate(running)
    middle = float(np.nanmedian(good)) if not np.isnan(good).all() else math.nan
    findings = [
        tick,
        signatures.off_cpu(worker, np.concatenate([g[1] for g in gone]), seconds, series.switches),
        _periodic(worker, series, lost, setting),
        signatures.interrupts(worker, float(lengths.per_second[2:4].sum()), ticks),
        signatures_rate.throttling(worker, *blocks),
        signatures_rate.two_speeds(worker, good, setting.width),
    ]
    work, time = _steps(lost, setting)
    return Portrait(
        worker, detours.rate(counts, setting.width) if setting.own else math.nan, middle,
        detours.drift(*blocks), _lost_share(series, lost, seconds, lengths, setting),
        max(late), float(np.mean(np.concatenate(counts) == 0)), lengths,
        detours.resolution(setting.threshold, setting.step, setting.read,
                           1e9 / middle if middle > 0 else math.nan),
        spectrum, ticks, spectra.peaks(spectrum, ticks) if spectrum else [], findings, seconds,
        _lane(series, setting, columns), work, time)


def _since_start(series: Series, width: float) -> tuple[list, list, list]:
    """(empty bins before the first unit, counts from there on, lost from there on).

    A repetition without any unit is lost from its first bin.
    """
    late, counts, lost = [], [], []
    for c, x in zip(series.counts, series.lost):
        never = not c.any()
        first = 0 if never else int(detours.late_bins(c))
        late.append(first)
        counts.append(c[first:])
        lost.append(np.full(len(x), width) if never else np.minimum(x[first:], width))
    return late, counts, lost


def _lengths(series: Series, setting: Setting, absence: float) -> detours.Lengths:
    if series.listed is None:
        nothing = np.full(len(detours.DECADE_NAMES), math.nan)
        return detours.Lengths(0, 0, 0.0, nothing, absence, math.nan, math.nan)
    return detours.lengths(series.listed, setting.whole, absence)


def _lost_share(series: Series, lost: Sequence[np.ndarray], seconds: float,
                lengths: detours.Lengths, setting: Setting) -> float:
    """Lost over all time; of each detour one clock read was work (facts/binning.md 3.5)."""
    total = sum(float(x.sum()) for x in lost)
    reads = (lengths.listed + lengths.dropped) * (setting.read if setting.read > 0 else 0.0)
    return max(0.0, total - reads) * 1e-9 / seconds


def _periodic(worker: int, series: Series, lost: Sequence[np.ndarray],
              setting: Setting) -> Finding:
    """From the list where it is whole, else from runs of bins that lost 10 us or more."""
    seconds = setting.whole * 1e-9
    if series.listed is not None and not any(x.dropped for x in series.listed):
        return signatures.periodic(worker, [x.start * 1e-9 for x in series.listed],
                                   [x.length for x in series.listed], seconds)
    events = [detours.lossy_runs(x, setting.width) for x in lost]
    return signatures.periodic(worker, [e[0] * setting.width * 1e-9 for e in events],
                               [e[1] for e in events], seconds)


def _steps(lost: Sequence[np.ndarray], setting: Setting) -> tuple[dict, dict]:
    """Samples of each grain; one that no repetition can hold ten times is left out."""
    work: dict[float, bsp.Sample] = {}
    time: dict[float, bsp.Sample] = {}
    most = max(1, setting.blocks // len(lost))
    for grain in setting.grains:
        if grain < setting.width or setting.whole < bsp.BLOCK_STEPS * grain:
            continue
        both: tuple[list, list] = ([], [])
        for x in lost:
            clock, whole = bsp.work_clock(x, setting.width), len(x) * setting.width
            blocks = bsp.block_count(whole, grain, most)
            both[0].append(bsp.sample(*bsp.steps_in_work(clock, setting.width, grain), grain,
                                      whole, blocks))
            both[1].append(bsp.sample(*bsp.steps_in_time(clock, setting.width, grain), grain,
                                      whole, 1))
        work[grain], time[grain] = bsp.pool(both[0]), bsp.pool(both[1]).flat()
    return work, time


def _lane(series: Series, setting: Setting, columns: int) -> np.ndarray:
    """Share lost in each column of the plot; repetitions side by side, a late start included."""
    shares = [detours.lost_time(c, x, setting.width) / setting.width
              for c, x in zip(series.counts, series.lost)]
    each = max(1, columns // len(shares))
    if len(shares) > columns:  # more repetitions than columns: one value of each
        return np.array([float(s.mean()) for s in shares])
    return np.concatenate([
        np.add.reduceat(s, edges) / np.diff([*edges, len(s)])
        for s in shares for edges in [np.unique(np.linspace(0, len(s), each + 1).astype(int))[:-1]]
    ])


def empty_bits(counts: Sequence[np.ndarray]) -> np.ndarray:
    """Bins without work as packed bits, all repetitions in a row: (byte,)."""
    return np.packbits(np.concatenate(counts) == 0)


def hits(lost: Sequence[np.ndarray]) -> np.ndarray:
    """Bins in which a loss of 20 us or more begins, all repetitions in a row: (bin,) bool."""
    found = []
    for x in lost:
        hit = x >= HIT_NS
        found.append(hit & ~np.concatenate([[False], hit[:-1]]))
    return np.concatenate(found)
