#!/usr/bin/env python3
"""Writes the traces of a synthetic study of many nodes, one of them slower than the others.

usage: tests/fleet_traces.py FOLDER [--nodes 1000] [--workers 128] [--shape alone|together|ladder]

The schema is not described here: the built bindot-serial makes one small trace, and every table of
it is grown along its axes. So these are the kit's own traces, whatever stands in them by now, with
the same filters and chunks; only the numbers are made up. Bins are written as ready-made chunks of
64 workers, of which there are some dozens: a gigabyte of counts takes seconds.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "analysis"), str(HERE)]
from interpreter import ensure  # noqa: E402

ensure("numpy", "h5py")
import h5py  # noqa: E402
import numpy as np  # noqa: E402

import console  # noqa: E402
import kit  # noqa: E402
import traces  # noqa: E402

ROWS, COLUMNS = 64, 1024  # of a chunk of bins, as the driver makes them
FILTERS = {"shuffle": True, "compression": "gzip", "compression_opts": 1, "fletcher32": True}
WIDTH_NS, PER_BIN = 50_000, 3000
NOISE, BETWEEN, WITHIN = 0.004, 0.01, 0.005  # sd: of bins, of nodes, of a node's launches
STEP = 0.0025  # between two ready-made paces
PATTERNS = 4  # of interruptions
DETOURS_HZ, DETOUR_NS = 150, 2000
KNOTS, RTT_NS, DRIFT = 5, 20_000, 10e-6
EVERY_NS = 10**9  # from one repetition to the next
SIZE = 100_000_000  # dot: elements of each worker


@dataclass(frozen=True)
class Fleet:
    """A study. bad: the node that is slower, by the share `slow`."""

    nodes: int = 1000
    workers: int = 128  # of each node
    launches: int = 5
    kernel: str = "binning"
    bins: int = 1000
    repetitions: int = 2
    bad: int = 617
    slow: float = 0.05
    seed: int = 0

    @property
    def bad_host(self) -> str:
        return host(self.bad % self.nodes)

    @functools.cached_property
    def speeds(self) -> np.ndarray:
        """(node, launch) pace over the usual one."""
        rng = np.random.default_rng(self.seed)
        node = BETWEEN * rng.standard_normal(self.nodes)
        node[self.bad % self.nodes] = np.log1p(-self.slow)
        return np.exp(node[:, None] + WITHIN * rng.standard_normal((self.nodes, self.launches)))


def host(node: int) -> str:
    return f"node{node:04d}"


def alone(folder: Path, fleet: Fleet) -> list[Path]:
    """Every node by itself: one trace for each node in each launch."""
    rng = np.random.default_rng(fleet.seed)
    made = []
    with tempfile.TemporaryDirectory() as place:
        grown = Path(place) / "grown.h5"
        _grow(_template(Path(place), fleet), grown, replace(fleet, nodes=1), [0], 0)
        for launch in range(fleet.launches):
            for node in rng.permutation(fleet.nodes).tolist():
                made.append(folder / f"{fleet.kernel}-{host(node)}-{launch}.h5")
                shutil.copyfile(grown, made[-1])
                with h5py.File(made[-1], "r+") as file:
                    _fill(file, fleet, [node], launch)
    return made


def together(folder: Path, fleet: Fleet) -> list[Path]:
    """All nodes in one run: one trace for each launch."""
    return [_common(folder / f"{fleet.kernel}-all-{launch}.h5", fleet, range(fleet.nodes), launch)
            for launch in range(fleet.launches)]


def ladder(folder: Path, fleet: Fleet) -> list[Path]:
    """Runs on 1, 2, 4 ... and all nodes."""
    scales = sorted({min(2**k, fleet.nodes) for k in range(fleet.nodes.bit_length() + 1)})
    return [_common(folder / f"{fleet.kernel}-{scale}-{launch}.h5", fleet, range(scale), launch)
            for scale in scales for launch in range(fleet.launches)]


def _common(path: Path, fleet: Fleet, nodes: Sequence[int], launch: int) -> Path:
    with tempfile.TemporaryDirectory() as place:
        _grow(_template(Path(place), fleet), path, fleet, nodes, launch)
    return path


def _template(place: Path, fleet: Fleet) -> Path:
    """One worker's trace by the real driver."""
    path = place / "one.h5"
    words = {"binning": ["--bins", fleet.bins, "--width", "50us", "--warmup", "1ms"],
             "dot": ["--size", "1e4", "--scaling", "weak", "--warmup", "1ms"]}[fleet.kernel]
    done = kit.run("serial", fleet.kernel, *words, "--repeats", 2, "--allow-invalid", "--quiet",
                   "--force", "-o", path)
    if done.returncode:
        sys.exit(f"fleet_traces.py: bindot-serial: {done.stderr.strip()}")
    return path


