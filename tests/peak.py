"""Runs a command and tells what it took: time, CPU time, and the most memory of any process in it."""

import os
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Peak:
    """seconds: elapsed; cpu_s: user and system, its children's too; rss: bytes, of the largest of
    its processes; code: exit status."""

    seconds: float
    cpu_s: float
    rss: int
    code: int

    def __str__(self):
        return (f"{self.seconds:6.1f} s, {self.cpu_s:6.1f} s of CPU, {self.rss / 2**20:6.0f} MiB"
                + ("" if self.code == 0 else f", exit status {self.code}"))


def of(command, **how):
    """Waits for it. how: as for subprocess.Popen."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), **how)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Peak(time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024,
                process.returncode)
