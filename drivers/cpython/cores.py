"""How busy each CPU of the node is, looked at as htop looks: /proc/stat, every so often.

A thread of the lead looks. Each time it needs some 0.14 ms of a core, and the interpreter's lock, so
it is for kernels whose calls release the lock (the products); what it cost is recorded.
"""

import os
import threading
import time

import numpy as np

from cpython.clock import now_ns

PATH = "/proc/stat"
KERNEL_TICKS = 8  # user nice system idle iowait irq softirq steal; guests are in user already
IDLE = (3, 4)  # idle, iowait


class Watch:
    """While open, looks every `every_ns`, and once at each end. 0: never."""

    def __init__(self, every_ns):
        self.every_ns, self.looks, self.cost_ns = every_ns, [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch) if every_ns else None

    def __enter__(self):
        if self.thread:
            self.thread.start()
        return self

    def __exit__(self, *_):
        if self.thread:
            self.over.set()
            self.thread.join()

    def watch(self):
        handle = os.open(PATH, os.O_RDONLY)
        try:
            self.look(handle)
            while not self.over.wait(self.every_ns * 1e-9):
                self.look(handle)
            self.look(handle)
        finally:
            os.close(handle)
            self.cost_ns = time.thread_time_ns()

    def look(self, handle):
        """Keep the lines of the CPUs; the long one of interrupts comes behind them."""
        self.looks.append((now_ns(), os.pread(handle, 1 << 20, 0).partition(b"intr")[0]))


def table(looks):
    """Looks as (time_ns (S,), cpu numbers (C,), busy (S, C)); S is one less than the looks.

    busy is the share of the ticks since the look before that were not idle; nan where none passed,
    or where a CPU was not there. Ticks are 10 ms on most systems: short samples are coarse.
    """
    ticks = [parse(text) for _, text in looks]
    cpus = sorted(set().union(*ticks))
    missing = np.full(KERNEL_TICKS, np.nan)
    all_ = np.array([[look.get(cpu, missing) for cpu in cpus] for look in ticks])
    passed = np.diff(all_, axis=0)
    total = passed.sum(axis=2)
    idle = passed[..., IDLE].sum(axis=2)
    busy = np.where(total > 0, 1 - idle / np.where(total > 0, total, 1), np.nan)
    return np.array([when for when, _ in looks[1:]]), np.array(cpus), busy


def parse(text):
    """"cpu3 1 2 3 ..." of each CPU as {3: ticks}."""
    found = {}
    for line in text.splitlines():
        name, *values = line.split()
        if name[3:].isdigit():
            found[int(name[3:])] = np.array(values[:KERNEL_TICKS], float)
    return found