# ----------------------------------------------------------------------------------- the schema

def _grow(small: Path, path: Path, fleet: Fleet, nodes: Sequence[int], launch: int) -> None:
    """A trace with the tables and attributes of `small`, its axes as long as the fleet wants."""
    sizes = {"repetition": fleet.repetitions, "worker": len(nodes) * fleet.workers,
             "node": len(nodes), "knot": KNOTS, "bin": fleet.bins, "topology": 1,
             "detour": len(_listed(fleet, nodes, launch)["worker_index"])}
    with h5py.File(small, "r") as old, h5py.File(path, "w", track_order=True,
                                                 libver=("v110", "v110")) as new:
        names: list[str] = []
        old.visit(names.append)
        for name in ("/", *names):
            if isinstance(old[name], h5py.Group):
                new.require_group(name)
            else:
                _table(new, name, old[name], sizes)
            new[name].attrs.update({key: value for key, value in old[name].attrs.items()
                                    if key not in ("DIMENSION_LIST", "REFERENCE_LIST",
                                                   "CLASS", "NAME")})
        _axes(old, new, names)
        for name in names:
            _sign(new[name])
        _fill(new, fleet, nodes, launch)


def _table(new: h5py.File, name: str, old: h5py.Dataset, sizes: Mapping[str, int]) -> None:
    """Full of the first value of the old one; bins are left to come."""
    is_axis = h5py.h5ds.is_scale(old.id)
    axes = [name] if is_axis else [dim[0].name.lstrip("/") for dim in old.dims]
    shape = [sizes.get(axis, length) for axis, length in zip(axes, old.shape)]
    text = h5py.check_string_dtype(old.dtype)
    chunks = None if text or 0 in shape else tuple(
        min(size, most) for size, most in zip(shape, _chunk(len(shape))))
    table = new.create_dataset(name, shape, old.dtype, chunks=chunks, track_order=True,
                               fillvalue=None if text else old.fillvalue,
                               **({} if chunks is None else FILTERS))
    if "bin" not in axes[1:] and old.size and table.size:
        first = old[(0,) * old.ndim]
        table[...] = np.arange(table.size).astype(old.dtype) if is_axis else first


def _chunk(axes: int) -> tuple[int, ...]:
    return {1: (16384,), 2: (64, 1024)}.get(axes, (1, ROWS, COLUMNS))


def _axes(old: h5py.File, new: h5py.File, names: Sequence[str]) -> None:
    tables = [name for name in names if isinstance(old[name], h5py.Dataset)]
    scales = [name for name in tables if h5py.h5ds.is_scale(old[name].id)]
    for name in scales:
        new[name].make_scale(name)
    for name in set(tables) - set(scales):
        for at, dim in enumerate(old[name].dims):
            new[name].dims[at].attach_scale(new[dim[0].name])


# ---------------------------------------------------------------------------------- the numbers

def _fill(file: h5py.File, fleet: Fleet, nodes: Sequence[int], launch: int) -> None:
    """What is this launch's own."""
    workers = len(nodes) * fleet.workers
    attrs = {
        "run_id": str(uuid.uuid4()), "valid": 1, "invalid_reasons": "", "warnings": "",
        "layout": "openmp" if len(nodes) == 1 else "hybrid", "ranks": len(nodes),
        "threads_per_rank": fleet.workers, "workers": workers, "nodes": len(nodes),
        "repetitions": fleet.repetitions, "repetitions_requested": fleet.repetitions}
    for name, value in attrs.items():
        file.attrs.modify(name, value)  # setting one anew, HDF5 1.10 does not find the old one
    columns = {**_places(fleet, nodes), **_times(fleet, nodes, launch), **_knots(fleet, nodes)}
    if fleet.kernel == "binning":
        columns.update({f"detours/{name}": values
                        for name, values in _listed(fleet, nodes, launch).items()})
    for name, values in columns.items():
        file[name][...] = values
        _sign(file[name])
    for name in ("counts", "lost_ns") if fleet.kernel == "binning" else ():
        _write_bins(file[name], fleet, nodes, launch)


def _sign(table: h5py.Group | h5py.Dataset) -> None:
    """The checksum of texts, where the driver writes one."""
    if "text_checksum" in table.attrs:
        table.attrs.modify("text_checksum", traces.text_checksum(table[()]))


