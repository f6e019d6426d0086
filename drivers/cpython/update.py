"""Adding one to a counter that others add to as well. What is not found in it at the end was lost.

The lead makes the counters and hands them to every worker: threads then have the same object,
processes a copy, unless the counters lie in a block of memory that both have.
"""

import threading

from cpython.clock import now_ns
from cpython.compute import share, stamps

_lock = threading.Lock()


def nothing():
    pass


def with_call(counter, i, times):
    """The interpreter may change threads after a call: between reading and writing."""
    for _ in range(times):
        seen = counter[i]
        nothing()
        counter[i] = seen + 1


def inline(counter, i, times):
    """No call in between. The language does not promise that this is safe."""
    for _ in range(times):
        counter[i] += 1


def with_lock(counter, i, times):
    for _ in range(times):
        with _lock:
            seen = counter[i]
            nothing()
            counter[i] = seen + 1


METHODS = {  # name: (the loop, each worker has a counter of its own, in a block of memory)
    "call": (with_call, False, False),
    "inline": (inline, False, False),
    "lock": (with_lock, False, False),
    "handed": (with_call, True, False),
    "block": (with_call, True, True),
}


class Update:
    def __init__(self, task):
        self.loop, own, _ = METHODS[task.method]
        self.counter, self.i = task.counter, task.worker if own else 0
        low, high = share(task)
        self.times = task.iterations * (high - low)

    def run(self, _):
        counter = counters(self.counter)
        start = now_ns()
        self.loop(counter, self.i, self.times)
        return stamps(start, now_ns(), self.times)

    def results(self):
        return {}


def make(method, workers):
    """Counters at 0, one for each worker: a list, or a block of memory."""
    if not METHODS[method][2]:
        return [0] * workers
    from multiprocessing import shared_memory  # not every system has it
    block = shared_memory.SharedMemory(create=True, size=8 * workers)
    block.buf[:8 * workers] = bytes(8 * workers)
    return block


def counters(made):
    """As a list or what behaves like one."""
    return made if isinstance(made, list) else made.buf.cast("q")


def total(made, workers):
    return 0 if made is None else sum(counters(made)[:workers])


def close(made):
    if made is not None and not isinstance(made, list):
        made.close()
        made.unlink()
