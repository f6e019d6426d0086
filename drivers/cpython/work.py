"""What one worker does in one repetition: its job, and the stamps around it.

Runs in every thread, process and rank; never asks which of them it is. Knows no files.
"""

import asyncio
import os
import resource
import threading
import time

from cpython import binning, compute, marshal, seat, update
from cpython.clock import now_ns, wait_until
from cpython.task import Seen

JOBS = {"binning": binning.Binning, "dot": compute.Dot, "matmul": compute.Matmul,
        "marshal": marshal.Marshal, "update": update.Update}
THREAD_CLOCK = 6  # low bits of a thread's CPU clock, above them ~tid (Linux, posix-timers.h)


def run(task):
    """One repetition of one worker."""
    seat.pin(task.cpu)
    job = JOBS[task.kernel](task)  # memory is there and touched before the clock runs
    clocks = cpu_clocks(task.process)
    ready = now_ns()
    if task.start is not None:  # a thread must not spin while it holds the lock
        wait_until(task.start, spin=task.process)
    begun, before, cpu = now_ns(), usage(task.process, clocks), seat.cpu_here()
    stamps = job.run(opening(task, ready))
    if task.slow:
        stamps = slowed(stamps, task.slow)
    if task.wrong:
        job.spoil()
    after = usage(task.process, cpu_clocks(task.process))
    return seen(task, ready, stamps, (begun, now_ns()), used(before, after), cpu, job)


def slowed(stamps, share):
    """The same work, of which the worker was busy for so much longer."""
    end = stamps["end"] + (stamps["end"] - stamps["start"]) * share
    now = now_ns()
    while now < end:
        now = now_ns()
    return {**stamps, "end": now}


async def run_async(task):
    """The same for a coroutine. Only the first reports the thread's usage: it is everybody's."""
    job = binning.Binning(task)
    ready = now_ns()
    await asyncio.sleep(max(0, task.start - now_ns()) * 1e-9)
    clocks = cpu_clocks(process=False)
    begun, before, cpu = now_ns(), usage(False, clocks), seat.cpu_here()
    stamps = await job.run_async(opening(task, ready))
    theirs = used(before, usage(False, clocks)) if task.worker == 0 else (0, 0, 0, 0)
    return seen(task, ready, stamps, (begun, now_ns()), theirs, cpu, job)


def opening(task, ready):
    """When the window opens: at the agreed instant, or at the arrival if that is later."""
    return now_ns() if task.start is None else max(task.start, ready)


def cpu_clocks(process):
    """The clocks to read, one after the other, for the CPU time that the last one then tells.

    Linux adds a thread that runs on another CPU to its process's clock at that CPU's tick only,
    4 ms apart at 250 Hz; a look at the thread's own clock brings the sum up to date.
    """
    if not process:
        return [time.CLOCK_THREAD_CPUTIME_ID]
    threads = [~int(tid) << 3 | THREAD_CLOCK for tid in os.listdir("/proc/self/task")]
    return [*threads, time.CLOCK_PROCESS_CPUTIME_ID]


def usage(process, clocks):
    """CPU time in ns, minor faults, voluntary and involuntary switches."""
    r = resource.getrusage(resource.RUSAGE_SELF if process else resource.RUSAGE_THREAD)
    for clock in clocks:
        try:
            spent = time.clock_gettime_ns(clock)
        except OSError:  # that thread has ended: it is in the sum
            continue
    return spent, r.ru_minflt, r.ru_nvcsw, r.ru_nivcsw


def used(before, after):
    return tuple(b - a for a, b in zip(before, after))


def seen(task, ready, stamps, looked, usage_, cpu, job):
    return Seen(worker=task.worker, ready=ready, **stamps, looked=looked, usage=usage_,
                cpu=(cpu, seat.cpu_here()), pid=os.getpid(), tid=threading.get_native_id(),
                allowed=seat.allowed(), **job.results())
