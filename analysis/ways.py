"""How workers were put to work, beside ranks and threads: what tells rows of one table apart.

Python's traces name a way (threading, multiprocessing ...), the C drivers' a lock and a storage.
All of them do the same work; which one is faster is the question. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping

KEYS = ("way", "start", "storage", "lock", "lock_interval_ns", "detour_threshold_ns")
USUAL = (None, "", 0, "none", "private", "common")  # goes without saying
SWITCH_NS = 5_000_000  # CPython's own interval, and the default of --lock gil
PYTHON, C = "python", "C"
SINGLE = "single"
# Of traces whose method was the way.
OLD_METHODS = {"binning": "counter", "dot": "library", "matmul": "library"}


def language(layout: str) -> str:
    """Units of one language cost alike: speed-ups are within it."""
    return PYTHON if layout == "python" else C


def key(attrs: Mapping[str, object]) -> tuple:
    """Equal for launches of one cell, whatever version wrote them."""
    return (*(None if attrs.get(name) in USUAL else attrs[name] for name in KEYS),
            _on_one_cpu(attrs))


def _on_one_cpu(attrs: Mapping[str, object]) -> bool:
    """Workers that had one CPU for all of them; only Python's traces tell."""
    return attrs.get("cpus") == 1 < int(str(attrs.get("workers") or 1))


def words(attrs: Mapping[str, object]) -> str:
    """The same for a person: "threading", "gil 1 ms", "shared", or nothing."""
    way, start, storage, lock, interval_ns, _, one_cpu = key(attrs)
    if way:  # Python's: its lock and its table come with it
        interval = f" {interval_ns * 1e-6:g} ms" if lock and interval_ns not in (
            None, SWITCH_NS) else ""
        own = " own start" if start and way != "serial-loop" else ""
        return f"{way}{interval}{own}" + " on one CPU" * one_cpu
    said = []
    if lock:
        said.append(f"{lock} {(interval_ns or SWITCH_NS) * 1e-6:g} ms")
    if storage:
        said.append(str(storage))
    return " ".join(said)


def method(attrs: Mapping[str, object]) -> object:
    """What is computed. Python's first traces had their way in its place."""
    known, way, kernel = (attrs.get(name) for name in ("method", "way", "kernel"))
    if way is None or known != way or kernel == "marshal":
        return known
    return OLD_METHODS.get(str(kernel), known)
