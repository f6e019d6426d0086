"""Did the workers really run at the same time? Pure: arrays in, findings and words out.

R repetitions, W workers. `cores obtained` is the CPU time of all workers over one window; windows
that followed one another make it larger than the machine. `windows open` is how many workers'
windows were open at once, on average from the first start to the last end; `cores busy` is their
CPU time over the time from the first look at it to the last: no arithmetic makes that larger than
the machine. A look is not taken in the same instant as a window's stamp (a busy machine takes a
worker off its CPU between the two, while its library's threads still spin), so only the CPU time
that must lie inside of a window can make one impossible.
"""

from typing import NamedTuple

import numpy as np

COMMON = 0.9  # of the workers' windows must be open at once, or their units must not be added
SPARE = 0.05  # share by which CPU time may exceed the cores: two clocks
BUSY = 0.25  # cores used by others from which a lack of parallelism may be theirs
WINDOW_INTERVALS = 40  # switch intervals that each thread's share of a window should have

# The bits of /workers/findings: the first row as the C drivers have them (drivers/gate.h).
CROWDED, POOL, LATE, MIGRATED, FAULTS, PREEMPTED = 4, 8, 32, 64, 128, 256
NEVER, APART, IMPOSSIBLE = 1 << 24, 1 << 25, 1 << 26
TEXTS = {
    CROWDED: "more workers and library threads than CPUs",
    POOL: "the BLAS library runs another number of threads than was set",
    LATE: "started after the agreed instant",
    MIGRATED: "changed its CPU",
    FAULTS: "page faults in measured time",
    PREEMPTED: "taken off its CPU",
    NEVER: "never ran: no unit of work in its window",
    APART: "windows were not open at the same time",
    IMPOSSIBLE: "more CPU time in one window than the cores have",
}
# Share of a worker's repetitions from which one makes a run INVALID, as in drivers/gate.c; what is
# not listed is only told.
LIMITS = {CROWDED: 0, POOL: 0, LATE: 0.5}
ALWAYS = (CROWDED, POOL)  # true of the whole run, not of a repetition


class Look(NamedTuple):
    """What was seen, as arrays (R, W) unless said otherwise. Times are ns."""

    start: np.ndarray
    end: np.ndarray
    first: np.ndarray
    units: np.ndarray
    cpu_time: np.ndarray  # between two looks,
    begun: np.ndarray  # this one
    ended: np.ndarray  # and that
    faults: np.ndarray
    involuntary: np.ndarray
    moved: np.ndarray
    pid: np.ndarray
    tid: np.ndarray
    cpus: int  # CPUs that the workers might use, together
    window: int  # of a repetition; 0: the kernel is not timed
    width: int
    waits: bool  # units are waits: CPU time is no measure
    threads: bool  # workers share one interpreter
    locked: bool  # ... and its lock
    turns: bool  # only one works at a time, by that lock or by design: none needs its own CPU
    blas: int  # threads asked of the library in each process
    pool: int  # that it has; -1 unknown
    way: str
    start_is_common: bool
    switch_ns: int
    others: np.ndarray  # (R,) cores that were not ours, around the repetition; nan unknown


class Verdict(NamedTuple):
    valid: bool
    reasons: str
    warnings: str
    text: str  # one sentence
    findings: np.ndarray  # (R, W)
    obtained: np.ndarray  # (R,) cores
    open: np.ndarray  # (R,) windows
    busy: np.ndarray  # (R,) cores
    processes: np.ndarray  # (R,) different ones that worked
    never_ran: str


def span(look):
    return (look.end.max(axis=1) - look.start.min(axis=1)).astype(float)


def windows_open(look):
    """Mean number of workers' windows open at once, from the first start to the last end. (R,)"""
    return (look.end - look.start).sum(axis=1) / span(look)


def cores_busy(look):
    """CPU time of all workers over the time in which it was looked at. (R,)"""
    return look.cpu_time.sum(axis=1) / (look.ended.max(axis=1) - look.begun.min(axis=1))


def cores_obtained(look):
    """CPU time of all workers over one window; of a kernel without one, the cores busy. (R,)"""
    return look.cpu_time.sum(axis=1) / look.window if look.window else cores_busy(look)


def impossible_cores(look):
    """Cores that the CPU time inside of one window must have taken; nan where not too many. (R,)

    Outside of its window each worker may have kept all CPUs busy.
    """
    if not look.window:
        return np.full(len(look.start), np.nan)
    outside = np.maximum(0, look.start - look.begun) + np.maximum(0, look.ended - look.end)
    inside = np.maximum(0, look.cpu_time - look.cpus * outside).sum(axis=1) / look.window
    return np.where(inside > look.cpus * (1 + SPARE), inside, np.nan)


