"""How workers wait for each other: it moves a break-even by two orders of magnitude
(facts/dot.md 4), so a result that does not say it says nothing."""

from __future__ import annotations

from traces import Trace

WORDS = {
    "": "as the runtime likes",
    "active": "actively (they spin)",
    "passive": "passively (they sleep)",
}


def policy(trace: Trace) -> str:
    """OMP_WAIT_POLICY of the run, "" where it was not set. Ranks of MPI have none: they spin."""
    return str(trace.environment.get("OMP_WAIT_POLICY", "")).lower()


def told(trace: Trace) -> str:
    """What to add to a layout's name: nothing where the runtime chose."""
    return f" {policy(trace)}" if policy(trace) else ""


def sentence(traces: list[Trace]) -> str:
    """For the head of a table. OpenMP's threads only: ranks that wait in MPI spin."""
    seen = sorted({policy(trace) for trace in traces})
    ways = " or ".join(WORDS.get(word, word) for word in seen)
    return f"Threads wait {ways}; ranks that wait in MPI spin."
