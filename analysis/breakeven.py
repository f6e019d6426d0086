#!/usr/bin/env python3
"""From which size on does a layout pay? Break-even against serial, and 50 % efficiency."""

import argparse
import math
import sys
from dataclasses import dataclass

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import numpy as np  # noqa: E402

import cells  # noqa: E402
import console  # noqa: E402
import crossing  # noqa: E402
import traces  # noqa: E402
import waiting  # noqa: E402
import words  # noqa: E402

NAME = "breakeven.py"
HELP = """\
record what can answer: serial and the layouts at several sizes, interleaved, five launches each
  drivers/study breakeven      it looks for the crossing itself

how to read the table:
  beats serial   A .. B: A is the largest size at which the whole 95 % interval of the speed-up
                 lies below 1, B the smallest from which on every interval lies above it. Between
                 them the data do not decide
  50 % of ideal  the same for a speed-up of half the cores; with two cores that is 1 as well
  serial takes   the time of one call at A and at B: shorter tasks than that do not pay
  < A, > B       the crossing lies outside of the sizes that were measured

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
"""
GRID = {"matmul": 8}  # rows are dealt in eights


@dataclass(frozen=True)
class Search:
    """One threshold of one layout. points: speed-up over serial at every size."""

    goal: str
    threshold: float
    bracket: crossing.Bracket
    undecided: list
    next: list


@dataclass(frozen=True)
class Curve:
    """One layout of one kernel. call_s: size -> seconds of one call under serial."""

    kernel: str
    method: str
    layout: str
    workers: str
    ranks: int
    threads: int
    cores: int
    waiting: str
    points: tuple
    call_s: dict
    searches: tuple


def main() -> int:
    options = parse(sys.argv[1:])
    read, bad = traces.read_all(options.paths)
    console.say_all(NAME, bad)
    found = curves(read, options.within)
    if not found:
        console.say(NAME, "no size that ran under serial and under another layout")
        return 1
    return console.answer(NAME, options.json, text(found, read), as_json(found, bad))


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    console.add_traces(parser)
    parser.add_argument("--within", type=factor, default=math.sqrt(2), metavar="FACTOR",
                        help="a bracket's ends are near enough to the next size inside at this "
                             "factor; \"next\" of --json tells which sizes would tell more (1.41)")
    return parser.parse_args(argv)


def factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no factor between 1 and 100")
    return value


# ------------------------------------------------------------------------------------- compute

def curves(read: list, within: float) -> list:
    """One for each kernel, layout and way of waiting."""
    found: dict = {}
    for policy in sorted({waiting.policy(trace) for trace in read}):
        mine = [t for t in read if waiting.policy(t) == policy and t.number("size")]
        for group in cells.compare(mine, cells.Rules()):
            bases = {cell.language: cell for cell in group.cells if cell.is_base}
            for cell in group.cells:
                if not cell.is_base and cell.cores > 1 and cell.language in bases:
                    key = (group.work["kernel"], group.work["method"], cells.order_of(
                        cell.layout), cell.way, cell.cores, cell.workers, policy)
                    found.setdefault(key, []).append((group.work["size"], cell,
                                                      bases[cell.language]))
    return [curve(key, sizes, within) for key, sizes in sorted(found.items())]


def curve(key: tuple, sizes: list, within: float) -> Curve:
    kernel, method, _, _, cores, workers, policy = key
    points = tuple(sorted(crossing.Point(size, cell.speedup, *(cell.speedup_interval or (
        math.nan, math.nan))) for size, cell, _ in sizes))
    cell = sizes[0][1]
    searches = (search("beats serial", 1.0, points, kernel, within),
                search("50 % of ideal", 0.5 * cores, points, kernel, within))
    return Curve(kernel, method, cell.label, workers, cell.ranks, cell.threads, cores, policy,
                 points, {size: call_seconds(serial) for size, _, serial in sizes}, searches)


def search(goal: str, threshold: float, points: tuple, kernel: str, within: float) -> Search:
    found = crossing.bracket(points, threshold)
    sizes = [p.size for p in points]
    return Search(goal, threshold, found, crossing.undecided(points, threshold),
                  crossing.refine(sizes, found, within, GRID.get(kernel, 1)))


