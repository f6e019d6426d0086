"""Reads files first where they can do no harm: in a child process with limits.

HDF5 itself may crash, loop or take all memory on a damaged or hostile file (CVE-2024-29157 and
others, all before 1.14.4), and takes its process along. Knows no HDF5: the caller brings the
reading.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import IO

SECONDS = 20  # of CPU time, between two signs of life
MEMORY = 1 << 30  # bytes, above what the process has already


def reasons(paths: Sequence[str], read: Callable[[str], str | None]) -> Iterator[str | None]:
    """Yield for each path, in order, why it cannot be used, or None.

    read(path) returns the same; it runs in a child, which works ahead of the caller. The file
    that ends the child is named, and another child goes on behind it.
    """
    at = 0
    while at < len(paths):
        child, answers = _start(paths[at:], read)
        try:
            with answers:
                for line in answers:
                    at += 1
                    yield json.loads(line)
        finally:
            os.kill(child, signal.SIGKILL)  # after its last answer it has ended, and how is known
            _, status = os.waitpid(child, 0)
        if at < len(paths):
            at += 1
            yield _end(status)


def alive() -> None:
    """In read(), between two steps: the CPU time counts anew."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + SECONDS)


def _start(paths: Sequence[str], read: Callable[[str], str | None]) -> tuple[int, IO[str]]:
    answers, to = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(answers)
            _confine()
            with os.fdopen(to, "w") as out:
                for path in paths:
                    alive()
                    out.write(json.dumps(read(path)) + "\n")
                    out.flush()
        finally:
            os._exit(1)  # the parent's cleaning up is the parent's
    os.close(to)
    return child, os.fdopen(answers)


def _confine() -> None:
    """No core file, no words of the C library in between, and a bound on memory."""
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _limit(resource.RLIMIT_CORE, 0)
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _end(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return "damaged (the process that read it gave up)"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return f"damaged (HDF5 did not come to an end with it in {SECONDS} s)"
    return f"damaged (HDF5 crashed on it, {signal.strsignal(number)})"
