"""What a test for one cause says. Tests that find nothing answer too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Finding:
    """One cause, tested. workers: those that show it; value and threshold: of the statistic.

    above: it is found when the value is above the threshold (else below); nan: could not be
    tested, `reason` says why. smallest: the smallest effect that would have been seen.
    """

    name: str
    found: bool
    statistic: str
    value: float
    threshold: float
    reason: str
    smallest: str
    workers: tuple[int, ...] = ()
    above: bool = True

    @property
    def tested(self) -> bool:
        return not math.isnan(self.value)


def untested(name: str, statistic: str, threshold: float, why: str) -> Finding:
    return Finding(name, False, statistic, math.nan, threshold, why, "")


def worst(findings: Sequence[Finding]) -> Finding:
    """One finding for all workers: the clearest; its workers are those of all that found it."""
    known = [f for f in findings if f.tested] or list(findings)
    some = [f for f in known if f.found] or known
    top = max(some, key=lambda f: (f.value if f.above else -f.value) if f.tested else 0.0)
    workers = tuple(sorted({w for f in some if f.found for w in f.workers}))
    return replace(top, workers=workers)
