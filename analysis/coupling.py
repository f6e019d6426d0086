#!/usr/bin/env python3
"""How much work must lie between two barriers? For each layout, where a tenth and half are lost."""

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import numpy as np  # noqa: E402

import cells  # noqa: E402
import console  # noqa: E402
import grain  # noqa: E402
import traces  # noqa: E402
import waiting  # noqa: E402
import words  # noqa: E402

NAME = "coupling.py"
HELP = """\
record what can answer: the work counter with --sync-every from 1 to as many as there are bins
(never), the same bins everywhere, several launches of each
  drivers/study coupling

how to read the table:
  barrier every     on the grid of time; the work that is left in between is that less what the
                    barrier takes
  efficiency        work done, as a share of what the same workers do without any barrier
  10 % / half lost  work between two barriers at which so much is lost, and its 95 % interval
                    over launches (exact from 6 on). Less than the finest grain: "<"
  rounds            a round is one launch of everything: the k-th of each, or those with one
                    --label launch=. 3/5: only 3 have their finest and their coarsest barrier and
                    can tell where work is lost
  a barrier costs   time lost for each, at the finest grain that still leaves a third of the work
  launches marked INVALID are used where all of their cell are: crowded on purpose, they show what
  crowding costs; they are marked

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
"""
TENTH, HALF = 0.9, 0.5  # efficiency that is left
THIRD = 1 / 3


@dataclass(frozen=True)
class Coupling:
    """One way of running. interval (grain,) ns; share (round, grain) efficiency."""

    title: str
    valid: bool
    cores: int
    interval: np.ndarray
    share: np.ndarray
    tenth: grain.Crossing
    half: grain.Crossing
    cost: float
    cost_interval: tuple | None

    @property
    def told(self) -> int:
        """Rounds that the crossings are of."""
        return int(grain.whole(self.share).sum())


def main() -> int:
    options = parse(sys.argv[1:])
    read, bad = traces.read_all(options.paths)
    console.say_all(NAME, bad)
    ways = by_way(read)
    found = [one for _, one in ways if one is not None]
    if not found:
        console.say(NAME, "no trace of the work counter with and without --sync-every")
        return 1
    for name, one in ways:
        if one is None:
            console.say(NAME, f"{name}: left out, no valid launch without barriers, or none with")
    return console.answer(NAME, options.json, text(found), as_json(found, bad))


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    console.add_traces(parser)
    return parser.parse_args(argv)


# ------------------------------------------------------------------------------------- compute

def way(trace: traces.Trace) -> tuple:
    """What is compared with itself: all but the barriers."""
    return (trace.text("layout"), trace.number("nodes", 1), trace.number("ranks", 1),
            trace.number("threads_per_rank", 1), waiting.policy(trace),
            trace.number("bins"), trace.number("bin_width_ns"), trace.text("work_unit"),
            trace.text("kernel_hash"))


def by_way(read: list) -> list:
    """(title, coupling or None) of each way of running, few workers first."""
    ways: dict = {}
    for trace in read:
        if trace.text("kernel") == "binning" and trace.number("sync_every"):
            ways.setdefault(way(trace), []).append(trace)
    ranked = sorted(ways, key=lambda w: (w[2] * w[3], cells.order_of(w[0]), w[1:]))
    return [(title(ways[key][0]), coupling(ways[key])) for key in ranked]


def couplings(read: list) -> list:
    return [one for _, one in by_way(read) if one is not None]


def coupling(read: list) -> Coupling | None:
    """None where there is no launch without barriers, or none with."""
    valid = any(trace.valid for trace in read)
    by = launch_rates(read, valid)
    never = by.pop(read[0].number("bins") * read[0].number("bin_width_ns"), None)
    if not never or not by:
        return None
    rounds = sorted(set(never).union(*by.values()))
    intervals = sorted(by)
    rates = np.array([[by[g].get(r, math.nan) for g in intervals] for r in rounds])
    share = grain.efficiencies(rates, np.array([never.get(r, math.nan) for r in rounds]))
    interval = np.array(intervals, float)
    cost, bounds = barrier_cost(interval, share)
    return Coupling(title(read[0]), valid, read[0].nworkers, interval, share,
                    grain.crossing(interval, share, TENTH), grain.crossing(interval, share, HALF),
                    cost, bounds)


def launch_rates(read: list, valid: bool) -> dict:
    """Time between barriers, ns -> {round: rate}; valid: without the launches that are not.

    A round is the k-th launch of everything with the same label, which may be none: INVALID ones
    count, so those after them stay with what ran next to them.
    """
    by: dict = {}
    seen: Counter = Counter()
    for trace in read:
        every = min(trace.number("sync_every"), trace.number("bins")) * trace.number("bin_width_ns")
        label = str(trace.labels.get("launch", ""))
        seen[every, label] += 1
        if not valid or trace.valid:
            by.setdefault(every, {})[label, seen[every, label]] = float(
                np.median(trace.arrays["results/rate"]))
    return by


