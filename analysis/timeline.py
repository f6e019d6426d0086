"""One time axis over the nodes of a run. Pure functions; times are int64 ns, each node's own.

A knot compares a node's clock with that of node 0: offset = own time less node 0's, at an own time.
Between two knots the offset is a straight line. Nothing is fitted through many of them: drift
wanders, and one held-up message would bend it all (facts/method.md 1.3). Times stay int64, for a
double that holds seconds since the epoch is 238 ns coarse; only differences become double.

How well an offset is known has two sides, and both are said:
  bound     : half the quickest round trip, summed along the path of nodes: holds always
  left out  : what an inner knot is away from the line between its neighbours: the error that is
              usual, but an asymmetry of the path does not show in it
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import words

HELD_UP = 3  # times the median round trip: the line without such a knot is better than with it
SIMULTANEOUS, APART, CANNOT_TELL = "simultaneous", "apart", "cannot tell"


@dataclass(frozen=True)
class Cord:
    """The knots of one node, in order of time; all (knot,) int64 ns.

    local: own time; offset: own less node 0's; rtt: summed along the path; lo, hi: of the offset
    held : so many more were left away, see kept
    """

    local: np.ndarray
    offset: np.ndarray
    rtt: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    held: int = 0

    def __len__(self) -> int:
        return len(self.local)

    @property
    def drift(self) -> float:
        """Of the offset from the first knot to the last, ns in a ns; nan: one knot."""
        if len(self) < 2:
            return float("nan")
        return float(self.offset[-1] - self.offset[0]) / float(self.local[-1] - self.local[0])

    @property
    def bound(self) -> np.ndarray:
        """By how much each offset may be wrong, (knot,) ns."""
        return -(-self.rtt // 2)

    @property
    def torn(self) -> np.ndarray:
        """(knot,) a message came before it was sent: one of the clocks on the path is broken."""
        return self.lo > self.hi


def cords(knots: Mapping[str, np.ndarray]) -> list[Cord]:
    """Each node's knots, without those that were held up.

    knots: "local_ns", "offset_ns", "rtt_min_ns", "lo_ns", "hi_ns", each (knot, node).
    """
    columns = [np.asarray(knots[name], np.int64)
               for name in ("local_ns", "offset_ns", "rtt_min_ns", "lo_ns", "hi_ns")]
    found = []
    for node in range(columns[0].shape[1]):
        mine = [column[:, node] for column in columns]
        good = kept(mine[2])
        local, offset, rtt, lo, hi = (column[good] for column in mine)
        found.append(Cord(local, offset, rtt, lo, hi, held=int(np.sum(~good))))
    return found


def kept(rtt: np.ndarray) -> np.ndarray:
    """(knot,) bool: not held up. First and last stay, for nothing is known beyond them."""
    good = rtt <= HELD_UP * np.median(rtt)
    good[[0, -1]] = True
    return good


def offset_at(cord: Cord, local: np.ndarray) -> np.ndarray:
    """Own time less node 0's at own times (any shape), int64 ns; straight on beyond the ends."""
    local = np.asarray(local, np.int64)
    if len(cord) == 1:
        return np.full(local.shape, cord.offset[0])
    at = np.clip(np.searchsorted(cord.local, local, side="right") - 1, 0, len(cord) - 2)
    slope = np.diff(cord.offset) / np.diff(cord.local)
    since = (local - cord.local[at]).astype(float)
    return cord.offset[at] + np.rint(since * slope[at]).astype(np.int64)


def root_ns(cord: Cord, local: np.ndarray) -> np.ndarray:
    """Own times as times of node 0, int64 ns."""
    return np.asarray(local, np.int64) - offset_at(cord, local)


def left_out(cord: Cord) -> np.ndarray:
    """Inner knots less the line between their neighbours, (knot - 2,) ns."""
    if len(cord) < 3:
        return np.empty(0, np.int64)
    before, after = cord.local[:-2], cord.local[2:]
    share = (cord.local[1:-1] - before) / (after - before)
    line = cord.offset[:-2] + np.rint(share * (cord.offset[2:] - cord.offset[:-2])).astype(np.int64)
    return cord.offset[1:-1] - line


