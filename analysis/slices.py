"""How long a worker holds a lock before another one runs. Pure: detours in, slices out.

Under one lock a worker reads the clock all the time that it holds it, and is in a detour while
another has it. So it ran between its detours, exactly to a clock read, in C and in CPython alike.
Its slice is the time from its first unit after another worker's to the first unit of the next
worker, whatever disturbed it meanwhile: who is off the CPU still holds the lock. The window's
edges cut its first slice and its last one: they do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from traces import Trace

WHOLE = 0.99  # of the switch interval: who had the lock so long was asked to give it up
NONE = np.array([], np.int64)
MOST_OVERLAP = 0.01  # of the time: above it, the workers did not take turns


class NoSlices(Exception):
    """A trace that cannot tell slices. Its text says why."""


@dataclass(frozen=True)
class Slices:
    """Of one launch, ns. length (slice,); gap (slice,): the part of it without a unit, before the
    next worker's first; interval: the switch interval of the lock."""

    length: np.ndarray
    gap: np.ndarray
    interval: int

    @property
    def quartiles(self) -> np.ndarray:
        """Lower quartile, median, upper quartile of the lengths, ns. (3,)"""
        return np.percentile(self.length, (25, 50, 75))

    @property
    def median(self) -> float:
        return float(np.median(self.length))

    @property
    def forced(self) -> float:
        """Share of the slices that lasted a switch interval: those that a waiter ended, whose time
        had run out. The others were ended by the holder itself, who blocked."""
        return float(np.mean(self.length >= WHOLE * self.interval))


def runs(first: int, last: int, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """What one worker ran, (run, 2): begin and end, ns.

    first, last: its first and last unit; start, length (detour,): in order of time. A detour from
    before the first unit is a late start; one that outlasts the last unit ends the last run.
    """
    inside = start >= first
    begin = np.concatenate([[first], (start + length)[inside]])
    end = np.maximum(np.concatenate([start[inside], [last]]), begin)
    return np.stack([begin, end], axis=1)[:len(begin) - (last < begin[-1])]


def turns(each: Sequence[np.ndarray]) -> np.ndarray:
    """Slices of all workers in order of time, (slice, 2): first and last unit. each: runs of a
    worker."""
    owner = np.repeat(np.arange(len(each)), [len(one) for one in each])
    spans = np.concatenate(each)
    order = np.argsort(spans[:, 0], kind="stable")
    owner, spans = owner[order], spans[order]
    changes = np.flatnonzero(np.diff(owner)) + 1
    return np.stack([spans[[0, *changes], 0], spans[[*(changes - 1), -1], 1]], axis=1)


def overlap(slices: np.ndarray) -> float:
    """Share of the whole time for which one slice lasts into the next."""
    both = np.maximum(0, slices[:-1, 1] - slices[1:, 0]).sum()
    whole = slices[-1, 1] - slices[0, 0]
    return float(both / whole) if whole > 0 else 0.0


def of_trace(trace: Trace) -> Slices:
    """Slices of all repetitions together. Raises NoSlices."""
    interval = trace.number("lock_interval_ns", 0)
    if trace.text("kernel") != "binning" or trace.text("lock") != "gil" or not interval:
        raise NoSlices("no run of binning under a lock")
    if trace.number("wait_ns", 0):
        raise NoSlices("its workers gave the lock away themselves, to wait")
    lengths, gaps = [], []
    for found in _repetitions(trace):
        if overlap(found) > MOST_OVERLAP:
            raise NoSlices("its workers ran at the same time: they took no turns")
        lengths.append(np.diff(found[1:, 0]))
        gaps.append((found[1:, 0] - found[:-1, 1])[1:])
    length = np.concatenate(lengths) if lengths else np.array([])
    if not length.size:
        raise NoSlices("its windows are too short for one whole slice")
    return Slices(length, np.concatenate(gaps), interval)


def _repetitions(trace: Trace) -> Iterator[np.ndarray]:
    """`turns` of each repetition in which anybody worked."""
    first, last = trace.workers.get("first_ns"), trace.workers.get("last_ns")
    if first is None or last is None:
        raise NoSlices("it does not tell when its workers began")
    dropped = trace.array("detours/dropped")
    if dropped is None or dropped.any():
        raise NoSlices("its list of detours is not whole (--detours)")
    rows, units = trace.detour_rows(), trace.array("units")
    for repetition in range(trace.repetitions):
        each = []
        for worker in range(trace.nworkers):
            if units is None or units[repetition, worker]:
                listed = rows.get((repetition, worker))
                start, length = trace.detours(listed) if listed else (NONE, NONE)
                ends = first[repetition, worker], last[repetition, worker]
                each.append(runs(*ends, start, length))
        if each:
            yield turns(each)


def shares_below(length: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Share of slices (slice,) no longer than each of the limits (point,), same unit. (point,)"""
    return np.searchsorted(np.sort(length), limits, side="right") / len(length)
