"""From traces to nodes: what each launch says about each node that took part in it.

A trace may hold one node or many; a node's own pace does not depend on the others, because the
time that workers wait for each other is kept apart in the trace. Nothing is judged here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

import cells
import clock_fault
import detours
import stats
import ways
from traces import BadTrace, Trace

WORK = tuple(name for name in cells.WORK if name != "inject")  # a fault is of a node, not of work
TEXTS = {"governor": "governor", "kernel_release": "kernel", "openblas": "BLAS library",
         "blas_core": "BLAS core", "dot_variant": "instruction set"}
COUNTED = ("migrations", "involuntary_switches")  # of each worker in each repetition
LATE = "started after the agreed instant"  # the driver's words
NOTHING = 1e-12  # a second, or a share: what a node did that did nothing. It has a logarithm
MEASURES = {"rate": "pace of its slowest worker", "lost": "time lost by its worst worker"}


@dataclass(frozen=True)
class Kind:
    """What peers have in common besides their CPU model. work: the values of WORK."""

    work: tuple
    layout: str
    way: str
    nodes: int
    workers: int  # of each node
    blas_threads: int
    kernel_hash: str

    @property
    def kernel(self) -> str:
        return str(self.work[0])

    @property
    def words(self) -> list[str]:
        """The work."""
        return cells.describe({**dict.fromkeys(cells.WORK), **dict(zip(WORK, self.work))})

    @property
    def title(self) -> str:
        each = f"{self.workers} worker{'s' * (self.workers != 1)} a node"
        alone = "" if self.nodes == 1 else f" in runs of {self.nodes} nodes"
        way = f", {self.way}" if self.way else ""
        return ", ".join(self.words) + f"{way}; {each}{alone}"


@dataclass(frozen=True)
class Visit:
    """One node in one launch.

    rows   : its workers in the trace
    begin  : ns since 1970, for the order of launches; 0: unknown
    values : measure -> value, units per second or a share; slowest: worker that set the pace
    uneven : pace of the slowest worker over that of the middle one, - 1
    facts  : numbers and texts that may explain a difference
    clock  : what there is to say of its clock; None: it was not compared with two others and more
    """

    path: str
    host: str
    cpu_model: str
    kind: Kind
    rows: tuple[int, ...]
    begin: int
    values: Mapping[str, float]
    slowest: int
    uneven: float
    valid: bool
    reasons: tuple[str, ...]
    facts: Mapping[str, object] = field(default_factory=dict)
    clock: clock_fault.Look | None = None

    def tells(self, name: str, allow_invalid: bool = False) -> bool:
        """Whether a value counts. A late start makes a launch INVALID; to the time lost it is
        the evidence, and to leave it out would clear the node that is stopped most.
        """
        late = name == "lost" and set(self.reasons) == {LATE}
        return name in self.values and (self.valid or late or allow_invalid)


@dataclass(frozen=True)
class Measure:
    """One thing measured on all nodes of one kind.

    x : (node, round) log of a rate, nan: not measured. For lost time: log(1 - share lost).
    """

    kind: Kind
    name: str
    cpu_model: str
    hosts: tuple[str, ...]
    x: np.ndarray


def visits(found: Iterable[Trace], bad: list[BadTrace]) -> list[Visit]:
    """Every node in every launch. A trace is reduced before the next one is read."""
    seen: list[Visit] = []
    for _ in watched(found, seen, bad):
        pass
    return seen


def watched(found: Iterable[Trace], seen: list[Visit], bad: list[BadTrace]) -> Iterator[Trace]:
    """The traces as they come, those whose bins cannot be read left out; `seen` grows on the way
    by their visits."""
    for trace in found:
        try:
            seen += visit(trace)
        except BadTrace as error:
            bad.append(error)
        else:
            yield trace


def visit(trace: Trace) -> list[Visit]:
    """One launch, node by node."""
    index = np.asarray(trace.workers.get("node_index", np.zeros(trace.nworkers)), int)
    pace, lost = _bins(trace) if trace.bins and trace.bins[2] else (_pace(trace), None)
    clocks, all_ = _clocks(trace), _all(trace)
    return [replace(_visit(trace, node, np.flatnonzero(index == node), pace, lost, all_),
                    clock=clocks.get(node)) for node in sorted(set(index.tolist()))]


def _clocks(trace: Trace) -> dict[int, clock_fault.Look]:
    """node -> its clock, in the start of the launch that says most."""
    found: dict[int, clock_fault.Look] = {}
    for segment in trace.segments:
        for node, seen in enumerate(clock_fault.looks(segment.knots)):
            if node not in found or len(seen.faults) > len(found[node].faults):
                found[node] = seen
    return found


def _visit(trace: Trace, node: int, rows: np.ndarray, pace: np.ndarray,
           lost: np.ndarray | None, all_: All) -> Visit:
    mine = np.median(pace[:, rows], axis=0)
    slowest = int(np.argmin(mine))
    # Within a repetition everybody waits for its slowest worker; a window waits for nobody.
    rate = len(rows) * (mine[slowest] if lost is not None
                        else float(np.median(pace[:, rows].min(axis=1))))
    values = {"rate": float(rate)}
    if lost is not None:
        values["lost"] = float(lost[:, rows].mean(axis=0).max())
    middle = float(np.median(mine))
    reasons = tuple(text for text, share in all_.reasons.items() if _is_mine(share, rows))
    return Visit(
        trace.path, _named(trace.hostnames, node) or f"node {node}",
        _named(trace.nodes.get("cpu_model", np.empty(0)), node) or ", ".join(trace.cpu_models),
        _kind(trace, len(rows)), tuple(rows.tolist()), all_.begin, values,
        int(rows[slowest]), float(mine[slowest] / middle - 1) if middle > 0 else math.nan,
        not reasons, reasons, _facts(trace, node, rows, all_))


def _kind(trace: Trace, workers: int) -> Kind:
    work = dict(zip(cells.WORK, cells.work_of(trace)))
    return Kind(tuple(work[name] for name in WORK), trace.text("layout"), ways.words(trace.attrs),
                max(trace.number("nodes", 1), 1), workers,
                max(trace.number("blas_threads", 1), 1), trace.text("kernel_hash"))


def _named(names: Sequence[str] | np.ndarray, node: int) -> str:
    return str(names[node]) if node < len(names) else ""


def _begin(trace: Trace) -> int:
    walls = trace.array("wall_start")
    return int(walls[0]) if walls is not None else 0


# ---------------------------------------------------------------------------------- the measures

def _pace(trace: Trace) -> np.ndarray:
    """Units per second of computing, waiting left out: (repetition, worker)."""
    units, compute = trace.array("units"), trace.array("compute_ns")
    if units is None or compute is None or not np.all(compute > 0):
        return np.repeat(trace.arrays["results/rate"][:, None] / trace.nworkers, trace.nworkers, 1)
    return units / (compute * 1e-9)


def _bins(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """(undisturbed units per second, share of the window lost), both (repetition, worker).

    Before its first unit a worker saw no detour, but that time is lost all the same.
    """
    reps, workers, nbins = trace.repetitions, trace.nworkers, trace.nbins
    pace, lost = np.zeros((reps, workers)), np.zeros((reps, workers))
    width = (trace.number("bin_width_ns") or 1) * 1e-9
    for rep, first, counts in trace.blocks("counts"):
        rows = slice(first, first + len(counts))
        pace[rep, rows] = stats.undisturbed_counts(counts) / width
        lost[rep, rows] = (detours.late_bins(counts) / nbins if trace.has_lost
                           else stats.lost_share(counts))
    if trace.has_lost:
        for rep, first, block in trace.blocks("lost_ns"):
            lost[rep, first:first + len(block)] += block.mean(axis=1) * 1e-9 / width
    return pace, np.clip(lost, 0, 1)


# ------------------------------------------------------------------------------------- the facts

@dataclass(frozen=True)
class All:
    """What one launch says of all workers, read once and not for each of a thousand nodes.

    reasons : why it is INVALID -> (worker,) share of the repetitions in which that was seen
    counted : column of /workers -> (worker,) sum over repetitions; -1: nobody counted
    begin, seconds : see Visit; all repetitions together
    """

    reasons: Mapping[str, np.ndarray]
    counted: Mapping[str, np.ndarray]
    begin: int
    seconds: float


def _all(trace: Trace) -> All:
    counted = {name: np.where((table >= 0).all(axis=0), table.sum(axis=0), -1) for name in COUNTED
               if (table := trace.workers.get(name)) is not None and np.ndim(table) == 2}
    return All(_reasons(trace), counted, _begin(trace), float(cells.wall_ns(trace).sum()) * 1e-9)


def _reasons(trace: Trace) -> dict[str, np.ndarray]:
    """Empty if the launch is valid.

    The driver judges the whole run. Where it says which worker each finding was seen in, a node
    without any is not to blame for the others'; else all are.
    """
    if trace.valid:
        return {}
    texts = tuple(re.sub(r" \([^()]*worker[^()]*\)$", "", text)
                  for text in trace.invalid_reasons.split("; "))
    seen, bits = trace.workers.get("findings"), trace.finding_bits
    everybody = np.ones(trace.nworkers)
    return {text: everybody if seen is None or text not in bits
            else ((seen & bits[text]) > 0).mean(axis=0)
            for text in texts}


def _is_mine(share: np.ndarray, rows: np.ndarray) -> bool:
    """These workers show the finding about as often as those that show it most."""
    return bool(share[rows].max() >= 0.5 * share.max())


def _facts(trace: Trace, node: int, rows: np.ndarray, all_: All) -> dict[str, object]:
    """What may explain a difference. Numbers are per second of the node's workers, or shares."""
    facts: dict[str, object] = {}
    if len(trace.hostnames) == 1:  # the lead's; of other nodes nobody asked
        facts.update({name: text for key, name in TEXTS.items() if (
            text := str(trace.provenance.get(key) or trace.attrs.get(key) or ""))})
        facts["clock source"] = str(trace.clock.get("source", ""))
    for column, name in (("steal_ns", "steal"), ("throttled", "throttled")):
        values = trace.nodes.get(column)
        if values is not None and np.ndim(values) == 2 and (values[:, node] >= 0).all():
            scale = 1e-9 / (all_.seconds * len(rows)) if column == "steal_ns" else 1.0
            facts[name] = float(values[:, node].sum()) * scale
    for column, sums in all_.counted.items():
        if (sums[rows] >= 0).all():
            facts[column.replace("_", " ")] = float(sums[rows].sum()) / (all_.seconds * len(rows))
    return {name: value for name, value in facts.items() if value != ""}


