"""The products, through NumPy. The result has its place before the clock runs (out=): a fresh one
in every call costs page faults, and both cores are then busy without being any faster.
"""

import threading

import numpy as np

from cpython.clock import now_ns

LEFT, RIGHT, PERIOD = 8, 5, 40  # dot: small whole numbers, so that any order of adding agrees
_kept = {}
_filling = threading.Lock()


def kept(key, make):
    """Fill once in a process, however many repetitions and threads ask."""
    with _filling:
        if key not in _kept:
            _kept[key] = make()
        return _kept[key]


def share(task):
    """[low, high) of the elements or rows that are this worker's."""
    if task.weak:
        return 0, task.size
    return (task.size * task.worker // task.workers,
            task.size * (task.worker + 1) // task.workers)


def stamps(start, end, units):
    return {"start": start, "end": end, "units": units, "first": -1, "last": -1}


class Dot:
    def __init__(self, task):
        self.low, self.high = share(task)
        self.iterations = task.iterations
        self.sent = None
        if task.handed:
            self.sent, self.x, self.y = task.handed
        else:
            self.x, self.y = kept(("dot", task.size, self.low, self.high, task.worker), self.fill)
        self.value = 0.0

    def fill(self):
        return vectors(self.low, self.high)

    def run(self, _):
        """The time of what was handed over begins when the lead began to send it."""
        x, y, dot = self.x, self.y, np.dot
        start = self.sent or now_ns()
        for _ in range(self.iterations):
            value = dot(x, y)
        end = now_ns()
        self.value = float(value)
        return stamps(start, end, self.iterations * (self.high - self.low))

    def spoil(self):
        self.value += 1

    def results(self):
        return {"value": self.value, "expected": upto(self.high) - upto(self.low)}


def vectors(low, high):
    i = np.arange(low, high)
    return (i % LEFT).astype(float), (i % RIGHT).astype(float)


def upto(n):
    """Exact dot product of the first n elements."""
    terms = [(i % LEFT) * (i % RIGHT) for i in range(PERIOD)]
    return float(n // PERIOD * sum(terms) + sum(terms[:n % PERIOD]))


class Matmul:
    """Rows [low, high) of C = A B; under weak scaling all of them."""

    def __init__(self, task):
        self.n = task.size
        self.low, self.high = share(task)
        self.iterations = task.iterations
        self.b, self.bw, self.bsum = kept(("b", self.n), self.fill_right)
        self.a, self.c = kept(("a", self.n, self.low, self.high, task.worker), self.fill_left)

    def fill_right(self):
        b = np.random.default_rng(2).random((self.n, self.n))
        return b, b @ signs(self.n), b.sum(axis=1)

    def fill_left(self):
        rows = self.high - self.low
        return np.random.default_rng([3, self.low]).random((rows, self.n)), np.zeros((rows, self.n))

    def run(self, _):
        a, b, c, dot = self.a, self.b, self.c, np.dot
        start = now_ns()
        for _ in range(self.iterations):
            dot(a, b, out=c)
        end = now_ns()
        return stamps(start, end, self.iterations * (self.high - self.low) * self.n**2)

    def spoil(self):
        self.c[0, 0] += 1

    def results(self):
        """Freivalds' check: C w against A (B w), w of signs; the bound is for rounding alone."""
        bound = 2 * self.n * np.finfo(float).eps * (self.a @ self.bsum)
        error = np.abs(self.c @ signs(self.n) - self.a @ self.bw)
        return {"residual": float((error / bound).max())}


def signs(n):
    return np.random.default_rng(1).choice([-1.0, 1.0], n)
