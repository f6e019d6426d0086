"""What travels between the lead and its workers. Plain values: they go to processes too."""

from typing import NamedTuple, Optional

import numpy as np


class Task(NamedTuple):
    """One worker's share of one repetition. Times are ns."""

    kernel: str
    worker: int
    workers: int
    process: bool  # a worker is a process: its library's threads count
    cpu: int = -1  # pin to this CPU; -1: leave it
    start: Optional[int] = None  # agreed instant; None: the task takes its own
    bins: int = 0
    width: int = 0
    wait: int = 0
    compute: int = 0  # CPU time, after each wait
    detour: int = 0
    detours: int = 0
    size: int = 0
    weak: bool = False
    method: str = ""
    iterations: int = 1
    table: Optional[np.ndarray] = None  # (bin, worker) shared by threads; None: one's own
    counter: Optional[object] = None  # of kernel update: see update.py
    handed: Optional[tuple] = None  # of dot: (when it was sent, x, y)
    slow: float = 0.0  # on purpose: the work takes so much longer, a share
    wrong: bool = False  # on purpose: one element of the result is


class Seen(NamedTuple):
    """What came of it. Times are ns of the node's monotonic clock; -1 where nothing was done."""

    worker: int
    ready: int
    start: int
    end: int
    units: int
    first: int
    last: int
    looked: tuple  # when its usage was looked at, before and after
    usage: tuple  # CPU time in ns, minor faults, voluntary and involuntary switches
    cpu: tuple  # before and after
    pid: int
    tid: int
    allowed: tuple
    counts: Optional[np.ndarray] = None  # (bin,)
    detours: tuple = ()  # (start, length) each
    dropped: int = 0
    wakes: tuple = ()  # of each wait: from when it was to end until the worker went on
    value: float = float("nan")
    expected: float = float("nan")  # exactly
    residual: float = float("nan")  # as a share of its bound
