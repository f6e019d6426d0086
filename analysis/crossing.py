"""From which size on does it pay? A bracket around a crossing, and where to look next.

A ratio that grows with a size crosses a threshold somewhere. Measured, every ratio has an interval,
and near the crossing the interval includes the threshold: there is no point to name, only a
bracket. Nor need the curve be monotone (a library may change its algorithm inside the range), so
the bracket is not a root either:

    low   the largest size whose whole interval lies below the threshold
    high  the smallest size from which on every interval lies above it

Between them the data do not decide (facts/dot.md 4). Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Point(NamedTuple):
    """A measured ratio at one size, with its interval; nan where that is unknown."""

    size: int
    ratio: float
    low: float
    high: float


class Bracket(NamedTuple):
    """low: None if no size is surely below; high: None if the largest is not surely above."""

    low: int | None
    high: int | None


def bracket(points: Sequence[Point], threshold: float) -> Bracket:
    """The bracket of the threshold. points: in any order, each size once.

    An unknown interval decides nothing: it counts as one that includes the threshold.
    """
    points = sorted(points)
    below = [p.size for p in points if p.high < threshold]
    high = None
    for p in reversed(points):
        if not p.low > threshold:
            break
        high = p.size
    return Bracket(below[-1] if below else None, high)


def undecided(points: Sequence[Point], threshold: float) -> list[int]:
    """Sizes whose interval includes the threshold, or is unknown."""
    return [p.size for p in sorted(points) if not (p.high < threshold or p.low > threshold)]


def refine(sizes: Sequence[int], found: Bracket, ratio: float, grid: int = 1) -> list[int]:
    """Sizes to measure next: each end of the bracket is moved by half, in the logarithm, of the
    way to the next size inside.

    sizes: those measured. ratio > 1: neighbours that are no further apart are near enough. An end
    that is not there is looked for further out, by as much again as the last step of the sizes.
    grid: sizes are multiples of it. Empty: the bracket is as tight as was asked.
    """
    sizes = sorted(sizes)
    at = {size: i for i, size in enumerate(sizes)}
    wanted, gaps = [], []
    if found.low is None:
        wanted.append(sizes[0] / step(sizes[:2]))
    else:
        gaps.append(sizes[at[found.low]:][:2])
    if found.high is None:
        wanted.append(sizes[-1] * step(sizes[-2:]))
    else:
        gaps.append(sizes[:at[found.high] + 1][-2:])
    wanted += [math.sqrt(gap[0] * gap[1]) for gap in gaps
               if len(gap) == 2 and gap[1] / gap[0] > ratio * (1 + 1e-9)]
    rounded = {max(grid, round(size / grid) * grid) for size in wanted}
    return sorted(rounded - set(sizes))


def step(two: Sequence[int]) -> float:
    """From one size to the next; 2 where there is only one."""
    return two[1] / two[0] if len(two) == 2 else 2.0
