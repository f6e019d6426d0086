"""Which physical cores this process may use. As a command, prints them as JSON."""

import json
import math
import os
import re
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
CGROUPS = Path("/sys/fs/cgroup")


def one_per_core(allowed, siblings):
    """The first allowed CPU of every physical core.

    allowed: CPU numbers. siblings: CPU number -> name shared by the hardware
    threads of one core.
    """
    first = {}
    for cpu in sorted(allowed):
        first.setdefault(siblings(cpu), cpu)
    return sorted(first.values())


def siblings(cpu):
    try:
        return (CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return f"cpu {cpu}"


def quota():
    """CPUs' worth of time that the control group grants, or infinity (cgroup v2, then v1)."""
    granted = math.inf
    for line in read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        group = Path("/" + path.strip("/"))
        for level in (group, *group.parents):
            inside = str(level).lstrip("/")
            if not controllers:
                limit, _, period = read(CGROUPS / inside / "cpu.max").partition(" ")
            elif "cpu" in controllers.split(","):
                limit = read(CGROUPS / "cpu" / inside / "cpu.cfs_quota_us")
                period = read(CGROUPS / "cpu" / inside / "cpu.cfs_period_us")
            else:
                continue
            if re.fullmatch(r"[0-9]+", limit.strip()):
                granted = min(granted, int(limit) / int(period))
    return granted


def read(path):
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def usable():
    """One CPU number per physical core, no more cores than the quota can keep busy."""
    cores = one_per_core(os.sched_getaffinity(0), siblings)
    granted = quota()
    return cores if granted >= len(cores) else cores[: max(1, int(granted))]


def online():
    """How many CPUs the machine has running, allowed or not."""
    return os.cpu_count()


if __name__ == "__main__":
    print(json.dumps(usable()))