def _places(fleet: Fleet, nodes: Sequence[int]) -> dict[str, np.ndarray]:
    index = np.arange(len(nodes) * fleet.workers, dtype=np.int32)
    own = index % fleet.workers
    shape = (fleet.repetitions, len(index))
    return {"workers/rank": index // fleet.workers, "workers/thread": own, "workers/cpu": own,
            "workers/core": own, "workers/node_index": index // fleet.workers,
            "workers/cpus_allowed": own.astype(str).astype(object),
            "workers/findings": np.zeros(shape), "workers/migrations": np.zeros(shape),
            "nodes/hostname": np.array([host(n) for n in nodes], object),
            "nodes/boot_id": np.array([str(uuid.UUID(int=n)) for n in nodes], object),
            "nodes/clock_parent": np.maximum(np.arange(len(nodes)) - 1, -1)}


def _times(fleet: Fleet, nodes: Sequence[int], launch: int) -> dict[str, np.ndarray]:
    """Bins: windows of one length. Else: who has computed waits for the slowest of all."""
    speed = np.repeat(fleet.speeds[nodes, launch], fleet.workers)
    reps, window = np.arange(fleet.repetitions)[:, None], fleet.bins * WIDTH_NS
    begin = np.repeat([_begin(n, 0) for n in nodes], fleet.workers) + EVERY_NS * reps
    shape = begin.shape
    if fleet.kernel == "binning":
        units = np.broadcast_to(np.rint(PER_BIN * fleet.bins * speed), shape)
        compute, wait = np.full(shape, window), np.zeros(shape, int)
        wall = np.full(len(reps), window)
    else:
        rng = np.random.default_rng([fleet.seed, launch, *nodes[:1]])
        units = np.full(shape, SIZE)
        compute = np.rint(SIZE / speed * np.exp(0.002 * rng.standard_normal(shape))).astype(int)
        wall = compute.max(axis=1)
        wait = wall[:, None] - compute
    return {"start_ns": begin, "end_ns": begin + wall[:, None], "late_ns": np.zeros(shape, int),
            "units": units, "compute_ns": compute, "wait_ns": wait,
            "combine_ns": np.zeros(shape, int), "results/seconds": wall * 1e-9,
            "results/rate": units.sum(axis=1) / (wall * 1e-9),
            "wall_start": (1_700_000_000 + 3600 * launch + nodes[0] + reps[:, 0]) * 10**9}


def _begin(node: int, repetition: int) -> int:
    """By the node's own clock."""
    return _skew(node) + EVERY_NS * (repetition + 1)


def _skew(node: int) -> int:
    """ns by which a node's clock is ahead: some days, as boots are."""
    return node * 86_400 * 10**9 // 7


