"""Runs to be killed, as tests and the stress script need them: their processes, what they
reported, and whether anything is left of them."""

import fcntl
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import kit

RANK = re.compile(rb"(?:^|\0)OMPI_COMM_WORLD_RANK=(\d+)\0")


def processes(word):
    """{pid: rank or None} of the living processes that have `word` in their command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            rank = RANK.search((folder / "environ").read_bytes())
        except OSError:  # it is gone, or not ours
            continue
        if os.fsencode(word) in words and state not in "ZX" and int(folder.name) != os.getpid():
            found[int(folder.name)] = int(rank.group(1)) if rank else None
    return found


class Run:
    """One driver on its way, writing to `path`; its standard error goes to `log`."""

    def __init__(self, layout, path, *words, log=None, **how):
        self.path, self.layout = Path(path), layout
        self.part = Path(f"{path}.part")
        self.log = Path(log or f"{path}.err")
        line = kit.command(layout, *words, "--verbose", "--allow-invalid", "-o", path, **how)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=log,
                                            start_new_session=True)  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in [self.process.pid, *processes(self.path)]:
            kill(pid)
        self.process.wait()

    @property
    def launcher(self):
        return self.process.pid

    def ranks(self):
        """{rank: pid}; a driver without a launcher is its own rank 0."""
        if self.layout in ("serial", "openmp"):
            return {0: self.process.pid}
        return {rank: pid for pid, rank in processes(self.path).items()
                if rank is not None and pid != self.process.pid}  # fmt: skip

    def said(self):
        return self.log.read_text(errors="replace").splitlines()

    def own_lines(self):
        return kit.sentences("\n".join(self.said()))

    def reported(self):
        """How many repetitions the driver has said to be saved."""
        return sum(line.endswith(" is saved") for line in self.said())

    def wait_started(self, timeout=300):
        """Until its journal is there: every process of it runs."""
        end = time.monotonic() + timeout
        while not self.part.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def wait_reported(self, n, timeout=300):
        end = time.monotonic() + timeout
        while self.reported() < n:
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def locked(self):
        """Does anybody hold its journal? Who ends loses its command line before its files."""
        try:
            with open(self.part, "rb") as journal:
                fcntl.flock(journal, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # it is gone, or its file system is cut off
            return False
        return False

    def wait_inside(self, n, timeout=300):
        """Until at least n repetitions are reported and it works at the next. Returns how many
        are: between two repetitions no process of it takes much CPU time."""
        end = time.monotonic() + timeout
        self.wait_reported(n, timeout)
        reported, begin = self.reported(), self.cpu_s()
        while any(now - then < 0.2 for now, then in zip(self.cpu_s(), begin)):
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)
            if self.reported() != reported:
                reported, begin = self.reported(), self.cpu_s()
        return reported

    def cpu_s(self):
        """CPU time of each rank so far."""
        stats = [Path(f"/proc/{pid}/stat").read_text() for _, pid in sorted(self.ranks().items())]
        ticks = [map(int, stat.rpartition(")")[2].split()[11:13]) for stat in stats]
        return [sum(both) / os.sysconf("SC_CLK_TCK") for both in ticks]

    def end(self, timeout=300):
        """The exit status, and how long it took from now to the last process's end."""
        begin = time.monotonic()
        status = self.process.wait(timeout)
        while processes(self.path) or self.locked():
            assert time.monotonic() < begin + timeout, processes(self.path)
            time.sleep(0.02)
        return status, time.monotonic() - begin


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
