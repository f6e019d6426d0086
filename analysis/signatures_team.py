"""Signatures that only several workers together show: turns, late starts, siblings, stops.

Pure functions, one per cause. Each answers even if it finds nothing: what was looked at, the
threshold, the value, and the smallest effect that would have been seen. "Nothing found" is a
statement about the test as much as about the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

import timeline
import words
from finding import Finding, untested

TURNS = 0.8  # 0 for workers on one CPU; 2/3 for four workers that roam two CPUs; else 1
TURNS_SIGMAS = 5.0
TURNS_SHARE = 0.05  # of the bins empty, in both
SIBLING = 0.8
TOGETHER = 3  # times
TOGETHER_SIGMAS = 5.0
# Of the time: a steal of 2 % is to be named, what a quiet system does on one of its CPUs is not.
UNEVEN = 0.015
UNEVEN_SIGMAS = 5.0


def late_start(starts: np.ndarray, nodes: np.ndarray, width_ns: float,
               late: np.ndarray | None = None) -> Finding:
    """Workers that began after the agreed instant. starts, late (repetition, worker) ns.

    late: None in traces that do not tell it: then against the first worker of the same node.
    """
    name = "late start"
    statistic = "ns after the " + ("first worker of the node" if late is None else "agreed instant")
    if late is None and starts.shape[1] == len(set(nodes.tolist())):
        return untested(name, statistic, width_ns, "a single worker on its node: late against whom")
    late = lateness(starts, nodes) if late is None else late
    value = float(late.max())
    who = tuple(np.flatnonzero(late.max(axis=0) > width_ns).tolist())
    times = int((late > width_ns).any(axis=1).sum())
    reason = (f"in {times} of {len(late)} repetitions, up to {words.span(value)}: the worker was "
              "not on its CPU at the agreed instant" if who else
              f"all within {words.span(value)}")
    return Finding(name, bool(who), statistic, value, width_ns, reason,
                   f"one bin, {words.span(width_ns)}", who)


def lateness(starts: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Start after the first worker of the same node; (repetition, worker) ns -> the same."""
    late = np.zeros(starts.shape)
    for node in set(nodes.tolist()):
        mine = nodes == node
        late[:, mine] = starts[:, mine] - starts[:, mine].min(axis=1, keepdims=True)
    return late


def uneven_loss(lanes: np.ndarray, nodes: np.ndarray) -> Finding:
    """One worker loses more than its peers: its CPU is stolen from, or busy with something else.

    lanes (worker, column): share of the time lost, over the time of the run; nodes (worker,)
    Mean over the columns of a worker's loss less the median of the other workers of its node; it
    must also be 5 standard errors from nothing.
    """
    name, statistic = "uneven loss", "share of time lost beyond the others of the node"
    worst, reason, who, error = -math.inf, "", [], math.nan
    for worker, node in enumerate(nodes.tolist()):
        peers = np.flatnonzero((nodes == node) & (np.arange(len(nodes)) != worker))
        if not len(peers) or lanes.shape[1] < 2:
            continue
        excess = lanes[worker] - np.median(lanes[peers], axis=0)
        mean = float(np.nanmean(excess))
        this = float(np.nanstd(excess, ddof=1) / math.sqrt(len(excess)))
        if mean > max(UNEVEN, UNEVEN_SIGMAS * this):
            who.append(worker)
        if mean > worst:
            worst, error = mean, this
            reason = (f"the worst worker loses {np.nanmean(lanes[worker]):.2%}, the others of its "
                      f"node {np.nanmean(lanes[peers]):.2%}")
    if math.isinf(worst):
        return untested(name, statistic, UNEVEN, "a single worker on its node: more than whom")
    if who:
        reason += ": something takes its CPU and not theirs"
    smallest = f"{max(UNEVEN, UNEVEN_SIGMAS * error):.1%} of one worker's time"
    return Finding(name, bool(who), statistic, worst, UNEVEN, reason, smallest, tuple(who))


