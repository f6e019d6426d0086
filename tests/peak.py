"""Runs a command and tells what it took: time, CPU time, and the most memory of any process in it.

Under a launcher, before the program of each rank:  mpirun -n 4 python3 peak.py FOLDER PROGRAM ...
leaves FOLDER/RANK with the bytes of that rank.
"""

import os
import subprocess
import sys
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


if __name__ == "__main__":
    took = of(sys.argv[2:])
    with open(os.path.join(sys.argv[1], os.environ["OMPI_COMM_WORLD_RANK"]), "w") as file:
        file.write(str(took.rss))
    sys.exit(took.code)