# ------------------------------------------------------------------------------- side by side

def measures(seen: Sequence[Visit], allow_invalid: bool = False) -> list[Measure]:
    """Matrices of peers. Of several ways in which the same work was run, the one that says most:

    with the most launches by node, then the fewest nodes in a run.
    """
    by_kind: dict[tuple[Kind, str], dict[str, list[Visit]]] = {}
    for one in seen:
        if any(one.tells(name, allow_invalid) for name in one.values):
            by_kind.setdefault((one.kind, one.cpu_model), {}).setdefault(one.host, []).append(one)
    best: dict[tuple, tuple[Kind, str]] = {}
    for (kind, cpu), hosts in sorted(by_kind.items(), key=lambda item: _preferred(*item)):
        best.setdefault((kind.work, cpu), (kind, cpu))
    found = []
    for key in sorted(best.values(), key=str):
        hosts = by_kind[key]
        names = tuple(sorted(hosts, key=natural))
        for name in next(iter(hosts.values()))[0].values:
            found.append(Measure(key[0], name, key[1], names,
                                 matrix([hosts[h] for h in names], name, allow_invalid)))
    return found


def called(found: Iterable[Measure]) -> dict[tuple, str]:
    """work -> its name, in the fewest words: the kernel's, and what tells several works of it
    apart, "dot (size 500 000)"."""
    said: dict[str, dict[tuple, list[str]]] = {}
    for one in found:
        said.setdefault(one.kind.kernel, {})[one.kind.work] = one.kind.words
    return {work: kernel + (f" ({', '.join(own)})" if (own := [
        word for word in words if not all(word in others for others in works.values())]) else "")
        for kernel, works in said.items() for work, words in works.items()}


