"""What a trace knows of its nodes' clocks, in numbers. No text but names; nothing is printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import timeline
from traces import Trace


@dataclass(frozen=True)
class Clock:
    """One node. All in ns, but drift: ns in a ns. nan: unknown.

    offset : at the first knot; rtt: median; bound: the largest; usual, worst: of knots left out
    true, true_worst : real errors of knots, 95 % and the worst; None: the truth is not known
    times, offsets, bounds : (knot,) of those used; times since the first knot of node 0
    """

    node: int
    host: str
    source: str
    offset: int
    drift: float
    rtt: float
    bound: int
    usual: float
    worst: float
    held: int
    true: float | None
    true_worst: float | None
    broken: bool
    times: np.ndarray
    offsets: np.ndarray
    bounds: np.ndarray


@dataclass(frozen=True)
class Look:
    """One trace. span: ns from the first knot to the last; said: a sentence on all nodes."""

    path: str
    knots: int
    span: int
    said: str
    nodes: Sequence[Clock]


def look(trace: Trace) -> Look:
    """Node 0 is the one that the others are compared with."""
    count = max(trace.number("nodes", 1), 1)
    if not trace.knots:
        return Look(trace.path, 0, 0, "their clocks were not compared (a trace without /clock)",
                    [_unknown(trace, node) for node in range(count)])
    knots = trace.segments[-1].knots  # /nodes tells the clocks of the last start
    local = knots["local_ns"]
    cords = timeline.cords(knots)
    said = (timeline.sentence(knots) if len(cords) > 1
            else "one clock, nothing to compare it with")
    if len(trace.segments) > 1:
        said += f"; the last of {len(trace.segments)} starts of a run that was resumed"
    clocks = [_clock(trace, node, cord, int(local[0, 0])) for node, cord in enumerate(cords)]
    return Look(trace.path, len(local), int(local[-1, 0] - local[0, 0]), said, clocks)


def _named(trace: Trace, column: str, node: int) -> str:
    values = trace.nodes.get(column, ())
    return str(values[node]) if node < len(values) else ""


def _unknown(trace: Trace, node: int) -> Clock:
    none = np.empty(0, np.int64)
    return Clock(node, _named(trace, "hostname", node), "", 0, math.nan, math.nan, 0, math.nan,
                 math.nan, 0, None, None, False, none, none, none)


def _clock(trace: Trace, node: int, cord: timeline.Cord, zero: int) -> Clock:
    left = np.abs(timeline.left_out(cord))
    true = _true(trace, node, cord)
    return Clock(
        node, _named(trace, "hostname", node), _named(trace, "clock_source", node),
        offset=int(cord.offset[0]), drift=cord.drift, rtt=float(np.median(cord.rtt)),
        bound=int(cord.bound.max()), usual=timeline.usual([cord]),
        worst=float(left.max()) if len(left) else math.nan, held=cord.held,
        true=None if true is None else float(np.percentile(true, 95)),
        true_worst=None if true is None else float(true.max()),
        broken=bool(cord.torn.any()), times=timeline.root_ns(cord, cord.local) - zero,
        offsets=cord.offset, bounds=cord.bound)


def _true(trace: Trace, node: int, cord: timeline.Cord) -> np.ndarray | None:
    """Real errors of the knots that are used, (knot,) ns."""
    dials = timeline.dials(trace.nodes)
    if node == 0 or not dials:
        return None
    true = timeline.true_offset(dials[node], dials[0], cord.local)
    return None if true is None else np.abs(cord.offset - true)
