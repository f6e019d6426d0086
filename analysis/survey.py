"""Goes through one trace worker by worker and collects what the noise modules say.

Memory: the series of a few workers at a time (BUDGET), whatever the size of the trace; for the
replay, which needs all workers at once, a slab of time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

import bsp
import detours
import finding
import grids
import portrait
import signatures_team
import stats
import timeline
from finding import Finding
from portrait import Portrait, Series, Setting
from traces import WORKERS_PER_BLOCK, BadTrace, Trace

BUDGET = 128 << 20  # bytes of series in memory at once
BLOCKS = 1200  # bootstrap blocks of all workers together
EMPTY_KEPT = 0.05  # share of empty bins from which a worker's mask is kept for comparison
SLAB_STEPS = 200  # a slab of the replay holds at least so many steps
STEPS = 200_000  # of a replay: enough for 1 %
COLUMNS = 300
UNSTEADY = 0.25  # halves of the trace that differ by more of the predicted loss


@dataclass(frozen=True)
class Grain:
    """Prediction for steps of `grain` ns. steps: seen, back to back; reach: largest P from them.

    halves: (P, S of the first half, S of the second half of the time), or None
    """

    grain: float
    steps: int
    reach: int
    predictions: Sequence[bsp.Prediction]
    replay: bsp.Replay | None
    side_by_side: bsp.Prediction | None  # for P = the replay's ranks, of independent workers
    halves: tuple[int, float, float] | None
    why_not: str = ""

    @property
    def steady(self) -> bool:
        if self.halves is None:
            return True
        low, high = sorted(self.halves[1:])
        return high - low <= UNSTEADY * (high - 1) + 0.005


@dataclass(frozen=True)
class Survey:
    """Everything about one trace. findings: one per cause, worst over workers."""

    trace: Trace
    setting: Setting
    portraits: Sequence[Portrait]
    findings: Sequence[Finding]
    grains: Sequence[Grain]
    notes: Sequence[str]

    @property
    def seconds(self) -> float:
        """Of one worker, all repetitions."""
        return self.trace.repetitions * self.setting.whole * 1e-9


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; grains and barrier in ns. None: chosen from the trace."""

    grains: tuple[float, ...] = (1e5, 1e6, 1e7)
    procs: tuple[int, ...] | None = None
    barrier: float = 0.0
    work: str = "lost"


Visit = Callable[[int, Series], None]


def survey(trace: Trace, wishes: Wishes, visit: Visit | None = None) -> Survey:
    """One pass over the trace (and one more for the replay). visit: sees each worker's series."""
    check(trace)
    setting = settings(trace, wishes)
    nodes = column(trace, "node_index", 0)
    portraits: list[Portrait] = []
    masks: dict[int, np.ndarray] = {}
    hit: dict[int, np.ndarray] = {}
    hit_share = np.zeros(trace.nworkers)
    mates = {node: int((nodes == node).sum()) for node in set(nodes.tolist())}
    for worker, series in each_worker(trace, setting, wishes.work):
        if visit:
            visit(worker if trace.rows is None else trace.rows[worker], series)
        portraits.append(portrait.paint(worker, series, setting, COLUMNS))
        if portraits[-1].empty > EMPTY_KEPT:
            masks[worker] = portrait.empty_bits(series.counts)
        if mates[node := int(nodes[worker])] > 1 or len(mates) > 1:
            hits = portrait.hits(series.lost)
            hit_share[worker] = hits.mean()
            hit[node] = hit.get(node, np.zeros(len(hits), np.uint16)) + hits
    found = [finding.worst(same) for same in zip(*(p.findings for p in portraits))]
    found += team_findings(trace, setting, nodes, portraits, masks, hit, hit_share)
    axis = common_axis(trace, setting.whole)
    if len(mates) > 1:
        found.append(all_nodes(trace, setting, axis, hit, mates))
    grains = [grain(trace, setting, wishes, portraits, axis, g) for g in setting.grains]
    portraits, found = named(trace, portraits, found)
    return Survey(trace, setting, portraits, found, grains, notes(trace, setting, portraits))


