"""What one worker does in one repetition: its job, and the stamps around it.

Runs in every thread, process and rank; never asks which of them it is. Knows no files.
"""

import asyncio
import os
import resource
import threading
import time

from cpython import binning, compute, marshal, seat
from cpython.clock import now_ns, wait_until
from cpython.task import Seen

JOBS = {"binning": binning.Binning, "dot": compute.Dot, "matmul": compute.Matmul,
        "marshal": marshal.Marshal}


def run(task):
    """One repetition of one worker."""
    seat.pin(task.cpu)
    job = JOBS[task.kernel](task)  # memory is there and touched before the clock runs
    ready = now_ns()
    if task.start is not None:  # a thread must not spin while it holds the lock
        wait_until(task.start, spin=task.process)
    before, cpu = usage(task.process), seat.cpu_here()
    stamps = job.run(opening(task, ready))
    return seen(task, ready, stamps, used(before, usage(task.process)), cpu, job)


async def run_async(task):
    """The same for a coroutine. Only the first reports the thread's usage: it is everybody's."""
    job = binning.Binning(task)
    ready = now_ns()
    await asyncio.sleep(max(0, task.start - now_ns()) * 1e-9)
    before, cpu = usage(process=False), seat.cpu_here()
    stamps = await job.run_async(opening(task, ready))
    theirs = used(before, usage(process=False)) if task.worker == 0 else (0, 0, 0, 0)
    return seen(task, ready, stamps, theirs, cpu, job)


def opening(task, ready):
    """When the window opens: at the agreed instant, or at the arrival if that is later."""
    return now_ns() if task.start is None else max(task.start, ready)


def usage(process):
    """CPU time in ns, minor faults, voluntary and involuntary switches."""
    r = resource.getrusage(resource.RUSAGE_SELF if process else resource.RUSAGE_THREAD)
    clock = time.CLOCK_PROCESS_CPUTIME_ID if process else time.CLOCK_THREAD_CPUTIME_ID
    return time.clock_gettime_ns(clock), r.ru_minflt, r.ru_nvcsw, r.ru_nivcsw


def used(before, after):
    return tuple(b - a for a, b in zip(before, after))


def seen(task, ready, stamps, usage_, cpu, job):
    return Seen(worker=task.worker, ready=ready, **stamps, usage=usage_,
                cpu=(cpu, seat.cpu_here()), pid=os.getpid(), tid=threading.get_native_id(),
                allowed=seat.allowed(), **job.results())
