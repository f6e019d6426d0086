#!/usr/bin/env python3
"""Which node is the bad one: a verdict on each, the reason, and the line that leaves it out."""

import argparse
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import compare  # noqa: E402
import console  # noqa: E402
import fleet  # noqa: E402
import node_look  # noqa: E402
import nodes_json  # noqa: E402
import nodes_text  # noqa: E402
import peers  # noqa: E402
import verdicts  # noqa: E402
import words  # noqa: E402

NAME = "nodes.py"
HELP = """\
record what can answer: every node alone, five launches and more, all kernels, interleaved
  drivers/study nodes            in an allocation, or one trace of all nodes per launch

examples:
  nodes.py results/nodes-1                        verdict on every node
  nodes.py results/nodes-1 --confirm results/nodes-2
  nodes.py --groups racks.txt --plot nodes.png results/nodes-1
  nodes.py --json - results/nodes-1 | jq -r '.exclude | join(",")'

verdicts:
  bad          slower than its peers by more than the threshold, beyond what nodes of its kind
               do, and again in a second run (or in the second half of 10 launches and more)
  suspected    the same, seen once, or the second time in too few launches (five are enough if it
               is slow in each): run it again, with some healthy nodes beside it
  INVALID      its runs are marked INVALID (binding, quota ...) and its peers' are not
  clock        its clock drifts further than quartz does, or jumped: times of it are not to be
               compared with other nodes'. What it does by itself is not affected, so it is not in
               --exclude. An offset, of days even, and a steady drift are normal. Only runs of three
               nodes and more compare clocks (clocks.py shows them)
  not again    seen in the first run, not in the second: the moment, not the node
  cannot tell  too few launches or peers, or the peers differ as much among themselves
  no evidence  none. The smallest effect that would have been seen is printed: nothing found is
               a statement about the test as much as about the node

how it is judged:
  pace   units per second of computing, of the node's slowest worker (who waits for whom does not
         enter). Binning: of its undisturbed bins. lost: share of time taken from the worst worker
  peers  nodes of the same CPU model in the same work. A round (one launch of each) is compared
         within itself. 8 nodes and more: robust z of the node's median, Benjamini-Hochberg. 3 to
         7: exact ranks over rounds. Never a test of each node against the fleet's mean: healthy
         nodes differ, and it would accuse one in four
  cost   nodes that wait for each other run at the pace of the slowest one

exit status: 0 done (whatever the verdict), 1 nothing could be read or written, 2 bad usage
Needs NumPy, SciPy and h5py (and Matplotlib for --plot); looks for a Python that has them.
"""


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    seen, second = (fleet.visits(compare.read(paths, bad), bad)
                    for paths in (options.paths, options.confirm or []))
    console.say_all(NAME, bad)
    if not seen:
        console.say(NAME, "no trace could be read")
        return 1
    found = verdicts.judge(seen, options.wishes, second, node_look.look)
    if options.json != "-":
        print(words.shown(nodes_text.text(found)))
    if options.plot:
        import plot_nodes
        if console.save(NAME, plot_nodes.of(found), options.plot):
            return 1
    if options.json:
        return console.write(NAME, options.json, nodes_json.text(found, bad, options.wishes))
    return 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--confirm", nargs="+", metavar="TRACE|DIR",
                        help="a second run: suspects and some healthy nodes again")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    parser.add_argument("--plot", metavar="FILE", type=console.picture,
                        help="effect of every node, with its interval (.png, .svg)")
    add_rules(parser)
    options = parser.parse_args(argv)
    if options.plot:
        interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")
    options.wishes = wishes(options)
    return options


def add_rules(parser: argparse.ArgumentParser) -> None:
    """The options that scaling.py shares."""
    parser.add_argument("--threshold", type=console.share, default=0.03, metavar="SHARE",
                        help="slower by less does not matter (3%%)")
    parser.add_argument("--groups", type=groups, metavar="FILE",
                        help="lines of HOST GROUP: racks, switches (default: the host name "
                             "without its last number)")
    parser.add_argument("--allow-invalid", action="store_true",
                        help="judge INVALID launches too")


def wishes(options: argparse.Namespace) -> verdicts.Wishes:
    rule = peers.Rule(threshold=options.threshold)
    if options.groups is None:
        return verdicts.Wishes(rule, options.allow_invalid)
    return verdicts.Wishes(rule, options.allow_invalid,
                           lambda host: options.groups.get(host, "in no group"))


def groups(path: str) -> dict:
    """HOST GROUP lines as a dictionary; # begins a comment."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                parts = line.split("#")[0].split()
                if len(parts) not in (0, 2):
                    raise argparse.ArgumentTypeError(f"{path}:{number}: not HOST GROUP")
                if parts:
                    found[parts[0]] = parts[1]
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error}") from None
    return found


if __name__ == "__main__":
    console.run(main)