def losses(trace: Trace) -> np.ndarray:
    """Share of the time that each worker lost, (worker,), from one cheap pass over the trace."""
    lost = np.zeros(trace.nworkers)
    for _, first, block in trace.blocks("lost_ns" if trace.has_lost else "counts"):
        lost[first:first + len(block)] += (
            block.mean(axis=1) / trace.number("bin_width_ns") if trace.has_lost
            else stats.lost_share(block))
    return lost / trace.repetitions


def named(trace: Trace, portraits: Sequence[Portrait],
          found: Sequence[Finding]) -> tuple[list[Portrait], list[Finding]]:
    """Workers by their numbers in the file, where only some of them were looked at."""
    rows = range(trace.nworkers) if trace.rows is None else trace.rows

    def of_file(one: Finding) -> Finding:
        return replace(one, workers=tuple(rows[w] for w in one.workers))
    return ([replace(p, worker=rows[p.worker], findings=list(map(of_file, p.findings)))
             for p in portraits], list(map(of_file, found)))


def check(trace: Trace) -> None:
    """Refuse what holds no noise to measure."""
    if trace.text("kernel") != "binning":
        raise BadTrace(trace.path, f"kernel {trace.text('kernel')}: no time bins; noise needs "
                                   "a trace of the kernel binning")
    if not trace.nbins:
        raise BadTrace(trace.path, "no /counts in it")
    if not trace.number("bin_width_ns"):
        raise BadTrace(trace.path, "the attribute bin_width_ns is missing")
    for name, option in (("wait_ns", "--wait"), ("sync_every", "--sync-every")):
        if trace.number(name, 0):
            raise BadTrace(trace.path, f"its workers waited on purpose ({option}): what they lost "
                                       "is no noise")


