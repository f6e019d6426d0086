#!/usr/bin/env python3
"""How far does it scale, what stops it, and would it without the bad node?"""

import argparse
import re
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

from dataclasses import dataclass  # noqa: E402

import cells  # noqa: E402
import compare  # noqa: E402
import console  # noqa: E402
import curves  # noqa: E402
import fleet  # noqa: E402
import nodes  # noqa: E402
import scaling_json  # noqa: E402
import scaling_text  # noqa: E402
import verdicts  # noqa: E402
import words  # noqa: E402

NAME = "scaling.py"
HELP = """\
record what can answer: five scales and more, five launches of each and more, interleaved
  drivers/study strong           and weak; over nodes: ladder, which also tells node from scale

examples:
  scaling.py results/strong-1                     curves, models, verdict
  scaling.py --at 128,256 results/strong-1        what the models say of these scales
  scaling.py --exclude node17 results/ladder-1    with and without it (else: nodes.py's verdict)
  scaling.py --plot strong.png results/strong-1

how to read it:
  strong     the whole work stays the same; weak: each worker's share does; binning: the time does
  curve      one layout in one regime: inside a node, or over full nodes. Never both in one fit
  parallel   = threads x ranks x nodes x meeting x combining: balance of a rank's threads, of a
             node's ranks, of the nodes; what waiting for each other leaves; what combining leaves.
             Meeting holds serialisation and the barrier's cost: only an ideal network would tell
  compute    speed of a busy core against the smallest run's
  e          Karp and Flatt: the serial part that this scale alone would need. Constant: a serial
             part; rising: an overhead that grows; negative: faster than linear, or a slow base
  models     non-negative coefficients, relative errors, 95 % bands over launches. [0, ...] means
             not identified. held out: the largest scale predicted from the others. A model that
             fails there says nothing beyond; fewer than five scales say nothing beyond, nor does
             anything say more than four times beyond. All of it holds if no new regime begins.

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
Needs NumPy, SciPy and h5py (and Matplotlib for --plot); looks for a Python that has them.
"""


@dataclass(frozen=True)
class Whole:
    """Everything for one call. without: curves from runs that no bad node took part in."""

    studies: tuple
    bad: tuple
    why_bad: str
    without: tuple


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    launches, whole = analyse(compare.read(options.paths, bad), bad, options)
    console.say_all(NAME, bad)
    if not launches:
        console.say(NAME, "no trace could be read")
        return 1
    if options.json != "-":
        print(words.shown(scaling_text.text(whole)))
    if options.plot:
        import plot_scaling
        if console.save(NAME, plot_scaling.of(whole.studies), options.plot):
            return 1
    if options.json:
        return console.write(NAME, options.json, scaling_json.text(whole, bad))
    return 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--at", type=scales, default=(), metavar="N[,N]",
                        help="scales to predict (twice and four times the largest)")
    parser.add_argument("--exclude", type=hosts, metavar="HOST[,HOST]",
                        help="bad nodes (those that nodes.py finds; none: '')")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    parser.add_argument("--plot", metavar="FILE", type=console.picture,
                        help="curves with the models' bands (.png, .svg)")
    nodes.add_rules(parser)
    options = parser.parse_args(argv)
    if options.plot:
        interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")
    return options


def scales(text: str) -> tuple:
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[1-9]\d*", part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of scales, such as 64,128")
    return tuple(sorted({float(part) for part in parts}))


def hosts(text: str) -> tuple:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def analyse(found, bad: list, options: argparse.Namespace) -> tuple:
    """(number of launches, all curves); unreadable traces join `bad`.

    A trace is reduced, to its nodes and to a launch, before the next one is read.
    """
    named, why = options.exclude, "as you say"
    seen: list = []
    launches = list(compare.launched(
        fleet.watched(found, seen, bad) if named is None else found, bad))
    if named is None:
        named, why = accused(seen, options), "nodes.py's verdict on these traces"
    groups = cells.grouped(launches, cells.Rules(allow_invalid=options.allow_invalid))
    return len(launches), whole(groups, named, why, options.at, options.allow_invalid)


def whole(groups: list, named: tuple, why: str, at: tuple = (),
          allow_invalid: bool = False) -> Whole:
    """Curves of groups with all nodes and without the named ones. Ready for a report."""
    launches = [x for group in groups for cell in group.cells for x in cell.launches]
    rest = [x for x in launches if not set(x.trace.hostnames) & set(named)]
    without = cells.grouped(rest, cells.Rules(allow_invalid=allow_invalid)) if (
        named and len(rest) < len(launches)) else []
    return Whole(studies(groups, at, allow_invalid), tuple(named), why if named else "",
                 studies(without, at, allow_invalid))


def studies(groups: list, at: tuple, allow_invalid: bool) -> tuple:
    return tuple(curves.study(curve, at) for curve in curves.curves(groups, allow_invalid))


def accused(seen: list, options: argparse.Namespace) -> tuple:
    """Nodes that nodes.py would leave out, or run again."""
    if len({visit.host for visit in seen}) < 2:
        return ()
    verdict = verdicts.judge(seen, nodes.wishes(options))
    return tuple(verdict.hosts(verdicts.BAD, verdicts.MISPLACED, verdicts.SUSPECTED))


if __name__ == "__main__":
    console.run(main)
