"""Clock reads, or waits, counted in bins of an absolute grid: an interruption leaves zeros."""

import asyncio
import time

import numpy as np

from cpython.clock import RAW, now_ns


class Binning:
    """One window of one worker."""

    def __init__(self, task):
        self.task = task
        shared = task.table is not None
        self.table = task.table if shared else new_table(task.bins, 1)
        self.column = task.worker if shared else 0
        self.away = []  # detours: (start, length)
        self.wakes = []  # of each wait: from when it was to end until this thread went on

    def run(self, start):
        return self.wait(start) if self.task.wait else self.count(start)

    def count(self, start):
        """A unit belongs to the bin that its clock read falls in; none comes before the start."""
        t, table, column, away = self.task, self.table, self.column, self.away
        width, bins, limit, clock = t.width, t.bins, t.detour, time.clock_gettime_ns
        units = 0
        before, now = start, clock(RAW)
        first = now
        k = (now - start) // width
        while k < bins:
            table[k, column] += 1
            units += 1
            if now - before > limit:
                away.append((before, now - before))
            before = now
            now = clock(RAW)
            k = (now - start) // width
        return stamps(start, now, units, first, before)

    def wait(self, start):
        waits, seconds = Waits(self, start), self.task.wait * 1e-9
        while waits.open:
            time.sleep(seconds)
            waits.woken()
        return waits.stamps()

    async def run_async(self, start):
        waits, seconds = Waits(self, start), self.task.wait * 1e-9
        while waits.open:
            await asyncio.sleep(seconds)
            waits.woken()
        return waits.stamps()

    def results(self):
        most = self.task.detours
        return {"counts": self.table[:, self.column].astype(np.uint32),
                "detours": tuple(self.away[:most]), "wakes": tuple(self.wakes),
                "dropped": max(0, len(self.away) - most)}


class Waits:
    """Units that are waits, each with some computing behind it if the task says so."""

    def __init__(self, job, start):
        self.job, self.start, self.before = job, start, start
        self.units, self.first, self.end = 0, -1, None

    @property
    def open(self):
        return self.end is None

    def woken(self):
        """A wait is over: compute, count, and look whether the window is."""
        t, woken = self.job.task, now_ns()
        compute(t.compute)
        now = now_ns()
        k = (now - self.start) // t.width
        if k >= t.bins:
            self.end = now
            return
        self.job.table[k, self.job.column] += 1
        self.job.wakes.append(woken - self.before - t.wait)
        if now - self.before > t.detour:
            self.job.away.append((self.before, now - self.before))
        self.first = self.first if self.units else now
        self.before, self.units = now, self.units + 1

    def stamps(self):
        return stamps(self.start, self.end, self.units, self.first, self.before)


def compute(cpu_ns):
    """Use so much CPU time: time in which others had the lock, or the core, does not count."""
    if cpu_ns:
        end = time.thread_time_ns() + cpu_ns
        while time.thread_time_ns() < end:
            pass


def new_table(bins, columns):
    """Zeros that are there: a fresh page would be fetched inside the measured loop."""
    table = np.empty((bins, columns), dtype=np.int64)
    table[:] = 0
    return table


def stamps(start, end, units, first, last):
    return {"start": start, "end": end, "units": units,
            "first": first if units else -1, "last": last if units else -1}
