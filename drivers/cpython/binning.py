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
        t, seconds = self.task, self.task.wait * 1e-9
        units, first, before = 0, -1, start
        while True:
            time.sleep(seconds)
            now = now_ns()
            if not self.waited(start, now):
                return stamps(start, now, units, first, before)
            if now - before > t.detour:
                self.away.append((before, now - before))
            first, before, units = now if units == 0 else first, now, units + 1

    async def run_async(self, start):
        seconds = self.task.wait * 1e-9
        units, first, before = 0, -1, start
        while True:
            await asyncio.sleep(seconds)
            now = now_ns()
            if not self.waited(start, now):
                return stamps(start, now, units, first, before)
            first, before, units = now if units == 0 else first, now, units + 1

    def waited(self, start, now):
        """Count a wait that ended at `now`; False after the window."""
        k = (now - start) // self.task.width
        if k < self.task.bins:
            self.table[k, self.column] += 1
        return k < self.task.bins

    def results(self):
        most = self.task.detours
        return {"counts": self.table[:, self.column].astype(np.uint32),
                "detours": tuple(self.away[:most]),
                "dropped": max(0, len(self.away) - most)}


def new_table(bins, columns):
    """Zeros that are there: a fresh page would be fetched inside the measured loop."""
    table = np.empty((bins, columns), dtype=np.int64)
    table[:] = 0
    return table


def stamps(start, end, units, first, last):
    return {"start": start, "end": end, "units": units,
            "first": first if units else -1, "last": last if units else -1}
