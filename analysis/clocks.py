#!/usr/bin/env python3
"""How far the nodes' clocks are apart, how they drift, and how well that is known."""

import argparse
import math
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import clock_look  # noqa: E402
import compare  # noqa: E402
import console  # noqa: E402
import words  # noqa: E402

NAME = "clocks.py"
HELP = """\
examples:
  clocks.py run.h5                        a table, one row for each node
  clocks.py --plot clocks.png run.h5      offsets over time, with their bounds
  clocks.py --json - run.h5 | jq .traces[0].nodes

how to read the table:
  offset    the node's clock less that of node 0, at the first knot
  drift     change of the offset in a second: 50 ppm are 50 us
  rtt       quickest round trip of a message on the path to node 0, median over knots
  bound     half of that, at the worst knot: the offset is never further from the truth. A message
            that takes longer one way than back moves the offset inside the bound, and nothing else
            shows it: compare rtt between nodes
  usual     knots left out, against the line between their neighbours, 95 % and the worst: the
            error between knots too, where clocks wander
  held up   knots whose messages took over three times as long as usual; they are left away
  true      where all nodes count the same ticks (one machine, --inject nodes=2): the real error
  broken    a message came before it was sent: that clock, or one on its path, is not to be trusted

Nothing in a trace is corrected by its knots. Times in it are each node's own; analysis brings them
to one axis where nodes are compared, and says "cannot tell" below the bound.

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
Needs NumPy, SciPy and h5py (and Matplotlib for --plot); looks for a Python that has them.
"""


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    looks = [clock_look.look(trace) for trace in compare.read(options.paths, bad)]
    console.say_all(NAME, bad)
    if not looks:
        console.say(NAME, "no trace could be read")
        return 1
    if options.json != "-":
        print(words.shown("\n\n".join(text(one) for one in looks)))
    if options.plot:
        import plot_clocks
        if console.save(NAME, plot_clocks.draw(looks), options.plot):
            return 1
    if options.json:
        return console.write(NAME, options.json, words.json_text(as_json(looks, bad)))
    return 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    parser.add_argument("--plot", metavar="FILE", type=console.picture,
                        help="offsets over time, less their drift (.png, .svg)")
    options = parser.parse_args(argv)
    if options.plot:
        interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")
    return options


COLUMNS = (("node", lambda n: str(n.node)), ("host", lambda n: n.host),
           ("source", lambda n: n.source), ("offset", lambda n: words.span(n.offset, 10)),
           ("drift", lambda n: ppm(n.drift)),
           ("rtt", lambda n: words.span(n.rtt)), ("bound", lambda n: "±" + words.span(n.bound)),
           ("usual 95 %", lambda n: words.span(n.usual)),
           ("worst", lambda n: words.span(n.worst)),
           ("held up", lambda n: str(n.held) if n.held else ""),
           ("true 95 %", lambda n: "" if n.true is None else words.span(n.true)),
           ("true worst", lambda n: "" if n.true_worst is None else words.span(n.true_worst)),
           ("", lambda n: "broken" if n.broken else ""))


def text(look: clock_look.Look) -> str:
    """One trace. Columns that are empty for all its nodes are left out."""
    head = f"{look.path}: {len(look.nodes)} node{'s' * (len(look.nodes) != 1)}"
    if not look.knots:
        return f"{head}: {look.said}"
    head += f", {look.knots} knots in {words.span(look.span)}: {look.said}"
    if len(look.nodes) == 1:
        return head
    rows = [[name for name, _ in COLUMNS], *(row(n) for n in look.nodes)]
    used = [i for i in range(len(COLUMNS)) if any(row[i] for row in rows[1:])]
    widths = {i: max(len(row[i]) for row in rows) for i in used}
    lines = ["  ".join(row[i].ljust(widths[i]) if i in (1, 2) else row[i].rjust(widths[i])
                       for i in used).rstrip() for row in rows]
    return "\n".join([head, "", *lines])


def ppm(drift: float) -> str:
    return words.UNKNOWN if math.isnan(drift) else f"{1e6 * drift:+.3f} ppm"


def row(n: clock_look.Clock) -> list:
    """Of node 0 only what is its own: it is the measure of the others."""
    return [of(n) if n.node or i < 3 else "" for i, (_, of) in enumerate(COLUMNS)]


def as_json(looks: list, bad: list) -> dict:
    """Everything in the table, and the knots. Unknown is null."""
    return {"format": "bindot-clocks", "format_version": "1.0",
            "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
            "traces": [{"file": look.path, "knots": look.knots, "span_ns": look.span,
                        "summary": look.said, "nodes": [node_json(n) for n in look.nodes]}
                       for look in looks]}


def node_json(n: clock_look.Clock) -> dict:
    return {"node": n.node, "host": n.host, "source": n.source, "offset_ns": n.offset,
            "drift_ppm": 1e6 * n.drift, "rtt_ns": n.rtt, "bound_ns": n.bound,
            "left_out_p95_ns": n.usual, "left_out_worst_ns": n.worst, "held_up": n.held,
            "true_p95_ns": n.true, "true_worst_ns": n.true_worst, "broken": n.broken,
            "knots": {"time_ns": n.times.tolist(), "offset_ns": n.offsets.tolist(),
                      "bound_ns": n.bounds.tolist()}}


if __name__ == "__main__":
    console.run(main)