def resolution(cord: Cord, local: np.ndarray) -> np.ndarray:
    """r: what root_ns at these own times may be wrong by, float ns; inf outside the knots.

    The larger of the bounds of the two knots around, or the worst knot left out, if that is more:
    between knots the clocks may have wandered.
    """
    local = np.asarray(local, np.int64)
    if len(cord) == 1:
        return np.where(local == cord.local[0], float(cord.bound[0]), np.inf)
    at = np.clip(np.searchsorted(cord.local, local, side="right") - 1, 0, len(cord) - 2)
    around = np.maximum(cord.bound[at], cord.bound[at + 1]).astype(float)
    usual = float(np.abs(left_out(cord)).max(initial=0))
    inside = (local >= cord.local[0]) & (local <= cord.local[-1])
    return np.where(inside, np.maximum(around, usual), np.inf)


def usual(found: Sequence[Cord]) -> float:
    """Error that is usual: 95 % of the inner knots of each node left out; the worst node's, ns.

    nan: too few knots.
    """
    left = [np.abs(left_out(cord)) for cord in found if len(cord) > 2]
    return max((float(np.percentile(x, 95)) for x in left), default=float("nan"))


def bound(found: Sequence[Cord]) -> float:
    """What an instant of one node, brought to another, may be wrong by at any knot, ns."""
    return pair([float(cord.bound.max()) for cord in found])


def pair(each: Sequence[float]) -> float:
    """What two nodes may be apart wrongly, from what each is known to against node 0."""
    return float(sum(sorted(each, reverse=True)[:2]))


def worst(several: Sequence[Mapping[str, np.ndarray]]) -> Mapping[str, np.ndarray]:
    """Of the knots of launches or their segments, those that tell least."""
    return max(several, key=lambda knots: bound(cords(knots)) if knots else math.inf)


def sentence(knots: Mapping[str, np.ndarray]) -> str:
    """What a reader must know before nodes are compared in time."""
    if not knots:
        return "their clocks were not compared: no instant of one is known on another"
    found = cords(knots)
    often = usual(found)
    known = (f"an error of {words.span(often)} is usual" if not np.isnan(often) else
             "too few knots to tell the usual error")
    return f"an instant of one is known on another to ±{words.span(bound(found))}; {known}"


def verdict(apart: float, resolution: float, within: float) -> str:
    """Did two things come within `within` ns of each other, seen `apart` +- `resolution` ns?"""
    if abs(apart) + resolution <= within:
        return SIMULTANEOUS
    return APART if abs(apart) - resolution > within else CANNOT_TELL


def met(times: Sequence[np.ndarray], within: float) -> np.ndarray:
    """Of the times (event,) of the node that has the fewest, those that every node shares.

    times: of each node, sorted, ns of node 0; two that are `within` ns of each other are one.
    """
    few = min(times, key=len)
    shared = np.ones(len(few), bool)
    for other in times:
        below = np.searchsorted(other, few - within, side="left")
        shared &= np.searchsorted(other, few + within, side="right") > below
    return few[shared]


# ------------------------------------------------------------------- where the truth is known

@dataclass(frozen=True)
class Dial:
    """How a node makes times of ticks: time = ns + (tick - tick of ns) * rate.

    shift: ns by which a time namespace moved its ticks, if they are those of the system's clock
    """

    boot: str
    source: str
    tick: int
    ns: int
    rate: float
    shift: int


def dials(nodes: Mapping[str, np.ndarray]) -> list[Dial]:
    """Each node's, from columns of /nodes, each (node,); empty if the trace does not have them."""
    names = ("boot_id", "clock_source", "clock_origin_tick", "clock_origin_ns", "ns_per_tick",
             "clock_shift_ns")
    if not all(name in nodes for name in names):
        return []
    rows = zip(*(nodes[name].tolist() for name in names))
    return [Dial(*row) for row in rows]


def true_offset(own: Dial, root: Dial, local: np.ndarray) -> np.ndarray | None:
    """What offset_at should say, float ns; None unless both nodes count the same ticks.

    On one machine they do: pretended nodes (--inject nodes=2) and namespaces are known to a ns.
    """
    if not own.boot or (own.boot, own.source) != (root.boot, root.source):
        return None
    local = np.asarray(local, np.int64)
    shifted = 0 if own.source != "CLOCK_MONOTONIC_RAW" else own.shift - root.shift
    ticks = (own.tick - root.tick - shifted) + (local - own.ns) / own.rate
    return (local - root.ns).astype(float) - ticks * root.rate