def settings(trace: Trace, wishes: Wishes) -> Setting:
    width = float(trace.number("bin_width_ns", 1))
    own = trace.text("storage", "private") != "atomic"
    if not own and not trace.has_lost:
        raise BadTrace(trace.path, "--storage atomic and no /lost_ns: nothing per worker in it")
    return Setting(width, width * trace.nbins, float(trace.number("detour_threshold_ns", 0)),
                   clock_number(trace, "step_ns"), clock_number(trace, "read_cost_ns"),
                   wishes.grains, max(1, BLOCKS // trace.nworkers), own)


def clock_number(trace: Trace, name: str) -> float:
    try:
        return float(str(trace.clock[name]))
    except (KeyError, TypeError, ValueError):
        return math.nan


def column(trace: Trace, name: str, default: int) -> np.ndarray:
    """A column of /workers, (worker,); the first repetition of one that has several."""
    values = trace.workers.get(name)
    if values is None:
        return np.full(trace.nworkers, default)
    return values[0] if values.ndim == 2 else values


# ------------------------------------------------------------------------------- worker by worker

def each_worker(trace: Trace, setting: Setting, work: str) -> Iterator[tuple[int, Series]]:
    """Every worker's series. As many are read at once as fit BUDGET: chunks hold 64 of them."""
    reps, workers, bins = trace.repetitions, trace.nworkers, trace.nbins
    group = max(1, min(WORKERS_PER_BLOCK, BUDGET // (reps * bins * 8)))
    rows = trace.detour_rows()
    has_list = trace.array("detours/dropped") is not None
    origin = origins(trace)
    for first in range(0, workers, group):
        part = slice(first, min(first + group, workers))
        counts = [trace.part("counts", r, part, slice(None)) for r in range(reps)]
        lost = [trace.part("lost_ns", r, part, slice(None)) if trace.has_lost else None
                for r in range(reps)]
        for i, worker in enumerate(range(part.start, part.stop)):
            yield worker, Series(
                *_own(setting, work, [c[i] for c in counts],
                      [None if x is None else x[i] for x in lost]),
                [_listed(trace, rows.get((r, worker)), r, worker, origin) for r in range(reps)]
                if has_list else None,
                starts_s(trace, origin[:, worker]).tolist(),
                _switches(trace, worker))
        del counts, lost  # before the next ones are read


def _own(setting: Setting, work: str, counts: list, lost: list) -> tuple[list, list]:
    """Units and lost ns of each bin as the modules want them."""
    if not setting.own:  # all threads' units are in one column: only absence is the worker's own
        counts = [(x < setting.width - 1).astype(np.uint32) for x in lost]
    if work == "counts" or lost[0] is None:
        lost = [detours.lost_from_counts(c, setting.width) for c in counts]
    return counts, lost


def _listed(trace: Trace, rows: slice | None, repetition: int, worker: int,
            origin: np.ndarray) -> detours.Listed:
    dropped = int(trace.arrays["detours/dropped"][repetition, worker])
    if rows is None:
        return detours.Listed(np.array([]), np.array([]), dropped)
    start, length = trace.detours(rows)
    return detours.Listed((start - origin[repetition, worker]).astype(float),
                          length.astype(float), dropped)


def starts_s(trace: Trace, origin: np.ndarray) -> np.ndarray:
    """Repetitions of one worker on one axis, (repetition,) s from the first: by its node's clock
    inside a segment, by the calendar from one to the next. origin (repetition,) ns."""
    walls = trace.array("wall_start")
    found = np.zeros(len(origin))
    for segment in trace.segments:
        first = segment.repetitions.start
        begin = (walls[first] - walls[0]) * 1e-9 if walls is not None else found.max()
        found[segment.repetitions] = begin + (origin[segment.repetitions] - origin[first]) * 1e-9
    return found


def origins(trace: Trace) -> np.ndarray:
    """Left edge of bin 0 on the node's clock, (repetition, worker) ns.

    In traces that do not tell the agreed instant: the earliest start of the node, which is within
    nanoseconds of it unless all of its workers were late.
    """
    starts, late = trace.arrays["start_ns"], trace.array("late_ns")
    if late is None:
        late = signatures_team.lateness(starts, column(trace, "node_index", 0))
    return starts - late.astype(np.int64)


def _switches(trace: Trace, worker: int) -> int | None:
    values = trace.workers.get("involuntary_switches")
    if values is None or values.ndim != 2:
        return None
    mine = values[:, worker]
    return int(mine.sum()) if (mine >= 0).all() else None


# ------------------------------------------------------------------------------- several nodes

def common_axis(trace: Trace, whole: float) -> list[grids.Grid]:
    """Each node's bins on one axis; empty for one node, and where clocks were not compared.

    whole: ns of a repetition.
    """
    nodes = column(trace, "node_index", 0)
    numbers, first = np.unique(nodes, return_index=True)
    if len(first) < 2 or not trace.knots:
        return []
    origin, axes = origins(trace)[:, first], []
    for segment in trace.segments:
        cords = timeline.cords(segment.knots)
        axes.append(grids.grids([cords[node] for node in numbers], origin[segment.repetitions],
                                int(whole), trace.nbins))
    return grids.chain(axes)


def all_nodes(trace: Trace, setting: Setting, axis: Sequence[grids.Grid], hit: dict,
              mates: dict) -> Finding:
    """Stops of whole nodes, brought to the common axis. hit: node -> (bin,) workers that stop."""
    stops = []
    for grid, node in zip(axis, sorted(mates)):
        rep, at = np.divmod(np.flatnonzero(hit[node] >= mates[node]), trace.nbins)
        stops.append(grid.first[rep] + np.rint(at * grid.step[rep]).astype(np.int64))
    return signatures_team.all_nodes(stops, grids.pair(axis), setting.width,
                                     setting.whole * trace.repetitions)


# --------------------------------------------------------------------------- several workers

def team_findings(trace: Trace, setting: Setting, nodes: np.ndarray, portraits: list,
                  masks: dict, hit: dict, hit_share: np.ndarray) -> list[Finding]:
    """Causes that only several workers together show."""
    cpus, cores = column(trace, "cpu", -1), column(trace, "core", -1)
    starts = trace.arrays["start_ns"]
    late = signatures_team.late_start(starts, nodes, setting.width, trace.array("late_ns"))
    turns = signatures_team.taking_turns(masks, nodes, cpus, setting.width,
                                         trace.text("lock") or trace.text("gil"))
    rates = np.array([p.running for p in portraits])
    shared = signatures_team.shared_core(rates, nodes, cores, cpus, trace.text("work_unit"))
    stops = []
    for node in sorted(set(nodes.tolist())):
        mine = np.flatnonzero(nodes == node)
        found = signatures_team.together(hit.get(node, np.zeros(1)), len(mine),
                                         hit_share[mine].tolist())
        stops.append(replace(found, workers=tuple(mine[list(found.workers)].tolist())))
    uneven = signatures_team.uneven_loss(np.array([p.lane for p in portraits]), nodes)
    return [late, turns, uneven, shared, finding.worst(stops)]


# ------------------------------------------------------------------------------ the prediction

def grain(trace: Trace, setting: Setting, wishes: Wishes, portraits: Sequence[Portrait],
          axis: Sequence[grids.Grid], size: float) -> Grain:
    """Slowdown of steps of `size` ns. axis: of several nodes."""
    work = [p.work[size] for p in portraits if size in p.work and p.work[size].number]
    time = [p.time[size] for p in portraits if size in p.work and p.work[size].number]
    if not work:
        why = ("below the bin width: run with narrower bins" if size < setting.width else
               "too long for these repetitions: run with more bins")
        return Grain(size, 0, 0, (), None, None, None, why)
    steps = sum(s.number for s in work)
    reach = bsp.reach(steps)
    overhead = wishes.barrier / size
    procs = [p for p in wishes.procs or default_procs(reach) if p <= reach]
    ran = replay(trace, setting, wishes, axis, size) if trace.nworkers > 1 else None
    beside = bsp.predict(work, time, [ran.ranks], overhead, draws=0)[0] if ran else None
    return Grain(size, steps, reach, bsp.predict(work, time, procs, overhead), ran, beside,
                 halves(work, overhead))


def default_procs(reach: int) -> list[int]:
    """1, 4, 16 ... as far as the trace reaches, but no further than 65536."""
    return [p for p in (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536) if p <= reach]


def halves(work: Sequence[bsp.Sample], overhead: float) -> tuple[int, float, float] | None:
    """(P, S from the first half of each worker's time, from the second), P as far as they reach."""
    if any(len(s.steps) < 2 for s in work):
        return None
    sides = [bsp.pool(side) for side in zip(*(s.halves() for s in work))]
    ranks = bsp.reach(min(s.number for s in sides))
    first, second = (bsp.predict([s], [s], [ranks], overhead, draws=0)[0].slowdown for s in sides)
    return ranks, first, second


def replay(trace: Trace, setting: Setting, wishes: Wishes, axis: Sequence[grids.Grid],
           size: float) -> bsp.Replay | None:
    """All workers as ranks of one program, on the axis that they really shared.

    None if several nodes share none, or one known worse than steps are long.
    """
    nodes = column(trace, "node_index", 0)
    if len(set(nodes.tolist())) > 1 and not grids.pair(axis) < size:
        return None
    if not trace.has_lost or wishes.work == "counts":
        return None
    width = setting.width
    late = trace.arrays["start_ns"] - origins(trace)
    per_slab = int(BUDGET / (8 * trace.nworkers))
    per_slab = max(per_slab, int(SLAB_STEPS * size / width))
    steps, times, total = [], [], 0
    for rep in range(trace.repetitions):
        lines = grids.lines(axis, rep, nodes, width)
        begin = lines[0] + late[rep] / width * lines[1]
        end = lines[0] + trace.nbins * lines[1]
        first, last = int(np.ceil(begin.max())), int(np.floor(end.min()))  # everybody is there
        for low in range(first, last, per_slab):
            edges = np.arange(low, min(low + per_slab, last) + 1)
            clocks = list(_clocks(trace, rep, width, edges, lines))
            whole = (len(edges) - 1) * width
            done = bsp.replay_chains(clocks, width, size, bsp.chain_count(whole, size),
                                     wishes.barrier)
            steps.append(done[0])
            times.append(done[1])
            total += int(done[0].sum())
            if total > STEPS:
                break
        if total > STEPS:
            break
    if not steps:
        return None
    return bsp.replay(np.concatenate(steps), np.concatenate(times), trace.nworkers, size,
                      wishes.barrier)


def _clocks(trace: Trace, rep: int, width: float, edges: np.ndarray,
            lines: np.ndarray) -> Iterator[np.ndarray]:
    """Each worker's work clock at these edges of the common axis, in bins."""
    low = int(np.floor(((edges[0] - lines[0]) / lines[1]).min()))
    high = int(np.ceil(((edges[-1] - lines[0]) / lines[1]).max()))
    bins = slice(max(low, 0), min(high, trace.nbins))
    for worker, lost in enumerate(_rows(trace, rep, bins)):
        at = (edges - lines[0, worker]) / lines[1, worker] - bins.start
        clock = bsp.work_clock(lost, width)
        same = len(at) == len(clock) and np.array_equal(at, np.arange(len(clock)))
        yield clock if same else bsp.moved(clock, at)


def _rows(trace: Trace, rep: int, bins: slice) -> Iterator[np.ndarray]:
    for first in range(0, trace.nworkers, WORKERS_PER_BLOCK):
        yield from trace.part("lost_ns", rep, slice(first, first + WORKERS_PER_BLOCK), bins)


# ----------------------------------------------------------------------------------- what to know

def notes(trace: Trace, setting: Setting, portraits: Sequence[Portrait]) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    if not trace.valid:
        found.append(f"INVALID run: {trace.invalid_reasons}")
    if trace.text("inject"):
        found.append(f"faults were injected on purpose: {trace.text('inject')}")
    if (several := len(set(column(trace, "node_index", 0).tolist()))) > 1:
        worst = timeline.worst([segment.knots for segment in trace.segments])
        found.append(f"{several} nodes: " + timeline.sentence(worst))
    if not trace.has_lost:
        found.append("no /lost_ns: lost time is inferred from counts, slower bins count as lost")
    if not setting.own:
        found.append("--storage atomic: the counts are all threads' together; no rate per worker")
    if any(p.seconds < 60 for p in portraits):
        seconds = min(p.seconds for p in portraits)
        found.append(f"{seconds:.3g} s per worker is a quick look; a verdict on noise takes 60 s: "
                     f"--bins {60e9 / setting.width:.0f} --repeats 1")
    own = [p for p in portraits if p.lengths.per_second[1] > 1e-3 * p.running]
    if own:
        found.append(f"detours under 1 us come in more than one of 1000 units: a unit itself is at "
                     f"times longer than the threshold of {setting.threshold:g} ns, and counts as "
                     "lost; raise --detour")
    full = [p for p in portraits if p.lengths.dropped]
    if full:
        most = max(full, key=lambda p: p.lengths.dropped)
        found.append(
            f"the list of detours was full in {len(full)} of {len(portraits)} workers: worker "
            f"{most.worker} dropped {most.lengths.dropped}; detours per second and quantiles "
            f"are those of the first {most.lengths.covered_s:.3g} s (--detours N); lost time, "
            "spectrum and prediction know them all")
    return found
