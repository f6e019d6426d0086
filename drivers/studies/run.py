"""Runs launches, one at a time or side by side, and writes down what became of each.

Sleeps while a launch runs: whoever wakes up to look steals time from a worker.
"""

import ctypes
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
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Stopped(Exception):
    """We were asked to stop. Its text names the signal."""


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

    def check(self):
        """Raises Stopped if we shall stop."""
        if self.stopped:
            raise Stopped(signal.Signals(self.stopped).name)


def kill(processes, watch):
    """Ask them to stop, then make them; a second Ctrl-C makes them at once."""
    heard = watch.asked
    for number in ASK:
        for process in processes:
            process.send_signal(number)
        if all_end(processes, PATIENCE_S, watch, heard) or watch.asked > heard:
            break
    for process in processes:
        for pid in session(process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def all_end(processes, seconds, watch, heard):
    """False: the time is over, or we were asked to stop once more than we `heard`."""
    end = time.monotonic() + seconds
    while any(process.poll() is None for process in processes):
        if time.monotonic() >= end or watch.asked > heard:
            return False
        watch.sleep(end - time.monotonic())
    return True


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


def end_with_parent(command):
    """For between fork and exec: a study that is killed leaves no launch behind, which would
    go on writing where the resumed study writes. mpirun would take its time to hand a
    SIGTERM on; ranks that lose it end at once. srun must live to end its tasks."""
    number = signal.SIGTERM if command[0] == "srun" else signal.SIGKILL
    return lambda: LIBC.prctl(PR_SET_PDEATHSIG, number)


def to_its_end(command, watch, out=None):
    """Runs a command that is no launch; returns its exit status. out: for its standard output.
    Raises Stopped; then it has been ended."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        start_new_session=True,
        preexec_fn=end_with_parent(command),
    )
    while process.poll() is None:
        if watch.stopped:
            kill([process], watch)
            watch.check()
        watch.sleep(PATIENCE_S)
    return process.returncode


class Attempt:
    """One command on its way, with all that it prints in `log`."""

    def __init__(self, command, log):
        self.command, self.log = command, log
        self.begin, self.clock = datetime.now(timezone.utc), time.monotonic()
        self.process = self.status = self.code = None
        try:
            with open(log, "wb") as out:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=end_with_parent(command),
                )
        except OSError as error:
            self.tell(f"{command[0]}: {error.strerror}")
            self.end("failed")

    def tell(self, text):
        with open(self.log, "a") as out:
            out.write(text + "\n")

    def end(self, status, code=None):
        self.status, self.code = status, code
        self.seconds = time.monotonic() - self.clock

    def look(self):
        """Notes its end, if it has come."""
        code = self.process.poll()
        if code is None:
            return
        if code < 0:
            self.tell(f"ended by {signal.Signals(-code).name}")
        self.end(STATUS.get(code, "failed"), code)


def together(attempts, limit_s, watch):
    """Waits until every one has ended; ends them if we are asked to stop or the time is over."""
    end = time.monotonic() + limit_s
    while going := [attempt for attempt in attempts if attempt.status is None]:
        if watch.stopped or time.monotonic() >= end:
            kill([attempt.process for attempt in going], watch)
            for attempt in going:
                if not watch.stopped:
                    attempt.tell(f"no end after {limit_s} s")
                attempt.end("stopped" if watch.stopped else "failed")
            return
        for attempt in going:
            attempt.look()
        if all(attempt.status is None for attempt in going):
            watch.sleep(end - time.monotonic())


def several(launches, command_of, folder, limit_s, watch):
    """Runs launches at the same time; returns their records, which it also adds to the folder's."""
    attempts = []
    for launch in launches:
        for path in (trace_of(launch, folder), log_of(launch, folder)):
            path.parent.mkdir(parents=True, exist_ok=True)
        set_aside(trace_of(launch, folder))
        attempts.append(Attempt(command_of(launch), log_of(launch, folder)))
    together(attempts, limit_s, watch)
    records = [record_of(*pair, folder) for pair in zip(launches, attempts)]
    write_down(records, folder)
    return records


def write_down(records, folder):
    """Behind what is there. A line that a crash has torn ends here, or the next was torn too."""
    with open(folder / RECORD, "a+b") as out:
        if out.tell():
            out.seek(-1, os.SEEK_END)
            if out.read(1) != b"\n":
                out.write(b"\n")
        for record in records:
            out.write(json.dumps(record).encode() + b"\n")


def record_of(launch, attempt, folder):
    trace = trace_of(launch, folder)
    if attempt.status in STATUS.values() and not trace.exists():
        attempt.tell(f"exit status {attempt.code}, but no trace")
        attempt.status = "failed"
    if attempt.status not in STATUS.values():
        set_aside(trace)
    return {
        "launch": launch.name,
        "status": attempt.status,
        "exit": attempt.code,
        "begin": attempt.begin.isoformat(timespec="milliseconds"),
        "seconds": round(attempt.seconds, 3),
        "command": attempt.command,
    }


def trace_of(launch, folder):
    return folder / launch.cell.folder / f"{launch.name}.h5"


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
