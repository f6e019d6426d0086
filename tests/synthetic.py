"""Writes synthetic traces with known answers, in the schema of facts/trace.md. Tests only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

UNITS = {"binning": "clock read", "dot": "multiply-add", "matmul": "multiply-add"}
DEFAULT_METHOD = {"binning": "clock", "dot": "blocked", "matmul": "partition"}


@dataclass
class Run:
    """One launch. rate: units per second of one worker; noise: sd of the log of the rate.

    launch_noise moves the whole launch, noise each repetition. compute: share of the wall time
    in which each worker computes, one number per worker or one for all.
    """

    kernel: str = "dot"
    layout: str = "serial"
    ranks: int = 1
    threads: int = 1
    rate: float = 1e9
    noise: float = 0.0
    launch_noise: float = 0.0
    repetitions: int = 10
    compute: object = 1.0
    bins: int = 200
    width_ns: int = 50_000
    counts: np.ndarray | None = None  # (repetition, worker, bin) instead of made-up ones
    seed: int = 0
    attrs: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    hostnames: tuple = ("node1",)
    cpu: str = "Test CPU"
    begin: int = 0  # s, of the launch
    without: tuple = ()  # datasets to leave out

    @property
    def workers(self) -> int:
        return self.ranks * self.threads

    @property
    def nodes(self) -> int:
        return len(self.hostnames)


def write(path: Path, run: Run) -> Path:
    """One trace file."""
    rng = np.random.default_rng(run.seed)
    tables = {**_times(run, rng), **_bins(run, rng), **_places(run)}
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs.update({**_root(run), **run.attrs})
        _group(file, "labels", run.labels)
        _group(file, "provenance", {**_provenance(), **run.provenance})
        _group(file, "provenance/environment",
               {"OMP_NUM_THREADS": str(run.threads), **run.environment})
        _group(file, "clock", {"source": "tsc"})
        for name, texts in (("hostname", run.hostnames), ("cpu_model", [run.cpu] * run.nodes)):
            file[f"nodes/{name}"] = np.array(texts, dtype=h5py.string_dtype())
        for name, table in tables.items():
            if name not in run.without:
                file[name] = table
    return path


def launches(folder: Path, count: int, run: Run) -> list[Path]:
    """Several launches of one cell, each with its own seed."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{run.kernel}-{run.layout}-{run.ranks}x{run.threads}"
    made = []
    for i in range(count):
        twin = Run(**{**run.__dict__, "seed": 1000 * run.seed + i})
        made.append(write(folder / f"{name}-{run.seed}-{i}.h5", twin))
    return made


def take_turns(path: Path, lengths: list[np.ndarray]) -> None:
    """Gives a trace the detours of workers that had one lock in turn. lengths: for each
    repetition, (slice,) ns from the first unit of one worker to that of the next."""
    columns: dict[str, list] = {name: [] for name in (
        "worker_index", "repetition_index", "start_ns", "length_ns")}
    with h5py.File(path, "a") as file:
        begin = file["start_ns"][:, 0].astype(np.int64)
        reps, workers = file["start_ns"].shape
        first, last = np.zeros((2, reps, workers), np.int64)
        for rep, each in enumerate(lengths):
            edges = begin[rep] + np.concatenate([[0], np.cumsum(np.rint(each))]).astype(np.int64)
            for worker in range(workers):
                starts, ends = edges[worker:-1:workers], edges[worker + 1::workers] - 1000
                first[rep, worker], last[rep, worker] = starts[0], ends[-1]
                columns["worker_index"] += [worker] * (len(starts) - 1)
                columns["repetition_index"] += [rep] * (len(starts) - 1)
                columns["start_ns"] += list(ends[:-1])
                columns["length_ns"] += list(starts[1:] - ends[:-1])
        for name, values in columns.items():
            kind = np.int32 if name.endswith("index") else np.int64
            file[f"detours/{name}"] = np.array(values, kind)
        file["detours/dropped"] = np.zeros((reps, workers), np.uint64)
        file["workers/first_ns"], file["workers/last_ns"] = first, last


def _times(run: Run, rng: np.random.Generator) -> dict[str, np.ndarray]:
    reps, workers = run.repetitions, run.workers
    level = run.rate * workers * np.exp(run.launch_noise * rng.standard_normal())
    rate = level * np.exp(run.noise * rng.standard_normal(reps))
    units = np.full((reps, workers), 10_000_000, np.uint64)
    seconds = units.sum(axis=1) / rate
    wall = np.round(seconds * 1e9)[:, None] * np.ones(workers)
    compute = wall * np.broadcast_to(run.compute, workers)
    start = np.arange(reps, dtype=np.int64)[:, None] * 10**9 + np.zeros(workers, np.int64)
    return {
        "start_ns": start, "end_ns": start + wall.astype(np.int64),
        "compute_ns": compute.astype(np.int64), "wait_ns": (wall - compute).astype(np.int64),
        "combine_ns": np.zeros((reps, workers), np.int64), "units": units,
        "results/rate": rate, "results/seconds": seconds,
        "wall_start": np.arange(reps, dtype=np.int64) + (1_700_000_000 + run.begin) * 10**9,
    }


def _bins(run: Run, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if run.kernel != "binning":
        return {}
    counts = run.counts
    if counts is None:
        per_bin = run.rate * run.width_ns * 1e-9 * np.exp(run.launch_noise * rng.standard_normal())
        shape = (run.repetitions, run.workers, run.bins)
        counts = np.round(per_bin * np.exp(run.noise * rng.standard_normal(shape)))
    return {"counts": counts.astype(np.uint32), "bin": np.arange(counts.shape[2], dtype=np.int32)}


def _places(run: Run) -> dict[str, np.ndarray]:
    index = np.arange(run.workers, dtype=np.int32)
    return {
        "repetition": np.arange(run.repetitions, dtype=np.int32), "worker": index,
        "workers/rank": index // run.threads, "workers/thread": index % run.threads,
        "workers/cpu": index, "workers/node_index": index * run.nodes // run.workers,
        "workers/bound": np.ones(run.workers, np.uint8),
        "workers/cpus_allowed": np.array([str(i) for i in index], dtype=h5py.string_dtype()),
    }


def _root(run: Run) -> dict[str, object]:
    values = {
        "Conventions": "CF-1.10", "format": "bindot-trace", "format_version": "1.0",
        "run_id": str(uuid.uuid4()), "created": "2025-01-31T12:00:00Z", "title": "synthetic",
        "layout": run.layout, "kernel": run.kernel, "method": DEFAULT_METHOD[run.kernel],
        "scaling": "strong", "status": "complete", "valid": 1, "invalid_reasons": "",
        "warnings": "", "unit": UNITS[run.kernel], "repetitions": run.repetitions,
        "repetitions_requested": run.repetitions, "iterations": 1, "ranks": run.ranks,
        "threads_per_rank": run.threads, "blas_threads": 1, "workers": run.workers,
        "nodes": run.nodes, "kernel_hash": "c0ffee" * 6,
    }
    if run.kernel == "binning":
        return {**values, "bins": run.bins, "bin_width_ns": run.width_ns}
    return {**values, "size": 1_000_000}


def _provenance() -> dict[str, object]:
    return {
        "command_line": "bindot-serial dot --size 1e6", "compiler": "gcc 12.2",
        "compiler_flags": "-O2", "git_commit": "0123abc", "git_dirty": 0,
        "kernel_release": "6.1.0", "governor": "performance",
    }


def _group(file: h5py.File, name: str, values: dict) -> None:
    group = file.require_group(name)
    for key, value in values.items():
        group.attrs[key] = value