def call_seconds(cell: cells.Cell) -> float:
    """Seconds of one call of the kernel, median over launches."""
    return float(np.median([cells.call_seconds(launch) for launch in cell.used]))


# ---------------------------------------------------------------------------------------- show

def text(found: list, read: list) -> str:
    lines = words.wrap("Smallest sizes that pay; 95 % intervals over launches. "
                       + waiting.sentence(read))
    rows = [["kernel", "layout", "beats serial", "serial takes", "50 % of ideal", "serial takes",
             "largest speed-up"]]
    for one in found:
        first, half = one.searches
        rows.append([f"{one.kernel} {one.method}", name(one), span(first, one), times(first, one),
                     *(("the same", "") if half.threshold == 1 else (span(half, one),
                                                                     times(half, one))),
                     at_best(best(one))])
    lines += ["", *words.aligned(rows, 2), ""]
    for one in found:
        lines += words.wrap(sentence(one))
    return "\n".join([*lines, "", *tables(found)])


def best(one: Curve) -> crossing.Point:
    """Where the speed-up is largest, as far as it is known."""
    return max(one.points, key=lambda p: -math.inf if math.isnan(p.ratio) else p.ratio)


def at_best(top: crossing.Point) -> str:
    return words.UNKNOWN if math.isnan(top.ratio) else (
        f"{words.number(top.ratio, 3)} at {size(top.size)}")


def name(one: Curve) -> str:
    return f"{one.layout} {one.workers}" + (f" {one.waiting}" if one.waiting else "")


def size(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def span(search: Search, one: Curve) -> str:
    low, high = search.bracket
    if low is None:
        return "undecided" if high is None else f"< {size(high)}"
    if high is None:
        return f"> {size(low)}"
    return f"{size(low)} .. {size(high)}"


def times(search: Search, one: Curve) -> str:
    """The bracket in time of the serial call: that is what carries over to other kernels."""
    shown = [words.span(1e9 * one.call_s[end]) for end in search.bracket if end is not None]
    return " .. ".join(shown)


def sentence(one: Curve) -> str:
    first = one.searches[0]
    low, high = first.bracket
    said = f"{one.kernel}, {name(one)}: "
    if low is not None:
        said += f"slower than serial up to {low}"
    if high is not None:
        said += (", " if low is not None else "") + f"faster from {high} on"
    inside = [s for s in first.undecided if (low or 0) < s < (high or math.inf)]
    if inside:
        said += ("; " if low is not None or high is not None else "") + "undecided at " + ", ".join(
            map(str, inside))
    return said + "."


def tables(found: list) -> list:
    """Every point: speed-up and interval."""
    lines = []
    for one in found:
        rows = [["size", "serial takes", "speed-up", "interval", "verdict"]]
        for p in one.points:
            rows.append([size(p.size), words.span(1e9 * one.call_s[p.size]),
                         words.number(p.ratio, 3), words.interval((p.low, p.high), digits=3),
                         verdict(p)])
        lines += [f"{one.kernel} {one.method}, {name(one)}", *words.aligned(rows), ""]
    return lines[:-1]


def verdict(p: crossing.Point) -> str:
    return "slower" if p.high < 1 else "faster" if p.low > 1 else "undecided"


def as_json(found: list, bad: list) -> dict:
    """Sizes in the kernel's own units; unknown is null."""
    return {
        "format": "bindot-breakeven", "format_version": "1.0",
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "curves": [{
            "kernel": one.kernel, "method": one.method, "layout": one.layout, "ranks": one.ranks,
            "threads_per_rank": one.threads, "cores": one.cores, "wait_policy": one.waiting,
            "points": [{**p._asdict(), "verdict": verdict(p), "serial_s": one.call_s[p.size]}
                       for p in one.points],
            "searches": [{"goal": s.goal, "threshold": s.threshold, **s.bracket._asdict(),
                          "undecided": s.undecided, "next": s.next} for s in one.searches],
        } for one in found],
    }


if __name__ == "__main__":
    console.run(main)