def _knots(fleet: Fleet, nodes: Sequence[int]) -> dict[str, np.ndarray]:
    """Before, between and after the repetitions; each node drifts by its own few ppm."""
    root = np.linspace(0.5, fleet.repetitions + 0.7, KNOTS)[:, None] * EVERY_NS
    ahead = np.array([_skew(n) - _skew(nodes[0]) for n in nodes])
    gains = DRIFT * np.sin(np.asarray(nodes) + 1.0) * (np.asarray(nodes) != nodes[0])
    offset = ahead + np.rint(gains * root).astype(np.int64)
    local = root.astype(np.int64) + _skew(nodes[0]) + offset
    trip = np.where(np.arange(len(nodes)) == 0, 0, RTT_NS) + np.zeros_like(offset)
    return {"clock/local_ns": local, "clock/offset_ns": offset, "clock/rtt_min_ns": trip,
            "clock/lo_ns": offset - trip // 2, "clock/hi_ns": offset + trip // 2}


# -------------------------------------------------------------------------------------- the bins

@dataclass(frozen=True)
class Pattern:
    """Interruptions of 64 workers in a window, by worker and time; start, length (detour,) ns.

    lost: (worker, bin) ns. Each worker has as many detours, in all patterns of a window.
    """

    worker: np.ndarray
    start: np.ndarray
    length: np.ndarray
    lost: np.ndarray


@functools.lru_cache(maxsize=None)
def _pattern(bins: int, number: int) -> Pattern:
    rng = np.random.default_rng(number)
    window = bins * WIDTH_NS
    each = max(1, round(DETOURS_HZ * window * 1e-9))
    worker, count = np.repeat(np.arange(ROWS), each), ROWS * each
    length = (200 + rng.exponential(DETOUR_NS, count)).astype(np.int64)
    start = np.sort(rng.integers(0, window - WIDTH_NS, (ROWS, each)), axis=1).ravel()
    lost = np.zeros((ROWS, bins), np.uint32)
    np.add.at(lost, (worker, start // WIDTH_NS), length.astype(np.uint32))
    return Pattern(worker, start, length, np.minimum(lost, WIDTH_NS))


def _level(fleet: Fleet, node: int, launch: int) -> int:
    return round(np.log(fleet.speeds[node, launch]) / STEP)


@functools.lru_cache(maxsize=None)
def _values(bins: int, level: int, name: str) -> np.ndarray:
    """64 workers of one pace in one repetition, (worker, bin)."""
    lost = _pattern(bins, level % PATTERNS).lost
    if name == "lost_ns":
        return lost
    noise = NOISE * np.random.default_rng(1000 + level).standard_normal(lost.shape)
    counts = PER_BIN * np.exp(level * STEP) * (1 - lost / WIDTH_NS) * (1 + noise)
    return np.rint(np.maximum(counts, 0)).astype(np.uint32)


@functools.lru_cache(maxsize=None)
def _chunks(bins: int, level: int, name: str) -> Sequence[bytes]:
    """The same as a file holds it, packed once by HDF5 itself."""
    width = min(COLUMNS, bins)
    with h5py.File("made", "w", driver="core", backing_store=False) as file:
        table = file.create_dataset("x", (1, ROWS, bins), np.uint32, chunks=(1, ROWS, width),
                                    **FILTERS)
        table[0] = _values(bins, level, name)
        return [table.id.read_direct_chunk((0, 0, at))[1] for at in range(0, bins, width)]


def _write_bins(table: h5py.Dataset, fleet: Fleet, nodes: Sequence[int], launch: int) -> None:
    """In ready-made chunks where nodes are whole chunks, else plainly."""
    name = table.name.lstrip("/")
    for rep in range(fleet.repetitions):
        for at, node in enumerate(nodes):
            level = _level(fleet, node, launch)
            for low in range(0, fleet.workers, ROWS):
                row, rows = at * fleet.workers + low, min(ROWS, fleet.workers - low)
                if fleet.workers % ROWS:
                    table[rep, row:row + rows] = _values(fleet.bins, level, name)[:rows]
                    continue
                for number, chunk in enumerate(_chunks(fleet.bins, level, name)):
                    table.id.write_direct_chunk((rep, row, number * COLUMNS), chunk)


def _listed(fleet: Fleet, nodes: Sequence[int], launch: int) -> dict[str, np.ndarray]:
    """/detours: by repetition, worker and time, on each node's own clock."""
    parts = []
    for rep in range(fleet.repetitions):
        for at, node in enumerate(nodes):
            seen = _pattern(fleet.bins, _level(fleet, node, launch) % PATTERNS)
            for low in range(0, fleet.workers, ROWS):
                some = seen.worker < fleet.workers - low
                parts.append(np.stack([
                    np.full(some.sum(), rep), at * fleet.workers + low + seen.worker[some],
                    _begin(node, rep) + seen.start[some], seen.length[some]]))
    names = ("repetition_index", "worker_index", "start_ns", "length_ns")
    return dict(zip(names, np.concatenate(parts, axis=1)))


# -------------------------------------------------------------------------------------- by hand

def main() -> int:
    asked = parse(sys.argv[1:])
    fleet = Fleet(asked.nodes, asked.workers, asked.launches, asked.kernel, asked.bins,
                  asked.repetitions, asked.bad, asked.slow, asked.seed)
    asked.folder.mkdir(parents=True, exist_ok=True)
    made = WRITERS[asked.shape](asked.folder, fleet)
    size = sum(path.stat().st_size for path in made)
    print(f"{len(made)} traces, {size / 2**20:.0f} MiB, in {asked.folder}; "
          f"{fleet.bad_host} is {100 * fleet.slow:g} % slower")
    return 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser("fleet_traces.py", __doc__, "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=WRITERS, default="alone",
                        help="each node by itself (default), all together, or 1, 2, 4 ... nodes")
    for name, default, about in (
            ("nodes", 1000, "of the fleet"), ("workers", 128, "of each node"),
            ("launches", 5, "of everything"), ("bins", 1000, "of 50 us"),
            ("repetitions", 2, "in a launch"), ("bad", 617, "the node that is slower"),
            ("seed", 0, "of all that is made up")):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N",
                            help=f"{about} ({default})")
    parser.add_argument("--kernel", choices=("binning", "dot"), default="binning")
    parser.add_argument("--slow", type=console.share, default=0.05, metavar="SHARE",
                        help="by which it is (5%%)")
    return parser.parse_args(argv)


WRITERS = {"alone": alone, "together": together, "ladder": ladder}

if __name__ == "__main__":
    console.run(main)