def _preferred(key: tuple[Kind, str], hosts: Mapping[str, list[Visit]]) -> tuple:
    return (-min(5, min(map(len, hosts.values()))) * len(hosts), key[0].nodes, str(key))


def matrix(nodes: Sequence[Sequence[Visit]], name: str, allow_invalid: bool) -> np.ndarray:
    """(node, round) of logs. The n-th launch of every node, in order of time, is a round."""
    rounds = max(map(len, nodes))
    x = np.full((len(nodes), rounds), math.nan)
    for row, launches in zip(x, nodes):
        for at, one in enumerate(sorted(launches, key=lambda v: (v.begin, v.path))):
            if not one.tells(name, allow_invalid):  # or has no bins, among those with
                continue
            value = one.values[name]
            positive = 1 - value if name == "lost" else value
            row[at] = math.log(max(positive, NOTHING))
    return x


def are_interleaved(seen: Sequence[Visit]) -> bool:
    """Most nodes' launches overlap in time with most others'. One node after the other: a machine
    that slows down over the hour would look like a slow last node.
    """
    times: dict[str, list[int]] = {}
    for one in seen:
        times.setdefault(one.host, []).append(one.begin)
    if len(times) < 2 or min(map(len, times.values())) < 2:
        return True
    spans = np.array([(min(t), max(t)) for t in times.values()])
    begin, end = np.median(spans, axis=0)
    return bool(np.mean((spans[:, 0] <= end) & (spans[:, 1] >= begin)) > 0.5)


def natural(name: str) -> tuple:
    """Sorts node2 before node10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part)
                 for part in re.split(r"(\d+)", name) if part)
