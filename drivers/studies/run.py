"""Runs launches one at a time and writes down what became of each.

Sleeps while a launch runs: whoever wakes up to look steals time from a worker.
"""

import json
import os
import select
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

RECORD = "launches.jsonl"
STATUS = {0: "done", 3: "invalid"}  # of a driver; both leave a whole trace
ASK = (signal.SIGUSR1, signal.SIGTERM)  # TERM makes srun kill its tasks, USR1 it hands on
PATIENCE_S = 10  # between one way of asking a launch to stop and the next, and killing it


class Watch:
    """Signals as something to wait for. While one is open, SIGINT and its like do
    not interrupt: `stopped` tells that one came, `asked` how many."""

    STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self):
        self.stopped, self.asked = None, 0
        self.out, self.into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.before = {s: signal.signal(s, self.note) for s in self.STOP}
        self.before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        self.wakeup = signal.set_wakeup_fd(self.into)
        return self

    def __exit__(self, *_):
        signal.set_wakeup_fd(self.wakeup)
        for number, handler in self.before.items():
            signal.signal(number, handler)
        os.close(self.out)
        os.close(self.into)

    def note(self, number, _):
        self.stopped = number
        self.asked += 1

    def sleep(self, seconds):
        """Until a signal (a child ended, or we shall stop), or the time is over."""
        if select.select([self.out], [], [], max(0, seconds))[0]:
            os.read(self.out, 4096)


def wait(process, seconds, watch, heard=0):
    """Exit status, or None: the time is over, or we were asked to stop once more
    than we `heard`."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() >= end or watch.asked > heard:
            return None
        watch.sleep(end - time.monotonic())
    return process.returncode


def kill(process, watch):
    """Ask it to stop, then make it; a second Ctrl-C makes it at once."""
    heard = watch.asked
    for number in ASK:
        process.send_signal(number)
        if wait(process, PATIENCE_S, watch, heard) is not None or watch.asked > heard:
            break
    for pid in session(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def session(leader):
    """Every process of the session that `leader` opened: ranks outlive a killed mpirun."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            members.append(int(stat.parent.name))
    return members


def start(command, log, limit_s, watch):
    """Runs one command to its end. Returns (status, exit status or None)."""
    with open(log, "wb") as out:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            out.write(f"{command[0]}: {error.strerror}\n".encode())
            return "failed", None
        code = wait(process, limit_s, watch)
        if code is None:
            kill(process, watch)
            if watch.stopped:
                return "stopped", None
            out.write(f"no end after {limit_s} s\n".encode())
        elif code < 0:
            out.write(f"ended by {signal.Signals(-code).name}\n".encode())
        return STATUS.get(code, "failed"), code


def one(launch, command, folder, limit_s, watch):
    """Runs one launch; returns its record, which it also adds to the folder's."""
    trace, log = trace_of(launch, folder), log_of(launch, folder)
    set_aside(trace)
    begin = datetime.now(timezone.utc)
    clock = time.monotonic()
    status, code = start(command, log, limit_s, watch)
    if status in STATUS.values() and not trace.exists():
        status = "failed"
        with open(log, "a") as out:
            out.write(f"exit status {code}, but no trace\n")
    if status not in STATUS.values():
        set_aside(trace)
    record = {
        "launch": launch.name,
        "status": status,
        "exit": code,
        "begin": begin.isoformat(timespec="milliseconds"),
        "seconds": round(time.monotonic() - clock, 3),
        "command": command,
    }
    with open(folder / RECORD, "a") as out:
        out.write(json.dumps(record) + "\n")
    return record


def trace_of(launch, folder):
    return folder / f"{launch.name}.h5"


def log_of(launch, folder):
    return folder / "logs" / f"{launch.name}.log"


def set_aside(trace):
    """What a failed launch left is kept, under a name that no analysis reads."""
    for path in (trace, trace.with_name(trace.name + ".part")):
        if path.exists():
            names = (path.with_name(f"{path.name}.failed-{n}") for n in range(1, 1000))
            path.rename(next(name for name in names if not name.exists()))


def records(folder):
    """The last record of every launch, by name."""
    last = {}
    try:
        lines = (folder / RECORD).read_text().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            record = json.loads(line)
            last[record["launch"]] = record
        except (ValueError, KeyError, TypeError):
            pass  # torn by a crash: that launch is run again
    return last


def done(plan, folder):
    """Names of the launches that ended well and whose trace is there."""
    last = records(folder)
    return {
        launch.name
        for launch in plan.order
        if last.get(launch.name, {}).get("status") in STATUS.values()
        and trace_of(launch, folder).exists()
    }


def reason(launch, folder):
    """Why it ended as it did, in the driver's words. What mpirun (between dashed
    lines) and srun add counts only where the driver said nothing."""
    try:
        lines = log_of(launch, folder).read_text(errors="replace").split("\n")
    except OSError:
        lines = []
    own, blocks, inside = [], [[]], False
    for line in map(str.strip, lines):
        if len(line) > 60 and set(line) == {"-"}:
            inside = not inside
            blocks += [[]]
        elif line:
            added = inside or line.startswith(("srun: ", "slurmstepd: "))
            (blocks[-1] if added else own).append(line)
    for start in ("INVALID: ", "bindot", ""):
        found = [line for line in own if line.startswith(start)]
        if found:
            return found[-1].removeprefix("INVALID: ")
    told = [" ".join(block) for block in blocks if block]
    return told[-1][:200] if told else "no message"