def judge(look):
    workers = look.start.shape[1]
    obtained, opened = cores_obtained(look), windows_open(look)
    busy, impossible = cores_busy(look), impossible_cores(look)
    apart = (opened < COMMON * workers) & bool(look.window)
    found = findings(look, workers) | np.where(apart, APART, 0)[:, None] | np.where(
        impossible > 0, IMPOSSIBLE, 0)[:, None]
    reasons = []
    if apart.sum() * 2 > len(apart):
        reasons.append(f"the windows did not coincide: {np.median(opened[apart]):.2f} of {workers} "
                       "were open at once, so their units must not be added up"
                       + one_process(look, apart))
    if (impossible > 0).any():
        reasons.append(f"more CPU time in one window than the cores have: "
                       f"{np.nanmax(impossible):.2f} cores obtained of {look.cpus}")
    more, warnings = told(found, bool(reasons))
    reasons += more
    never = never_ran(look)
    if look.locked and look.window and workers > 1 and not look.waits and (
            look.window < WINDOW_INTERVALS * look.switch_ns * workers):
        warnings.append(f"the window is shorter than {WINDOW_INTERVALS} switch intervals for each "
                        "thread: shares are left to chance")
    return Verdict(not reasons, "; ".join(reasons), "; ".join(warnings),
                   sentence(look, obtained, opened, busy, bool(reasons)), found, obtained, opened,
                   busy, processes(look), never)


def processes(look):
    return np.array([len(set(row.tolist())) for row in look.pid])


def one_process(look, apart):
    """Tasks that were to run at once and were all taken by fewer workers."""
    workers = look.pid.shape[1]
    if look.threads or look.way == "serial-loop":
        return ""
    few = int(np.median(processes(look)[apart]))
    return f"; {few} process{'es' * (few != 1)} ran all {workers} tasks" if few < workers else ""


def findings(look, workers):
    found = np.zeros(look.start.shape, dtype=np.int64)
    at_once = 1 if look.turns or look.waits else workers
    if at_once * look.blas > look.cpus:
        found |= CROWDED
    if look.pool not in (-1, look.blas):
        found |= POOL
    if look.window and look.start_is_common and at_once == workers and not look.waits:
        late = (look.first - look.start.min(axis=1, keepdims=True) > look.width)
        found |= np.where(late & (look.units > 0), LATE, 0)
    if look.window:
        found |= np.where(look.units == 0, NEVER, 0)
    found |= np.where(look.moved, MIGRATED, 0)
    found |= np.where(look.faults > 0, FAULTS, 0)
    return found | np.where(look.involuntary > 0, PREEMPTED, 0)


def told(found, known):
    """Findings in the C drivers' words, with counts: (those that falsify, the others).

    known: why the windows may not be added up has been said already.
    """
    reasons, texts = [], []
    reps, workers = found.shape
    for bit, text in TEXTS.items():
        seen = found & bit > 0
        if not seen.any() or bit == IMPOSSIBLE or (bit == APART and known):
            continue
        n = int(seen.sum())
        count = (f"{n // reps} of {workers} workers" if bit in ALWAYS
                 else f"in {n} of {reps * workers} worker-repetitions")
        falsifies = seen.sum(axis=0).max() > LIMITS.get(bit, 1) * reps
        (reasons if falsifies else texts).append(f"{text} ({count})")
    return reasons, texts


def never_ran(look):
    """Which workers had repetitions without any work: "worker 3: 2 of 5 repetitions"."""
    if not look.window:
        return ""
    idle = (look.units == 0).sum(axis=0)
    return "; ".join(f"worker {i}: {n} of {len(look.units)} repetitions"
                     for i, n in enumerate(idle.tolist()) if n)


def sentence(look, obtained, opened, busy, invalid):
    """The run in words. Never "parallel" without CPU time that was spent at once."""
    workers = look.start.shape[1]
    cores, at_once, together = map(float, map(np.median, (obtained, opened, busy)))
    if workers == 1:
        return f"one worker, {together:.2f} cores busy"
    if invalid and at_once < COMMON * workers:
        if at_once < 1.1:
            return (f"no parallelism: windows follow one another ({at_once:.2f} of {workers} open "
                    f"at once, {together:.2f} cores busy)")
        return (f"windows overlap in part ({at_once:.2f} of {workers} open at once, "
                f"{together:.2f} cores busy)")
    if look.waits:
        return f"{workers} workers waited at the same time, {together:.2f} cores busy"
    others = float(np.mean(look.others))
    if (together < 0.9 * min(workers, look.cpus) and others > BUSY and look.cpus > 1
            and not look.locked):
        return (f"cannot tell: {together:.2f} cores busy of {min(workers, look.cpus)}, while "
                f"others used {others:.2f}")
    if together < 1.1:
        why = ("threads took turns under the interpreter's lock" if look.locked
               else "one CPU for all of them" if look.cpus == 1 else "the workers took turns")
        return f"no parallelism: {why} ({cores:.2f} cores obtained by {workers} workers)"
    ideal = min(workers * look.blas, look.cpus)
    word = "parallel" if together >= 0.9 * ideal else "parallel in part"
    return f"{word}: {together:.2f} cores busy of {ideal} that {workers} workers could have"
