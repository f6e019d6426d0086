"""Rows on memory that workers share: who sees what another wrote, and what is lost. Pure."""

from __future__ import annotations

from claim import Claim, Effect, Runs, level, middle

MEMORY = "Shared memory and races"
NONE = (0.0, 0.0)


def updates(runs: Runs, way: str, method: str) -> Runs:
    """Several workers that add to counters. What is lost depends on no load, only on switches."""
    return runs.find(f"update, way {way}, method {method}", invalid=True, loaded=True,
                     kernel="update", layout="python", way=way, method=method,
                     workers=lambda n: (n or 1) > 1)


def lost(runs: Runs, way: str, method: str) -> Effect:
    return level(updates(runs, way, method), middle("results/lost_share"), most=1)


def found(runs: Runs, way: str, method: str) -> Effect:
    """Share of the workers' updates that the lead finds in its counters."""
    share = middle("results/lost_share")
    return level(updates(runs, way, method), lambda trace: 1 - share(trace), most=1)


MEMORY_ROWS = [
    (Claim("race-prevented", MEMORY, "The interpreter's lock prevents races",
           "update, way threading: each thread reads one counter, calls a function, and writes it",
           "share of the updates lost", NONE,
           lesson="It protects the interpreter's own state. Between reading and writing another "
                  "thread may have had its turn, and all its updates are overwritten."),
     lambda runs: lost(runs, "threading", "call")),
    (Claim("race-inline", MEMORY, "An update without a call in it loses none, in this version",
           "update, way threading --method inline: counter[0] += 1",
           "share of the updates lost", NONE,
           lesson="From CPython 3.10 on threads are changed only after calls and at the ends of "
                  "loops: no promise, but why such races hide."),
     lambda runs: lost(runs, "threading", "inline")),
    (Claim("race-lock", MEMORY, "A lock of the program's own prevents the race",
           "update, way threading --method lock: as the first, inside of a threading.Lock",
           "share of the updates lost", NONE),
     lambda runs: lost(runs, "threading", "lock")),
    (Claim("memory-threads", MEMORY, "Threads work on the same object",
           "update, way threading --method handed: each has a counter of its own in one list",
           "share of the updates that the caller finds", (0.999, 1)),
     lambda runs: found(runs, "threading", "handed")),
    (Claim("memory-copies", MEMORY, "Each process works on a copy of what it was handed",
           "update, way processes --method handed: the same program",
           "share of the updates that the caller finds", NONE),
     lambda runs: found(runs, "processes", "handed")),
    (Claim("memory-apart", MEMORY, "Processes cannot share memory directly",
           "update, way processes --method block: multiprocessing.shared_memory",
           "share of the updates that the caller finds", NONE,
           lesson="They can, where they ask for it. What they cannot share is Python's objects."),
     lambda runs: found(runs, "processes", "block")),
]