def taking_turns(empty: Mapping[int, np.ndarray], nodes: np.ndarray, cpus: np.ndarray,
                 width_ns: float, lock: str = "") -> Finding:
    """Workers that avoid each other: several on one CPU, or under one lock.

    empty : worker -> (byte,) packed bits, 1 for a bin without work, all repetitions in a row; a
            worker with hardly any such bin may be left out. nodes, cpus (worker,): where they were

    Share of bins in which two workers both run, over the product of their shares. Chance: the
    number of times that independent workers would begin to run together is
    share_a x runs_b + share_b x runs_a, about Poisson; what is missing must be 5 sd of it.
    """
    name, statistic = "taking turns", "time that two workers run together, over chance"
    if len(set(nodes.tolist())) == len(nodes):
        return untested(name, statistic, TURNS, "a single worker on its node")
    smallest = f"two workers, each away for {100 * TURNS_SHARE:.0f} % of the time, in turn"
    away = {w: _ones(bits) / (8 * len(bits)) for w, bits in empty.items()}
    rows = sorted(w for w in empty if TURNS_SHARE < away[w] < 1)
    runs = {w: _runs(empty[w]) for w in rows}
    value, found = 1.0, []
    for at, i in enumerate(rows):
        for j in (j for j in rows[at + 1:] if nodes[j] == nodes[i]):
            both = 1 - away[i] - away[j] + _ones(empty[i] & empty[j]) / (8 * len(empty[i]))
            ratio = both / ((1 - away[i]) * (1 - away[j]))
            chance = (1 - away[i]) * runs[j] + (1 - away[j]) * runs[i]
            value = min(value, ratio)
            if ratio < TURNS and (1 - ratio) * math.sqrt(chance) > TURNS_SIGMAS:
                found.append((i, j))
    if not found:
        reason = ("workers are off their CPU at unrelated times" if len(rows) > 1 else
                  "fewer than two workers with empty bins")
        return Finding(name, False, statistic, value, TURNS, reason, smallest, above=False)
    who = tuple(sorted({w for pair in found for w in pair}))
    slices = np.median([_run_length(empty[w]) for w in who]) * width_ns * 1e-6
    return Finding(name, True, statistic, value, TURNS,
                   f"while one runs another does not, absences of {slices:.3g} ms: "
                   + _whose_turn(found, cpus, lock), smallest, who, above=False)


def _whose_turn(pairs: Sequence[tuple[int, int]], cpus: np.ndarray, lock: str) -> str:
    if lock and lock != "none":
        return f"they run under one lock ({lock}), as asked"
    shared = sorted({int(cpus[i]) for i, j in pairs if cpus[i] == cpus[j] >= 0})
    if shared:
        return "several workers on CPU " + ", ".join(map(str, shared)) + ": bind one to each"
    return ("they share a CPU at times (unpinned), or a quota, or another program moves between "
            "their CPUs")


POPULATION = np.array([bin(i).count("1") for i in range(256)], np.uint8)


def _ones(row: np.ndarray) -> int:
    return int(POPULATION[row].sum(dtype=np.int64))


def _runs(row: np.ndarray) -> int:
    bits = np.unpackbits(row)
    return int(np.count_nonzero(bits[1:] > bits[:-1])) + int(bits[0])


