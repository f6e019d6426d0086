"""Reads bindot traces. The only module that knows HDF5; it computes nothing.

Nobody is trusted: traces_check.py reads each file in a child first, which may die of it.

A trace is the record of one launch of one driver. Its schema is facts/trace.md, section 8.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # some file systems cannot lock
os.environ["HDF5_PLUGIN_PRELOAD"] = "::"  # a file must not choose which code is loaded

import h5py  # noqa: E402
import numpy as np  # noqa: E402

import traces_check  # noqa: E402

FORMAT = "bindot-trace"
MAJOR = 1
OPEN = {"locking": False} if h5py.version.version_tuple[:2] >= (3, 5) else {}
DETOURS_PER_BLOCK = 1 << 18
KEPT = 4096  # bytes of a table that a slim trace keeps in memory
DEFLATE = 1032  # bytes out of one, at most (zlib's technical details)
WORKERS_PER_BLOCK = 64  # the writer's chunk: reading other blocks unpacks chunks twice

PER_REPETITION = ("results/rate", "results/seconds", "results/value", "results/residual",
                  "results/checksum", "results/cores_obtained", "results/cores_busy",
                  "results/windows_open", "results/processes_used", "results/cores_of_others",
                  "results/found", "results/lost_share",
                  "wall_start")
PER_WORKER = ("start_ns", "end_ns", "late_ns", "compute_ns", "wait_ns", "combine_ns", "units",
              "results/defined", "detours/dropped")
PER_BIN = ("counts", "lost_ns")
PER_DETOUR = ("repetition_index", "worker_index", "start_ns", "length_ns")  # of /detours
PER_KNOT = ("local_ns", "offset_ns", "rtt_min_ns", "lo_ns", "hi_ns")
OF_CORES = ("busy", "time_ns", "cpu_number")
POSITIVE = ("ranks", "threads_per_rank", "workers", "nodes")  # attributes
NUMBERS = ("size", "iterations", "repetitions", "repetitions_requested", "blas_threads", "bins",
           "bin_width_ns")  # attributes
PLACES = ("rank", "thread", "cpu", "node_index")  # columns of /workers; -1: not known
NEEDED = ("start_ns", "end_ns", "results/rate")


class BadTrace(Exception):
    """A file that cannot be used. Its text is one sentence that names the file."""

    def __init__(self, path: str | os.PathLike, why: str):
        super().__init__(f"{path}: {why}")
        self.path = str(path)
        self.why = why


@dataclass(frozen=True)
class Segment:
    """One start of a launch: where it was stopped and resumed, another begins.

    Clocks are those of the start: no time of one segment can be compared with one of another.
    knots : as Trace.knots, of this segment
    """

    repetitions: slice
    knots: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Trace:
    """One launch. R repetitions, W workers, B bins. shape: (R, W).

    attrs ... : attributes of the root and of the groups, as str, int or float
    arrays    : "start_ns" (R, W), "results/rate" (R,) ...: the small tables that the file has
    workers   : columns of /workers, (W,) or (R, W)
    nodes     : columns of /nodes, (N,)
    knots     : columns of /clock, (K, N): each node's clock against node 0's, K times; or empty
    cores     : columns of /cores, looks at C CPUs at S instants: busy (S, C), time_ns (S,),
                cpu_number (C,); or empty
    begins    : (first repetition, first knot) of each start of the launch, see segments
    bins      : shape (R, W, B) of /counts, or None
    """

    path: str
    attrs: Mapping[str, object]
    arrays: Mapping[str, np.ndarray]
    labels: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    clock: Mapping[str, object] = field(default_factory=dict)
    workers: Mapping[str, np.ndarray] = field(default_factory=dict)
    nodes: Mapping[str, np.ndarray] = field(default_factory=dict)
    knots: Mapping[str, np.ndarray] = field(default_factory=dict)
    cores: Mapping[str, np.ndarray] = field(default_factory=dict)
    begins: Sequence[tuple[int, int]] = ((0, 0),)
    bins: tuple[int, int, int] | None = None
    has_lost: bool = False
    finding_bits: Mapping[str, int] = field(default_factory=dict)  # text -> bit, see workers
    rows: Sequence[int] | None = None  # of the file, if not all of its workers are here
    shape: tuple[int, int] = (0, 0)

    @property
    def repetitions(self) -> int:
        return self.shape[0]

    @property
    def nworkers(self) -> int:
        return self.shape[1]

    @property
    def nbins(self) -> int:
        """B; 0 without /counts."""
        return self.bins[2] if self.bins else 0

    @property
    def hostnames(self) -> tuple[str, ...]:
        return tuple(self.nodes.get("hostname", ()))

    @property
    def cpu_models(self) -> tuple[str, ...]:
        """Each model once; the lead's own if nodes were not asked."""
        known = self.nodes.get("cpu_model")
        return tuple(sorted(set(known))) if known is not None else tuple(
            str(v) for k, v in self.provenance.items() if k == "cpu_model")

    @property
    def segments(self) -> list[Segment]:
        """Those with repetitions, in order: one, unless the launch was resumed."""
        ends = [*self.begins[1:], (self.repetitions, None)]
        return [Segment(slice(begin, end), {name: k[knot:last] for name, k in self.knots.items()})
                for (begin, knot), (end, last) in zip(self.begins, ends) if begin < end]

    @property
    def valid(self) -> bool:
        """Did the run judge itself to be fit for comparison? One without a verdict did not."""
        return self.number("valid") == 1

    @property
    def invalid_reasons(self) -> str:
        """Why it is INVALID, "; " between; "" where it is valid."""
        if self.valid:
            return ""
        return self.text("invalid_reasons") or (
            "no reason recorded" if "valid" in self.attrs else "validity was not recorded")

    def text(self, name: str, default: str = "") -> str:
        """A root attribute as text."""
        return str(self.attrs.get(name, default))

    @overload
    def number(self, name: str) -> int | None: ...

    @overload
    def number(self, name: str, default: int) -> int: ...

    def number(self, name: str, default: int | None = None) -> int | None:
        """A root attribute as an integer; `default` if it is absent or no number."""
        value = self.attrs.get(name)
        try:
            return int(value) if isinstance(value, (str, int, float)) else default
        except ValueError:
            return default

    def array(self, name: str) -> np.ndarray | None:
        return self.arrays.get(name)

    def only(self, rows: Sequence[int]) -> Trace:
        """The same launch with these workers only, in the order of the file."""
        rows = sorted(rows)
        kept = list(rows) if self.rows is None else [self.rows[i] for i in rows]
        return replace(
            self, rows=kept,
            arrays={name: a[:, rows] if a.ndim == 2 else a for name, a in self.arrays.items()},
            workers={name: c[..., rows] for name, c in self.workers.items()},
            shape=(self.repetitions, len(rows)),
            bins=self.bins and (self.bins[0], len(rows), self.bins[2]))

    def slim(self) -> Trace:
        """The same launch, its large tables left in the file: they are read where they are needed,
        and not kept. What remains is some KiB, whatever the number of workers."""
        return replace(self, arrays=_Filed(self, self.arrays, ""),
                       workers=_Filed(self, self.workers, "workers/"))

    def blocks(
        self, name: str = "counts", repetition: int | None = None
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield (repetition, first worker, block (worker, bin)) of /counts or /lost_ns.

        All repetitions, or one. Memory is one block: 64 workers of one repetition.
        """
        with _opened(self.path) as file:
            table = file[name]
            for rep in range(table.shape[0]) if repetition is None else (repetition,):
                for first in range(0, self.nworkers, WORKERS_PER_BLOCK):
                    rows = slice(first, first + WORKERS_PER_BLOCK)
                    yield rep, first, self._block(table, rep, rows)

    def part(self, name: str, repetition: int, workers: slice, bins: slice) -> np.ndarray:
        """A rectangle (worker, bin) of /counts or /lost_ns in one repetition."""
        with _opened(self.path) as file:
            return self._block(file[name], repetition, workers, bins)

    def detour_rows(self) -> dict[tuple[int, int], slice]:
        """Where /detours keeps each (repetition, worker); empty if the trace has no list.

        The writer puts the detours of one worker in one repetition together, in order of time.
        """
        found: dict[tuple[int, int], slice] = {}
        here = None if self.rows is None else {row: i for i, row in enumerate(self.rows)}
        for first, pairs in self.detour_blocks("repetition_index", "worker_index"):
            changes = np.flatnonzero(np.diff(pairs).any(axis=0)) + 1
            for low, high in zip([0, *changes.tolist()], [*changes.tolist(), pairs.shape[1]]):
                rep, worker = pairs[:, low].tolist()
                if here is not None:
                    worker = here.get(worker)
                key = (rep, worker)
                start = found[key].start if key in found else first + low
                if worker is not None:
                    found[key] = slice(start, first + high)
        return found

    def detour_blocks(self, *columns: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, (column, row)) of /detours, some rows at a time; nothing if the trace
        has no list. columns: all unless named."""
        with _opened(self.path) as file:
            if "detours/length_ns" not in file:
                return
            tables = [_table(self.path, file, f"detours/{name}") for name in columns or PER_DETOUR]
            for first in range(0, len(tables[0]), DETOURS_PER_BLOCK):
                part = slice(first, first + DETOURS_PER_BLOCK)
                yield first, np.stack([self._rows(table, part) for table in tables])

    def detours(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """(start on the node's clock, length), ns, both (detour,), of rows of /detours."""
        with _opened(self.path) as file:
            return (self._rows(_table(self.path, file, "detours/start_ns"), rows),
                    self._rows(_table(self.path, file, "detours/length_ns"), rows))

    def _rows(self, table: h5py.Dataset, rows: slice) -> np.ndarray:
        try:
            return table[rows]
        except (OSError, MemoryError) as error:
            raise BadTrace(self.path, f"{table.name} is damaged ({_first_line(error)})") from None

    def _block(self, table: h5py.Dataset, repetition: int, rows: slice,
               bins: slice = slice(None)) -> np.ndarray:
        try:
            block = table[repetition, rows if self.rows is None else self.rows[rows], bins]
        except (OSError, MemoryError) as error:  # a checksum that does not fit, a truncated chunk
            raise BadTrace(self.path, f"{table.name} is damaged ({_first_line(error)})") from None
        if block.size and block.max() == np.iinfo(block.dtype).max:
            raise BadTrace(self.path, f"{table.name} has elements that were never written")
        return block


class _Filed(Mapping[str, np.ndarray]):
    """Tables of a trace, those over KEPT bytes in its file. Raises BadTrace if it has changed."""

    def __init__(self, trace: Trace, tables: Mapping[str, np.ndarray], group: str):
        self._path, self._rows, self._group = trace.path, trace.rows, group
        self._names = dict.fromkeys(tables)
        self._kept = {name: table for name, table in tables.items() if table.nbytes <= KEPT}

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self._kept or name not in self._names:
            return self._kept[name]
        with _opened(self._path) as file:
            try:
                values = _table(self._path, file, self._group + name)[()]
            except (OSError, KeyError, MemoryError) as error:
                raise BadTrace(self._path, f"damaged ({_first_line(error)})") from None
        values = _texts(values) if values.dtype.kind in "OS" else values
        return values if self._rows is None else values[..., list(self._rows)]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def find(paths: list[str]) -> list[str]:
    """Trace files named by `paths`: files as they are, folders searched for *.h5, each once."""
    found: dict[str, None] = {}
    for path in paths:
        if os.path.isdir(path):
            found.update((str(p), None) for p in sorted(Path(path).rglob("*.h5")))
        else:
            found[path] = None
    return list(found)


def read_all(paths: list[str]) -> tuple[list[Trace], list[BadTrace]]:
    """Every trace that can be read, and why the others cannot."""
    bad: list[BadTrace] = []
    return list(each(paths, bad)), bad


def each(paths: list[str], bad: list[BadTrace]) -> Iterator[Trace]:
    """The same one at a time, for more traces than memory holds; `bad` grows on the way."""
    for path in paths:
        if os.path.isdir(path) and not find([path]):
            bad.append(BadTrace(path, "no trace (*.h5) in this folder"))
    seen: dict[str, str] = {}
    files = find(paths)
    for path, why in zip(files, traces_check.reasons(files, _why_not)):
        if why is not None:
            bad.append(BadTrace(path, why))
            continue
        try:
            trace = read(path)
        except BadTrace as error:  # changed since
            bad.append(error)
            continue
        first = seen.setdefault(trace.text("run_id") or path, path)
        if first == path:
            yield trace
        else:  # a copied file is not a second launch
            bad.append(BadTrace(path, f"the same run as {first}, counted once"))


def _why_not(path: str) -> str | None:
    """Reads all that an analysis may read of a file, and says why one cannot; None: it can."""
    try:
        trace = read(path)
        for name, there in zip(PER_BIN, (trace.bins, trace.has_lost)):
            for _ in trace.blocks(name) if there else ():
                traces_check.alive()
        for _ in trace.detour_blocks():
            traces_check.alive()
    except BadTrace as error:
        return error.why
    except Exception as error:  # whatever a library makes of hostile bytes
        return f"damaged ({_first_line(error)})"
    return None


def read(path: str | os.PathLike) -> Trace:
    """The trace in `path`; /counts and /lost_ns stay in the file. Raises BadTrace.

    For files that one trusts: read_all and each look at them in a process of its own first.
    """
    path = os.fspath(path)
    with _opened(path) as file:
        try:
            return _trace(path, file)
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
            raise BadTrace(path, f"damaged ({_first_line(error)})") from None


def _opened(path: str) -> h5py.File:
    if not os.path.exists(path):
        raise BadTrace(path, "no such file")
    if not os.path.isfile(path):
        raise BadTrace(path, "no file, but a folder or a device")
    try:
        return h5py.File(path, "r", **OPEN)
    except OSError as error:
        if not os.access(path, os.R_OK):
            raise BadTrace(path, "no permission to read it") from None
        if path.endswith(".part"):
            raise BadTrace(path, "the journal of an unfinished run; make a trace of it with "
                                 "`bindot-serial recover`") from None
        raise BadTrace(path, f"not a readable HDF5 file ({_first_line(error)})") from None


def _trace(path: str, file: h5py.File) -> Trace:
    attrs = _attributes(file)
    _check_format(path, attrs)
    for group in ("/", "results", "detours"):
        _check_links(path, file, group)
    arrays = {name: _table(path, file, name)[()]
              for name in PER_REPETITION + PER_WORKER if name in file}
    _check_shapes(path, file, arrays)
    workers, nodes = _columns(path, file, "workers"), _columns(path, file, "nodes")
    _check_places(path, workers, nodes, arrays["start_ns"].shape[1])
    knots = _knots(path, file)
    return Trace(
        path=path,
        attrs=attrs,
        arrays=arrays,
        labels=_attributes(_member(file, "labels")),
        provenance=_attributes(_member(file, "provenance")),
        environment=_attributes(_member(file, "provenance/environment")),
        clock=_attributes(_member(file, "clock")),
        workers=workers,
        nodes=nodes,
        cores=_cores(path, file),
        knots=knots,
        begins=_begins(path, file, arrays["start_ns"].shape[0], len(knots.get("local_ns", ()))),
        bins=_shape3(file["counts"]) if "counts" in file else None,
        has_lost="lost_ns" in file,
        shape=arrays["start_ns"].shape,
        finding_bits=_bits(_attributes(_member(file, "workers/findings")).get("bits")),
    )


def _shape3(table: h5py.Dataset) -> tuple[int, int, int]:
    first, second, third = table.shape
    return first, second, third


def _bits(text: object) -> dict[str, int]:
    """"1: two workers on one CPU; 2: ..." as text -> bit; empty if it is anything else."""
    pairs = re.findall(r"(\d+): ([^;]+)", str(text or ""))
    return {words: int(bit) for bit, words in pairs}


def _check_format(path: str, attrs: Mapping[str, object]) -> None:
    if attrs.get("format") != FORMAT:
        raise BadTrace(path, f"HDF5, but no bindot trace (its format is not {FORMAT!r})")
    version = str(attrs.get("format_version", "1.0"))
    if version.split(".")[0] != str(MAJOR):
        raise BadTrace(path, f"format version {version}; these scripts read {MAJOR}.x")
    for name in ("kernel", "layout"):
        if not attrs.get(name):
            raise BadTrace(path, f"the attribute {name} is missing")
    for name, value in attrs.items():
        if not isinstance(value, (str, int, float)):
            raise BadTrace(path, f"the attribute {name} is not one text or number")
    for name in POSITIVE:
        value = attrs.get(name, 1)
        if not isinstance(value, int) or value < 1:
            raise BadTrace(path, f"the attribute {name} is no positive number")
    for name in NUMBERS:
        if isinstance(attrs.get(name), str):
            raise BadTrace(path, f"the attribute {name} is no number")
    parts = attrs.get("parts", 1)
    if isinstance(parts, str) or not isinstance(parts, (int, float)) or parts > 1:
        raise BadTrace(path, "one node's part of a run; per-node traces are not read yet")


def _check_shapes(path: str, file: h5py.File, arrays: Mapping[str, np.ndarray]) -> None:
    for name in NEEDED:
        if name not in arrays:
            raise BadTrace(path, f"the dataset /{name} is missing")
    if arrays["start_ns"].ndim != 2:
        raise BadTrace(path, "/start_ns is not a table of repetition and worker")
    if not arrays["start_ns"].size:
        raise BadTrace(path, "no finished repetition in it")
    reps, workers = arrays["start_ns"].shape
    wanted: dict[str, tuple[int, ...]] = {**dict.fromkeys(PER_REPETITION, (reps,)),
              **dict.fromkeys(PER_WORKER, (reps, workers))}
    for name, array in arrays.items():
        if array.dtype.kind not in "iuf":
            raise BadTrace(path, f"/{name} does not hold numbers")
        each = name == "results/residual" and array.shape == (reps, workers)
        if array.shape != wanted[name] and not each:
            raise BadTrace(path, f"/{name} has the shape {array.shape}, not {wanted[name]}")
    for name in PER_BIN:
        if name not in file:
            continue
        table = _table(path, file, name)
        if table.ndim != 3 or table.shape[:2] != (reps, workers):
            raise BadTrace(path, f"/{name} has the shape {table.shape}, "
                                 f"not ({reps}, {workers}, bin)")
        if table.dtype.kind not in "iu":
            raise BadTrace(path, f"/{name} does not hold whole numbers")
    if all(name in file for name in PER_BIN) and file["counts"].shape != file["lost_ns"].shape:
        raise BadTrace(path, "/counts and /lost_ns differ in shape")


def _check_places(path: str, workers: Mapping[str, np.ndarray], nodes: Mapping[str, np.ndarray],
                  number: int) -> None:
    """A row for each worker, and no worker on a node that has no row."""
    for name, column in workers.items():
        if column.ndim not in (1, 2) or column.shape[-1] != number:
            raise BadTrace(path, f"/workers/{name} has the shape {column.shape}, "
                                 f"not of {number} workers")
    for name in filter(workers.__contains__, PLACES):
        column = workers[name]
        if column.dtype.kind not in "iu" or column.min() < -1:
            raise BadTrace(path, f"/workers/{name} does not hold numbers from -1 on")
    index, names = workers.get("node_index"), nodes.get("hostname")
    if names is not None and (names.ndim != 1 or names.dtype != object):
        raise BadTrace(path, "/nodes/hostname is not a list of texts")
    if index is not None and names is not None and index.max() >= len(names):
        raise BadTrace(path, "/workers/node_index names a node that is not in /nodes")


def _check_links(path: str, file: h5py.File, name: str) -> None:
    """All that a group holds is in this file: a link elsewhere reads what nobody meant."""
    group = _member(file, name)
    if not isinstance(group, h5py.Group):
        return
    for member in group:
        # group.get(member, getlink=True) says the same in five times the time
        link = group.id.links.get_info(member.encode("utf-8", "surrogateescape"))
        if link.type != h5py.h5l.TYPE_HARD:
            raise BadTrace(path, f"{group.name.rstrip('/')}/{member} is a link, not data")


def _member(file: h5py.File, name: str) -> h5py.Group | h5py.Dataset | None:
    """None if it is absent; file.get() says so of a damaged one too."""
    return file[name] if name in file else None


def _table(path: str, file: h5py.File, name: str) -> h5py.Dataset:
    """A dataset whose bytes are in this file: another file's may be missing without an error."""
    table = file[name]
    if not isinstance(table, h5py.Dataset):
        raise BadTrace(path, f"/{name} is not a dataset")
    if table.is_virtual or table.external:
        raise BadTrace(path, f"/{name} keeps its data in another file")
    size = os.path.getsize(path)
    if table.size * table.dtype.itemsize > DEFLATE * size:
        raise BadTrace(path, f"/{name} claims {table.size} elements, more than {size} bytes hold")
    return table


def _knots(path: str, file: h5py.File) -> dict[str, np.ndarray]:
    """All columns of /clock, or none: traces of before there were knots have none."""
    columns = {name: values for name, values in _columns(path, file, "clock").items()
               if name in PER_KNOT}
    shapes = {values.shape for values in columns.values()}
    whole = len(columns) == len(PER_KNOT) and len(shapes) == 1
    if columns and not (whole and columns["local_ns"].ndim == 2):
        raise BadTrace(path, "/clock does not hold whole knots of all nodes")
    return columns if columns and columns["local_ns"].size else {}


def _cores(path: str, file: h5py.File) -> dict[str, np.ndarray]:
    """All columns of /cores, or none."""
    columns = {name: values for name, values in _columns(path, file, "cores").items()
               if name in OF_CORES}
    if not columns:
        return {}
    if any(values.dtype.kind not in "iuf" for values in columns.values()):
        raise BadTrace(path, "/cores does not hold numbers")
    shape = tuple(columns[name].size for name in ("time_ns", "cpu_number") if name in columns)
    if "busy" not in columns or columns["busy"].shape != shape:
        raise BadTrace(path, "/cores does not hold a sample of every CPU at every instant")
    return columns


def _begins(path: str, file: h5py.File, reps: int, knots: int) -> list[tuple[int, int]]:
    """Traces of before runs could be resumed do not tell: one segment."""
    columns = _columns(path, file, "segments")
    if not columns:
        return [(0, 0)]
    rep, knot = (columns.get(f"first_{name}_index", np.empty(0)) for name in ("repetition", "knot"))
    whole = all(p.dtype.kind == "i" and p.ndim == 1 and p.size and not p[0] for p in (rep, knot))
    if not (whole and len(rep) == len(knot) and (np.diff(rep) >= 0).all() and rep[-1] <= reps):
        raise BadTrace(path, "/segments does not divide its repetitions")
    if knots and not ((np.diff(knot) > 0).all() and knot[-1] < knots):
        raise BadTrace(path, "/segments does not divide its knots")
    return list(zip(rep.tolist(), knot.tolist()))


def _columns(path: str, file: h5py.File, name: str) -> dict[str, np.ndarray]:
    group = _member(file, name)
    if not isinstance(group, h5py.Group):
        return {}
    _check_links(path, file, name)
    columns = {}
    for column in group:
        table = _table(path, file, f"{name}/{column}")
        values = table[()]
        if values.dtype.kind in "OS":
            _check_texts(path, table, values)
            values = _texts(values)
        columns[column] = values
    return columns


def _check_texts(path: str, table: h5py.Dataset, values: np.ndarray) -> None:
    """HDF5's heap of texts has no checksum: ours is an attribute. Traces of before it have none."""
    if "text_checksum" not in table.attrs:
        return
    if _plain(table.attrs["text_checksum"]) != text_checksum(values):
        raise BadTrace(path, f"the texts of {table.name} are damaged")


def text_checksum(values: np.ndarray) -> int:
    """Of texts as bytes: the sum of CRCs, each over the place and the text, in any order."""
    return sum(zlib.crc32(text, zlib.crc32(i.to_bytes(8, "little")))
               for i, text in enumerate(values.ravel().tolist()) if text)


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([_plain(v) for v in values.ravel()], dtype=object).reshape(values.shape)


def _attributes(group: h5py.Group | None) -> dict[str, object]:
    if group is None:
        return {}
    return {name: _plain(value) for name, value in group.attrs.items()}


def _plain(value: object) -> object:
    """HDF5's value as str, int, float or list."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return _plain(value.ravel()[0]) if value.size == 1 else [_plain(v) for v in value.ravel()]
    return value.item() if isinstance(value, np.generic) else value


def _first_line(error: BaseException) -> str:
    return (str(error).strip("'\"").splitlines() or [type(error).__name__])[0]
