"""Makes workers with known noise: detours in, bins out, as the driver would have recorded them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

import detours
from synthetic import Run, write

WIDTH = 50_000.0  # ns
UNITS = 5000  # per undisturbed bin


def background(rng, seconds, rate=500, mean=400):
    """Poisson detours of 100 ns and more, exponential: (detour, 2) of start s, length ns."""
    number = rng.poisson(rate * seconds)
    return np.stack([rng.uniform(0, seconds * 0.999, number), 100 + rng.exponential(mean, number)],
                    axis=1)


def every(period, length, seconds, phase=0.013, jitter=None):
    """Detours of `length` ns every `period` s, whole ones only; jitter: s for each, or None."""
    starts = np.arange(phase, seconds - length * 1e-9 - 1e-3, period)
    if jitter is not None:
        starts = starts + jitter[:len(starts)]
    return np.stack([starts, np.full(len(starts), float(length))], axis=1)


def bins(events, seconds, rng=None, noise=0.007, speed=None):
    """(counts u4, lost u4, Listed) of one repetition. Detours that overlap are merged.

    speed: function of time (s) (bin,) -> relative rate
    """
    number = round(seconds * 1e9 / WIDTH)
    start, length = merged(events)
    edges = np.arange(number + 1) * WIDTH
    before = np.searchsorted(start, edges, side="left")
    total = np.concatenate([[0.0], np.cumsum(length)])[before]
    last = np.maximum(before - 1, 0)
    if len(start):  # the last one may reach over the edge
        over = np.maximum(0, start[last] + length[last] - edges)
        total = total - np.where(before > 0, over, 0)
    lost = np.diff(total)
    counts = UNITS * (1 - lost / WIDTH)
    if speed:
        counts = counts * speed((np.arange(number) + 0.5) * WIDTH * 1e-9)
    if rng is not None:
        counts = counts * (1 + noise * rng.standard_normal(number))
    counts = np.where(lost > WIDTH - 1, 0, np.maximum(np.round(counts), 0))
    return counts.astype(np.uint32), np.round(lost).astype(np.uint32), detours.Listed(start, length)


def merged(events):
    """Starts and lengths (ns) in order, without overlaps; one that begins in another is cut."""
    events = np.asarray(events, float).reshape(-1, 2)
    events = events[np.argsort(events[:, 0], kind="stable")]
    start, end = np.round(events[:, 0] * 1e9), np.round(events[:, 0] * 1e9 + events[:, 1])
    reached = np.concatenate([[0.0], np.maximum.accumulate(end)[:-1]]) if len(end) else end
    start = np.maximum(start, reached)
    keep = end > start
    return start[keep], (end - start)[keep]


def clean(seed, seconds, extra=(), **how):
    """A healthy worker of one repetition, with `extra` events planted."""
    rng = np.random.default_rng(seed)
    events = background(rng, seconds)
    for more in extra:
        events = np.concatenate([events, np.asarray(more, float).reshape(-1, 2)])
    return bins(events, seconds, rng, **how)


def turns(rng, seconds, workers, slice_s=0.004):
    """Events of `workers` that share one CPU in slices: a list, one array for each."""
    owner_ends = np.cumsum(slice_s * (1 + 0.1 * rng.standard_normal(int(seconds / slice_s))))
    owners = np.arange(len(owner_ends)) % workers
    begins = np.concatenate([[0.0], owner_ends[:-1]])
    return [np.stack([begins[owners != w], (owner_ends - begins)[owners != w] * 1e9], axis=1)
            for w in range(workers)]


def tie(path, ahead=0, drift=0.0, rtt=2000, seconds=40, nodes=2):
    """Knots, one a second, in a trace of several nodes: each is `ahead` ns, and gains."""
    root = np.arange(0, seconds * 10**9, 10**9)[:, None]
    local = root + np.arange(nodes) * (ahead + np.rint(drift * root).astype(np.int64))
    offset, trip = local - root, np.full(local.shape, rtt) * (np.arange(nodes) > 0)
    with h5py.File(path, "a") as file:
        for name, values in (("local_ns", local), ("offset_ns", offset), ("rtt_min_ns", trip),
                             ("lo_ns", offset - trip // 2), ("hi_ns", offset + trip // 2)):
            file[f"clock/{name}"] = values
    return path


def trace(path: Path, workers, late_ns=None, cpus=None, cores=None, nodes=None, capacity=None,
          hide=(), **attrs):
    """A trace of workers, each a list of (counts, lost, Listed), one per repetition.

    late_ns (repetition, worker): start after the agreed instant; capacity: of the detour lists.
    """
    reps = len(workers[0])
    counts, lost = (np.array([[w[r][i] for w in workers] for r in range(reps)]) for i in (0, 1))
    write(path, Run(kernel="binning", layout="openmp", threads=len(workers), repetitions=reps,
                    bins=counts.shape[2], counts=counts,
                    hostnames=tuple(f"node{i + 1}" for i in range(max(nodes or [0]) + 1)),
                    attrs={"detour_threshold_ns": 100, "work_unit": "clock", **attrs}))
    late = np.zeros((reps, len(workers)), np.int64) if late_ns is None else np.array(late_ns)
    origin = 5_000_000_000 + np.arange(reps) * int(counts.shape[2] * WIDTH + 3e6)
    rows, dropped = [], np.zeros((reps, len(workers)), np.uint64)
    for r in range(reps):
        for w, worker in enumerate(workers):
            listed = worker[r][2]
            kept = len(listed.start) if capacity is None else min(capacity, len(listed.start))
            dropped[r, w] = len(listed.start) - kept
            rows += [(r, w, int(s) + origin[r], int(d))
                     for s, d in zip(listed.start[:kept], listed.length[:kept])]
    columns = list(zip(*rows)) or [()] * 4
    with h5py.File(path, "a") as file:
        del file["start_ns"], file["end_ns"]
        file["start_ns"] = origin[:, None] + late
        file["end_ns"] = file["start_ns"][()] + int(counts.shape[2] * WIDTH)
        file["lost_ns"] = lost
        for name, kind, column in zip(("repetition_index", "worker_index", "start_ns",
                                       "length_ns"), ("i4", "i4", "i8", "i8"), columns):
            file[f"detours/{name}"] = np.array(column, kind)
        file["detours/dropped"] = dropped
        file["clock"].attrs.update({"step_ns": "10.0", "read_cost_ns": "12.0"})
        for name, values in (("cpu", cpus), ("core", cores), ("node_index", nodes)):
            if values is not None:
                if f"workers/{name}" in file:
                    del file[f"workers/{name}"]
                file[f"workers/{name}"] = np.array(values, np.int32)
        for name in hide:
            del file[name]
    return path