def _run_length(row: np.ndarray) -> float:
    """Median length of runs of ones that are longer than one bin."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.unpackbits(row), [0]])))
    runs = edges[1::2] - edges[::2]
    long = runs[runs > 1]
    return float(np.median(long if len(long) else runs))


def shared_core(rates: np.ndarray, nodes: np.ndarray, cores: np.ndarray, cpus: np.ndarray,
                unit: str) -> Finding:
    """Workers on sibling threads of one core, slower than those that have a core alone.

    All (worker,). rates: undisturbed, units per second; cores, cpus: -1 unknown.
    """
    name, statistic = "shared core", "rate of a worker with a sibling over the others' median"
    twin = np.zeros(len(rates), bool)
    for i in range(len(rates)):
        twin[i] = cores[i] >= 0 and any(
            nodes[j] == nodes[i] and cores[j] == cores[i] and cpus[j] != cpus[i]
            for j in range(len(rates)))
    blind = (" A clock read alone hardly notices its sibling: use --unit alu or memory"
             if unit in ("", "clock") else "")
    smallest = f"siblings that slow each other by {100 * (1 - SIBLING):.0f} %.{blind}".rstrip(".")
    if not twin.any():
        return Finding(name, False, statistic, 1.0, SIBLING, "no two workers on one core", smallest,
                       above=False)
    alone = rates[~twin & ~np.isnan(rates)]
    if not len(alone):
        return Finding(name, True, "workers with a sibling", float(twin.sum()), 0.0,
                       "all workers share their core with another one; none is alone to compare",
                       smallest, tuple(np.flatnonzero(twin).tolist()))
    value = float(np.nanmin(rates[twin]) / np.median(alone))
    return Finding(name, value < SIBLING, statistic, value, SIBLING,
                   "two workers on sibling threads of one core halve each other's throughput"
                   if value < SIBLING else "siblings do not slow each other with this unit",
                   smallest, tuple(np.flatnonzero(twin).tolist()) if value < SIBLING else (),
                   above=False)


def together(hit: np.ndarray, workers: int, share: Sequence[float]) -> Finding:
    """The same instant lost on all cores of a node: firmware, or a host that stops the machine.

    hit (bin,): in how many of the node's workers a loss of 20 us or more begins in the bin;
    share (worker,): of such bins. By chance all begin in bins x prod(share) bins.
    """
    name, statistic = "all cores at once", "bins in which a loss begins in all workers of a node"
    if workers < 2:
        return untested(name, statistic, TOGETHER, "a single worker on its node")
    value = int(np.count_nonzero(hit >= workers))
    chance = len(hit) * float(np.prod(share))
    least, found, times = _beyond_chance(value, chance)
    reason = (f"{times}: firmware (SMI), a host that stops the whole machine, a task of the "
              "system on all cores; under load also switches at a common timer tick"
              if found else times)
    return Finding(name, found, statistic, value, least, reason,
                   f"{math.floor(least) + 1} stops of 20 us on all cores",
                   tuple(range(workers)) if found else ())


def _beyond_chance(value: int, chance: float) -> tuple[float, bool, str]:
    """(threshold, whether the count is above it, the count in words)."""
    least = max(TOGETHER, chance + TOGETHER_SIGMAS * math.sqrt(chance))
    return least, value > least, f"{value} time{'s' * (value != 1)}, by chance {chance:.2g}"


def all_nodes(stops: Sequence[np.ndarray], resolution: float, width_ns: float,
              whole_ns: float) -> Finding:
    """The same instant lost on every node: a storage or network that all wait for, a common clock.

    stops: of each node, sorted times (ns of node 0) of bins in which all of its workers begin to
    lose 20 us or more; resolution: what two of these times may be apart wrongly; whole: all
    repetitions. Within a bin of each other is at once. By chance each stop of the node that has
    the fewest meets one of another node with the share of the time that is near such a one.
    """
    name, statistic = "all nodes at once", "stops that all nodes share"
    if timeline.verdict(0, resolution, width_ns) == timeline.CANNOT_TELL:
        known = (f"to ±{words.span(resolution)} only, a bin is {words.span(width_ns)}"
                 if math.isfinite(resolution) else "not known for all of the time")
        return untested(name, statistic, TOGETHER,
                        f"cannot tell: how far the clocks of two nodes are apart is {known}")
    within = width_ns + resolution
    few = min(map(len, stops))
    near = sorted(1 - math.exp(-len(x) * (2 * within + width_ns) / whole_ns) for x in stops)
    least, found, times = _beyond_chance(len(timeline.met(stops, within)),
                                         few * math.prod(near[1:]))
    reason = (f"{times}, within ±{words.span(within)}: something that all nodes wait for, or that "
              "one calendar wakes on all (file system, network, monitoring)" if found else times)
    return Finding(name, found, statistic, len(timeline.met(stops, within)), least, reason,
                   f"{math.floor(least) + 1} stops of 20 us on all workers of all nodes")
