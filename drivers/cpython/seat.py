"""Where the calling thread may run, and where it is."""

import ctypes
import os

_libc = ctypes.CDLL(None)


def pin(cpu):
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})


def allowed():
    return tuple(sorted(os.sched_getaffinity(0)))


def cpu_here():
    return _libc.sched_getcpu()


def threads_here():
    """Threads of this process, by the system's count; -1 where it does not tell."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return -1


def core_of(cpu):
    """The kernel's number of the first CPU of that core; -1 unknown."""
    try:
        with open(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") as file:
            return int(file.read().replace("-", ",").split(",")[0])
    except (OSError, ValueError):
        return -1


def ranges(cpus):
    """(0, 1, 2, 5) as "0-2,5"."""
    parts = []
    for cpu in cpus:
        if parts and cpu == parts[-1][1] + 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