def barrier_cost(interval: np.ndarray, share: np.ndarray) -> tuple:
    """(ns, its interval) at the finest grain that leaves a third of the work; nan if none does."""
    left = np.flatnonzero(np.nanmedian(share, axis=0) >= THIRD)
    if not left.size:
        return math.nan, None
    each = grain.costs(interval, share)[:, left[0]]
    each = each[np.isfinite(each)]
    found = cells.stats.launch_interval(each)
    return float(np.median(each)), found and tuple(found[:2])


def title(trace: traces.Trace) -> str:
    nodes = trace.number("nodes", 1)
    return (f"{trace.text('layout')} {trace.number('ranks', 1)}×"
            f"{trace.number('threads_per_rank', 1)}" + (f" on {nodes} nodes" if nodes > 1 else "")
            + waiting.told(trace))


# ---------------------------------------------------------------------------------------- show

def text(found: list) -> str:
    head = ["layout", "rounds", "10 % lost", "interval", "half lost", "interval",
            "a barrier costs", "interval"]
    rows = [[one.title + ("" if one.valid else " (INVALID)"), told(one), *lost(one.tenth, one),
             *lost(one.half, one), words.span(one.cost), spans(one.cost_interval)] for one in found]
    lines = ["Work between two barriers at which so much of the work is lost", ""]
    lines += [*words.aligned([head, *rows], 1), "", *curves(found), ""]
    for one in found:
        lines += words.wrap(sentence(one))
    return "\n".join(lines)


def told(one: Coupling) -> str:
    """How many tell where work is lost, and of how many if not all do."""
    return f"{one.told}/{len(one.share)}" if one.told < len(one.share) else str(one.told)


def lost(at: grain.Crossing, one: Coupling) -> tuple:
    if not math.isfinite(at.low):
        return grain_text(at.grain, one), words.UNKNOWN
    return grain_text(at.grain, one), f"[{grain_text(at.low, one)}, {grain_text(at.high, one)}]"


def grain_text(ns: float, one: Coupling) -> str:
    """0 and inf are statements about what was measured; nan is none."""
    if ns == 0:
        return f"< {words.span(one.interval[0])}"
    return f"> {words.span(one.interval[-1])}" if math.isinf(ns) else words.span(ns)


def spans(bounds: tuple | None) -> str:
    if bounds is None:
        return words.UNKNOWN
    return f"[{words.span(bounds[0])}, {words.span(bounds[1])}]"


def curves(found: list) -> list:
    """Efficiency of every layout at every interval, median over launches."""
    grid = sorted({g for one in found for g in one.interval})
    rows = [["barrier every", *(words.span(g) for g in grid)]]
    for one in found:
        middle = dict(zip(one.interval, np.nanmedian(one.share, axis=0)))
        rows.append([one.title, *(words.share(middle.get(g, math.nan), 2) for g in grid)])
    return ["Efficiency: share of the work that is left", "", *words.aligned(rows, 1)]


def sentence(one: Coupling) -> str:
    said = (f"{one.title}: with less than {grain_text(one.tenth.grain, one).lstrip('<> ')} of work "
            "between two barriers, more than 10 % is lost")
    if one.tenth.grain == 0:
        said = f"{one.title}: at the finest grain measured less than 10 % is lost"
    if math.isinf(one.tenth.grain):
        said = f"{one.title}: at every grain measured more than 10 % is lost"
    if math.isnan(one.tenth.grain):
        said = (f"{one.title}: where work is lost cannot be told, no round has both its finest and "
                "its coarsest grain")
    return said + ("." if one.valid else "; its launches are INVALID (more workers than CPUs, "
                                         "say), and so is a job that runs like this.")


def as_json(found: list, bad: list) -> dict:
    """Times in ns; unknown is null; a crossing of 0 lies below the finest grain, null above all
    (unknown where rounds_told is 0)."""
    return {
        "format": "bindot-coupling", "format_version": "1.0",
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "layouts": [{
            "title": one.title, "valid": one.valid, "workers": one.cores,
            "rounds_told": one.told,
            "barrier_every_ns": one.interval.tolist(),
            "efficiency": one.share.tolist(),
            "efficiency_median": np.nanmedian(one.share, axis=0).tolist(),
            "tenth_lost_ns": one.tenth._asdict(), "half_lost_ns": one.half._asdict(),
            "barrier_ns": one.cost, "barrier_interval_ns": one.cost_interval,
        } for one in found],
    }


if __name__ == "__main__":
    console.run(main)
