"""What changed between two studies: the same cells before and after. Pure: nothing is printed.

Two cells are the same if they do the same work in the same layout; what may differ is the point
of the comparison (another day, another kernel hash, another setting of the machine) and is told.

Many cells are looked at, so some would seem changed by chance alone. The share of false ones
among those called changed is held at Q (Benjamini and Hochberg 1995), and their intervals are
widened to match (false coverage rate, Benjamini and Yekutieli 2005).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import cells
import circumstances
import stats

Q = 0.05
FASTER, SLOWER, SAME, UNTOLD = "faster", "slower", "no change shown", "cannot tell"
LAYOUT = ("layout", "way", "nodes", "ranks", "threads", "blas_threads", "pinned")


@dataclass(frozen=True)
class Change:
    """One cell before and after.

    ratio    : rate after / rate before, with its 95 % interval (widened if called changed)
    seen     : the smallest change of it that would have been called one, as a share; nan: unknown
    verdict  : FASTER, SLOWER, SAME or UNTOLD; why: the reason of UNTOLD, or of SAME where the
               interval excludes 1
    """

    title: str
    name: str
    before: cells.Cell
    after: cells.Cell
    ratio: stats.Ratio | None
    p: float
    verdict: str
    why: str = ""
    seen: float = math.nan


@dataclass(frozen=True)
class Comparison:
    """changes: cells that both studies have. missing, new: names of those that one has."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]
    differences: tuple[str, ...]

    def count(self, verdict: str) -> int:
        return sum(change.verdict == verdict for change in self.changes)


def compare(before: Sequence[cells.Group], after: Sequence[cells.Group], threshold: float,
            allow_invalid: bool = False) -> Comparison:
    """threshold: a change that is significant but smaller than this share counts as none."""
    old, new = _by_key(before), _by_key(after)
    both = [key for key in new if key in old]
    changes = [_change(old[key], new[key], allow_invalid) for key in both]
    return Comparison(tuple(_decided(changes, threshold)),
                      tuple(_name(*old[key]) for key in old if key not in new),
                      tuple(_name(*new[key]) for key in new if key not in old),
                      (*_differences([old[key][1] for key in both],
                                     [new[key][1] for key in both]),
                       *_left_out(before, old, "before"), *_left_out(after, new, "after")))


def _key(cell: cells.Cell) -> tuple:
    return cell.work, *(getattr(cell, name) for name in LAYOUT)


def _by_key(groups: Sequence[cells.Group]) -> dict:
    """(work, layout) -> (group, cell). Where kernels of several hashes were run, one of them."""
    return {_key(cell): (group, cell) for group in groups for cell in group.cells}


def _left_out(groups: Sequence[cells.Group], chosen: dict, side: str) -> list[str]:
    """What one study ran with kernels of several hashes, but for the chosen."""
    left = Counter(cell.kernel_hash for group in groups for cell in group.cells
                   if chosen[_key(cell)][1] is not cell)
    return [f"{side}: kernels of two hashes in one study; those of {name or 'no recorded hash'} "
            f"are left out of {number} cell{'s' * (number != 1)}"
            for name, number in left.items()]


def _name(group: cells.Group, cell: cells.Cell) -> str:
    return f"{group.title}: {cell.name}"


def _change(old: tuple, new: tuple, allow_invalid: bool) -> Change:
    (_, before), (group, after) = old, new
    ratio = stats.ratio_interval(after.rates, before.rates)
    why = ""
    if not allow_invalid and not (before.valid and after.valid):
        why = "INVALID " + " and ".join(
            word for word, cell in (("before", before), ("after", after)) if not cell.valid)
    elif ratio is None:
        few = min(len(before.used), len(after.used))
        why = f"{few} launch{'es' * (few != 1)}: at least {stats.FEWEST_LAUNCHES} are needed"
    return Change(group.title, after.name, before, after, None if why else ratio,
                  math.nan if why else stats.ratio_p(after.rates, before.rates),
                  UNTOLD if why else SAME, why)


def _decided(changes: Sequence[Change], threshold: float) -> list[Change]:
    """All cells are judged together."""
    known = [i for i, change in enumerate(changes) if change.ratio]
    p = np.array([changes[i].p for i in known])
    sure = stats.benjamini_hochberg(p, Q).tolist() if known else []
    called = {i for i, yes in zip(known, sure) if yes}
    return [_verdict(change, threshold, _passed(len(called), len(known))) if i in called else
            _unsure(change, len(known), _passed(len(called) + 1, len(known)))
            for i, change in enumerate(changes)]


def _passed(called: int, looks: int) -> float:
    """Confidence of the interval that must exclude 1 in each of so many called of all."""
    return 1 - Q * called / max(looks, 1)


def _half(ratio: stats.Ratio) -> float:
    """Half the interval on the log scale, taken back."""
    return math.sqrt(ratio.high / ratio.low) - 1


def _unsure(change: Change, looks: int, confidence: float) -> Change:
    ratio = stats.ratio_interval(change.after.rates, change.before.rates, confidence)
    if change.ratio is None or ratio is None:
        return change
    why = ("" if change.ratio.low <= 1 <= change.ratio.high else
           f"{looks} cells were looked at, one may seem so by chance")
    return replace(change, why=why, seen=_half(ratio))


def _verdict(change: Change, threshold: float, confidence: float) -> Change:
    ratio = stats.ratio_interval(change.after.rates, change.before.rates, confidence)
    if ratio is None:
        return change
    verdict = (SLOWER if ratio.ratio < 1 - threshold else
               FASTER if ratio.ratio > 1 + threshold else SAME)
    why = f"smaller than {100 * threshold:g} %" if verdict == SAME else ""
    return replace(change, ratio=ratio, verdict=verdict, why=why, seen=_half(ratio))


def _differences(before: Sequence[cells.Cell], after: Sequence[cells.Cell]) -> list[str]:
    """What is not the same on both sides, and might be the cause."""
    found = []
    for what, value in circumstances.TOLD:
        old, new = (", ".join(sorted({value(launch.trace) for cell in side
                                      for launch in cell.used} - {""})) for side in (before, after))
        if old != new:
            found.append(f"{what}: {old or 'not recorded'} -> {new or 'not recorded'}")
    return found
