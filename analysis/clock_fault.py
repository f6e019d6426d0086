"""Whose clock is not to be compared with the others'? From the knots of one launch. Pure.

Normal is: an offset of any size, for a clock counts from its node's boot; a steady drift of some
tens of ppm, for quartz differs, and lines between knots take it out. Not normal, and told here:

  drift  further from the middle of all nodes than quartz ever is (QUARTZ), beyond what the round
         trips leave open: a counter that was calibrated wrongly, or a clock that is being steered.
         Between knots it does not show, but it will not stay as steady as quartz
  jump   a knot that is off the line between its neighbours by more than the round trips of all
         three allow, and the wander of quartz in that time (WANDER): the clock was set, or ran at
         two speeds. Nobody knows when, so times between those knots are wrong by as much

All offsets are against node 0. Where its clock is the odd one all others are off alike, so nodes
are judged less the median of all; with two nodes nobody could say whose clock it is. A message that
came before it was sent is found by the driver, which marks that node's run INVALID. Being late at
the common start is no evidence: a node waits for it by its own clock, and is late for many reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

QUARTZ = 100e-6  # ns in a ns: what crystals, their ageing and their temperature come to
WANDER = 1e-6  # change of drift in a second; temperature makes a tenth of it
FEWEST = 3  # nodes
DRIFT, JUMP = "drift", "jump"


@dataclass(frozen=True)
class Fault:
    """kind: DRIFT or JUMP; size: ns in a ns, or ns; sure: how much of it messages leave open."""

    kind: str
    size: float
    sure: float


@dataclass(frozen=True)
class Look:
    """One node's clock in one launch. drift, jump: the smallest that would have been told, ns in a
    ns and ns."""

    faults: tuple[Fault, ...]
    drift: float
    jump: float


def looks(knots: Mapping[str, np.ndarray]) -> list[Look]:
    """Of each node; knots as of a Trace or a Segment, (knot, node). Empty: nobody can be judged."""
    if not knots or knots["local_ns"].shape[1] < FEWEST or len(knots["local_ns"]) < 2:
        return []
    local, offset = (np.asarray(knots[name], np.int64) for name in ("local_ns", "offset_ns"))
    bound = np.asarray(knots["rtt_min_ns"], float) / 2
    tests = ((DRIFT, QUARTZ, *drifts(local, offset, bound)),
             (JUMP, 0.0, *jumps(local, offset, bound)))
    return [Look(tuple(Fault(kind, float(size[node]), float(sure[node]))
                       for kind, least, size, sure in tests
                       if abs(size[node]) - sure[node] > least),
                 *(float(least + sure[node]) for _, least, _, sure in tests))
            for node in range(local.shape[1])]


def drifts(local: np.ndarray, offset: np.ndarray,
           bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(drift less the median of all, what it may be wrong by), (node,) ns in a ns."""
    span = (local[-1] - local[0]).astype(float)
    return _odd((offset[-1] - offset[0]) / span, (bound[-1] + bound[0]) / span)


def jumps(local: np.ndarray, offset: np.ndarray,
          bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the inner knot furthest off the line between its neighbours, what allows it), (node,) ns."""
    if len(local) < 3:
        return np.zeros(local.shape[1]), np.zeros(local.shape[1])
    gap = (local[2:] - local[:-2]).astype(float)
    share = (local[1:-1] - local[:-2]) / gap
    left = (offset[1:-1] - offset[:-2]) - share * (offset[2:] - offset[:-2])
    allowed = (bound[1:-1] + (1 - share) * bound[:-2] + share * bound[2:]
               + WANDER * 1e-9 * gap**2 / 8)
    left, allowed = _odd(left, allowed)
    worst = np.argmax(np.abs(left) - allowed, axis=0)
    at = worst, np.arange(left.shape[1])
    return left[at], allowed[at]


def _odd(value: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both less the middle of all nodes, the last axis. What the middle is open by is added."""
    return (value - np.median(value, axis=-1, keepdims=True),
            sure + np.median(sure, axis=-1, keepdims=True))
