"""Repetitions: the lead hands out tasks and keeps what comes back, until it is enough."""

import os
import signal
import sys
import time

from cpython import compute, cores, halt, seat, update
from cpython import crew as crews
from cpython.beside import Beside
from cpython.binning import new_table
from cpython.clock import now_ns
from cpython.options import THREADS
from cpython.task import Task

ENOUGH_NS = 20_000_000  # a repetition this long is worth its clock reads
SETTLE_NS = 300_000_000  # a pool's processes must be up within this, or another try is needed
TRIES = 10
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Wrong(Exception):
    """A result that is not what it must be."""


class Stop:
    """Signals end the run after the repetition; a second one ends it at once."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

    def __init__(self):
        self.number = 0
        for number in self.NUMBERS:
            signal.signal(number, self.note)

    def note(self, number, _):
        if self.number:
            os._exit(4)
        self.number = number


class Measured:
    """R repetitions of W workers.

    seen : R lists of W task.Seen;  wall_ns : R;  node : R of (busy ns, stolen ns, switches) or -1
    ours_ns, look_ns : R; our own CPU time between the two looks at the node, and their distance
    found : R; updates that were in the counters afterwards; 0 without any
    cores : cores.Watch, closed
    """

    def __init__(self):
        self.seen, self.wall_ns, self.node = [], [], []
        self.ours_ns, self.look_ns = [], []
        self.iterations, self.stopped_by, self.signal = 1, "repeats", 0
        self.found, self.cores = [], None


def run(p, crew, stop, past):
    """All repetitions that `p` asks for, less those of a resume.Past, which keeps each. At least
    one, also when a signal came early."""
    m = Measured()
    past.restore(m)
    given = past.iterations or p.iterations or int(p.hand_over)
    base = task_of(p, crew)._replace(iterations=given or 1)
    try:
        if p.start == "common":
            base = warm_up(p, crew, base, stop, given)
        m.iterations = base.iterations
        with cores.Watch(p.cores_ns) as m.cores:
            repetitions(p, crew, base, stop, m, past)
    finally:
        update.close(base.counter)
    progress(p, None)
    return m


def repetitions(p, crew, base, stop, m, past):
    begin = now_ns() - sum(m.look_ns)
    while not m.seen or not enough(p, stop, m, now_ns() - begin):
        repeat(p, crew, base, m)
        past.keep(m)
        progress(p, len(m.seen))


def enough(p, stop, m, after_ns):
    """There are as many as were asked for, or as are needed, the time is over or a signal came."""
    if p.until_ci and halt.is_look(len(m.seen)) and halt.is_close(rates(p, m), p.until_ci):
        m.stopped_by = "until-ci"
    elif not p.until_ci and len(m.seen) >= p.repeats:
        m.stopped_by = "repeats"
    elif stop.number:
        m.stopped_by, m.signal = "signal", stop.number
    elif p.max_time_ns and after_ns >= p.max_time_ns:
        m.stopped_by = "max-time"
    else:
        return False
    return True


def rates(p, m):
    """Units per ns of each repetition, all workers. (R,)"""
    window = p.bins * p.width_ns if p.kernel == "binning" else 0
    return [sum(s.units for s in seen)
            / (window or max(s.end for s in seen) - min(s.start for s in seen)) for seen in m.seen]


def task_of(p, crew):
    timed = p.kernel == "binning"
    return Task(kernel=p.kernel, worker=0, workers=crew.workers, process=crew.processes,
                bins=p.bins if timed else 0, width=p.width_ns, wait=p.wait_ns,
                compute=p.compute_ns,
                counter=update.make(p.method, crew.workers) if p.kernel == "update" else None,
                detour=p.detour_ns, detours=p.detours, size=p.size, weak=p.scaling == "weak",
                method=p.method, slow=p.inject.slow)


def tasks(p, crew, base, lead_ns):
    """One for each worker, all with the same start; or each with none."""
    cpus = seat.allowed()[:1] if p.inject.same_core else seat.allowed()
    pins = p.bind == "cores" or p.inject.same_core
    table = (new_table(base.bins, crew.workers)
             if base.bins and p.way in THREADS else None)
    start = now_ns() + lead_ns if p.start == "common" else None
    made = [base._replace(worker=i, start=start, table=table, wrong=i == p.inject.wrong,
                          cpu=cpus[i % len(cpus)] if pins else -1)
            for i in range(crew.workers)]
    return handed(made) if p.hand_over else made


def handed(tasks_):
    """Each with its share of the vectors in it, and the instant from which it is on its way."""
    shares = [compute.kept(("handed", *compute.share(task)),
                           lambda task=task: compute.vectors(*compute.share(task)))
              for task in tasks_]
    sent = now_ns()
    return [task._replace(start=None, handed=(sent, *share)) for task, share in zip(tasks_, shares)]


def repeat(p, crew, base, m):
    before, wall, ours, begin = node_look(), time.time_ns(), own_ns(), now_ns()
    had = update.total(base.counter, crew.workers)
    with Beside(p.beside):
        seen = crew.run(tasks(p, crew, base, crew.lead_ns))
    m.found.append(update.total(base.counter, crew.workers) - had)
    m.look_ns.append(now_ns() - begin)
    m.ours_ns.append(own_ns() - ours + crew.lasts * sum(s.usage[0] for s in seen))
    m.node.append(tuple(b - a if a >= 0 else -1 for a, b in zip(before, node_look())))
    m.wall_ns.append(wall)
    check(p, seen)
    m.seen.append(seen)


def check(p, seen):
    """What was counted is what was done, and what was computed is right."""
    for s in seen:
        if s.counts is not None and int(s.counts.sum(dtype="u8")) != s.units:
            raise Wrong(f"binning: worker {s.worker} did {s.units} units and "
                        f"{int(s.counts.sum(dtype='u8'))} were counted")
        if s.expected == s.expected and s.value != s.expected:
            raise Wrong(f"{p.kernel}: worker {s.worker} got {s.value!r}, not {s.expected!r}")
        if s.residual == s.residual and not s.residual < 1:
            raise Wrong(f"matmul: worker {s.worker}'s product is wrong: residual "
                        f"{s.residual:.3g} of its bound")


def warm_up(p, crew, base, stop, given):
    """Run unmeasured; returns the task with as many iterations as fill a repetition, or were given."""
    if crew.settles:
        settle(p, crew, base)
    if base.bins:
        bins = -(-p.warmup_ns // base.width)
        if bins:
            wait = min(base.wait, p.warmup_ns)
            crew.run(tasks(p, crew, base._replace(bins=bins, wait=wait), crew.lead_ns))
        return base
    begin = now_ns()
    while True:
        took = min(once(p, crew, base), once(p, crew, base))  # one may have met a busy machine
        more = base.iterations if given else more_iterations(base.iterations, took)
        enough = now_ns() - begin >= p.warmup_ns and more <= base.iterations * 5 // 4
        base = base._replace(iterations=more)
        if enough or stop.number:
            return base


def once(p, crew, base):
    """How long an unmeasured repetition takes, ns."""
    seen = crew.run(tasks(p, crew, base, crew.lead_ns))
    return max(s.end for s in seen) - min(s.start for s in seen)


def settle(p, crew, base):
    """Until each worker of a pool has taken a task of its own."""
    small = base._replace(bins=1, wait=0) if base.bins else base
    lead = max(crew.lead_ns, SETTLE_NS) if crew.processes else crew.lead_ns
    for _ in range(TRIES):
        seen = crew.run(tasks(p, crew, small, lead))
        if len({s.tid for s in seen}) == len(seen):
            return
        lead = min(2 * lead, 10 * SETTLE_NS)


def more_iterations(iterations, took):
    if took >= ENOUGH_NS:
        return iterations
    scale = ENOUGH_NS / max(took, 1)
    return int(iterations * (scale * 1.1 if scale < 16 else 16)) + 1


def node_look():
    """(busy ns, stolen ns, context switches) of the whole node since it was started; -1 unknown."""
    busy = steal = switches = -1
    try:
        with open("/proc/stat") as file:
            for line in file:
                name, *values = line.split()
                if name == "cpu":
                    user, nice, system, _, _, irq, softirq, stolen, *_ = map(int, values)
                    busy, steal = (user + nice + system + irq + softirq) * TICK_NS, stolen * TICK_NS
                elif name == "ctxt":
                    switches = int(values[0])
    except (OSError, ValueError):
        pass
    return busy, steal, switches


def own_ns():
    """CPU time of this process and of the children that have ended."""
    t = os.times()
    return round((t.user + t.system + t.children_user + t.children_system) * 1e9)


def open_crew(p):
    return crews.open_crew(p.way, p.start, p.workers)


def progress(p, done):
    """done: repetitions, of which the last is on disk; None: it is over."""
    if p.verbose and done is not None:
        sys.stderr.write(f"{p.kernel}: repetition {done} is saved\n")
    if p.quiet or p.verbose or not sys.stderr.isatty():
        return
    of = f" of {p.repeats}" if p.repeats else ""
    text = "" if done is None else f"{p.kernel}: repetition {done}{of}"
    sys.stderr.write(f"\r{text}\033[K")
    sys.stderr.flush()
