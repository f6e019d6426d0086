"""From what the workers saw to the tables and attributes of a trace. Pure: it writes nothing."""

import datetime
import hashlib
import os
import platform
import sys
import uuid

import numpy as np

from cpython import cores, facts, judge, seat
from cpython.options import SINGLE, THREADS, VERSION

UNITS = {"binning": "clock read", "dot": "multiply-add", "matmul": "multiply-add",
         "marshal": "element", "update": "update"}
HASHED = ("binning.py", "compute.py", "marshal.py", "update.py", "work.py")  # what is measured


IN_PYTHON = ("binning", "update")  # their loops hold the lock; a product releases it


def look(p, crew, m, pool):
    """The arrays that are judged."""
    reps = [[s for s in sorted(seen, key=lambda s: s.worker)] for seen in m.seen]

    def each(value):
        return np.array([[value(s) for s in seen] for seen in reps], dtype=np.int64)

    cpus = {cpu for seen in reps for s in seen for cpu in s.allowed}
    return judge.Look(
        start=each(lambda s: s.start), end=each(lambda s: s.end), first=each(lambda s: s.first),
        units=each(lambda s: s.units), cpu_time=each(lambda s: s.usage[0]),
        begun=each(lambda s: s.looked[0]), ended=each(lambda s: s.looked[1]),
        faults=each(lambda s: s.usage[1]), involuntary=each(lambda s: s.usage[3]),
        moved=each(lambda s: s.cpu[0] != s.cpu[1]) > 0, pid=each(lambda s: s.pid),
        tid=each(lambda s: s.tid), cpus=len(cpus),
        window=p.bins * p.width_ns if p.kernel == "binning" else 0, width=p.width_ns,
        waits=bool(p.wait_ns), threads=not crew.processes,
        locked=locked(p) and p.kernel in IN_PYTHON,
        turns=(locked(p) and p.kernel in IN_PYTHON) or p.way in ("serial-loop", "asyncio"),
        blas=p.blas_threads, pool=pool, way=p.way, start_is_common=p.start == "common",
        switch_ns=round(sys.getswitchinterval() * 1e9), others=others(m))


def locked(p):
    """Its workers share one interpreter, and its lock."""
    return p.way in THREADS and facts.gil_is_on()


def others(m):
    """Cores used by everybody else around each repetition; nan where it cannot be seen. (R,)"""
    busy = np.array([node[0] for node in m.node], float)
    busy[busy < 0] = np.nan
    return np.maximum(0, (busy - np.array(m.ours_ns)) / np.array(m.look_ns))


def seconds(seen):
    if seen.window:
        return np.full(len(seen.start), seen.window * 1e-9)
    return judge.span(seen) * 1e-9


def axes(p, m, seen, segments):
    reps, workers = seen.start.shape
    found = [("repetition", reps, "whole repetitions, in order"),
             ("worker", workers, "workers: processes, threads inside"),
             ("segment", len(segments), "starts of the run: it was stopped and resumed between"),
             ("node", 1, "nodes, by their first rank")]
    if seen.window:
        found.append(("bin", p.bins, "time bins from the start of the worker's window"))
        found.append(("detour", sum(len(s.detours) for r in m.seen for s in r),
                      "detours, by repetition, worker and time"))
    if p.wait_ns:
        found.append(("wake", sum(len(s.wakes) for r in m.seen for s in r),
                      "waits that ended in the window, by repetition, worker and time"))
    if p.cores_ns:
        busy = cores.table(m.cores.looks)[2]
        found += [("sample", busy.shape[0], "looks at all CPUs, in order of time"),
                  ("processor", busy.shape[1], "CPUs of the node, in order of their numbers")]
    return found


def tables(p, crew, m, seen, verdict, segments):
    took = seconds(seen)
    usage = np.array([[s.usage for s in r] for r in m.seen], dtype=np.int64)
    inside = seen.end - seen.start
    zeros = np.zeros_like(inside)
    both, once, node = "repetition worker", "repetition", "repetition node"
    clock = ", the node's monotonic clock"
    found = [
        ("start_ns", both, "i8", "ns", "start of the worker's window or work" + clock, seen.start),
        ("end_ns", both, "i8", "ns", "end of its repetition" + clock, seen.end),
        ("compute_ns", both, "i8", "ns", "in the kernel", inside),
        ("wait_ns", both, "i8", "ns", "waiting for the others to finish computing", zeros),
        ("combine_ns", both, "i8", "ns", "combining the workers' results", zeros),
        ("units", both, "i8", "1", "units of work done", seen.units),
        ("workers/cpu_time_ns", both, "i8", "ns",
         "CPU time (of the process where it has one worker)", usage[..., 0]),
        ("workers/minor_faults", both, "i8", "1", "page faults in measured time", usage[..., 1]),
        ("workers/voluntary_switches", both, "i8", "1", "times it gave up its CPU", usage[..., 2]),
        ("workers/involuntary_switches", both, "i8", "1", "times it was taken off its CPU",
         usage[..., 3]),
        ("workers/migrations", both, "i8", "1", "changes of CPU between looks (a lower bound)",
         seen.moved),
        ("workers/findings", both, "i8", "1",
         "what the gate saw; attribute bits says what each means", verdict.findings),
        ("workers/process_id", both, "i4", "", "process that ran the task of this repetition",
         seen.pid),
        ("workers/thread_id", both, "i4", "", "thread that ran the task of this repetition",
         seen.tid),
        ("results/rate", once, "f8", "s-1", "units of work per second, all workers",
         seen.units.sum(axis=1) / took),
        ("results/seconds", once, "f8", "s", "from the first start to the last end, or the window",
         took),
        ("results/cores_obtained", once, "f8", "1",
         "CPU time of all workers over one window (where there is none, as cores_busy)",
         verdict.obtained),
        ("results/windows_open", once, "f8", "1",
         "workers' windows open at once, mean from the first start to the last end", verdict.open),
        ("results/cores_busy", once, "f8", "1",
         "CPU time of all workers over the time from the first look at it to the last",
         verdict.busy),
        ("results/cores_of_others", once, "f8", "1",
         "cores used by everybody else around the repetition (in clock ticks: coarse)",
         seen.others),
        ("results/processes_used", once, "i4", "1", "different processes that ran tasks",
         verdict.processes),
        ("wall_start", once, "i8", "nanoseconds since 1970-01-01T00:00:00Z",
         "the lead's calendar time", m.wall_ns),
    ]
    looks = np.array(m.node, dtype=np.int64)[:, None, :]
    found += [
        ("nodes/busy_ns", node, "i8", "ns", "CPU time used by everybody, around the repetition",
         looks[..., 0]),
        ("nodes/steal_ns", node, "i8", "ns", "CPU time taken by the hypervisor", looks[..., 1]),
        ("nodes/context_switches", node, "i8", "1", "context switches, all CPUs", looks[..., 2]),
        ("nodes/hostname", "node", "text", "", "host name", [facts.host()]),
        ("nodes/cpu_model", "node", "text", "", "CPU model", [facts.cpu_model()]),
    ]
    return (found + seats(crew, m) + kernel_tables(p, m, seen) + core_tables(p, m)
            + segment_tables(segments))


def segment_tables(segments):
    """Starts of the run."""
    first = [segment["first"] for segment in segments]
    return [
        ("segments/first_repetition_index", "segment", "i8", "",
         "repetitions from this one on are of this start of the run: times of different segments "
         "cannot be compared", first),
        ("segments/first_knot_index", "segment", "i8", "", "the same, of knots: there are none",
         [0] * len(first)),
        *((f"segments/{name}", "segment", "text", "", meaning,
           [segment[name] for segment in segments])
          for name, meaning in (("run_id", "of this start"), ("created", "when, UTC"),
                                ("boot_id", "the kernel's number for that boot"))),
    ]


def core_tables(p, m):
    """What htop would have shown."""
    if not p.cores_ns:
        return []
    when, cpus, busy = cores.table(m.cores.looks)
    return [
        ("cores/time_ns", "sample", "i8", "ns", "end of the sample, node's monotonic clock", when),
        ("cores/cpu_number", "processor", "i4", "", "the system's number of the CPU", cpus),
        ("cores/busy", "sample processor", "f8", "1",
         "share of the sample in which the CPU was not idle, whoever used it; in clock ticks, so "
         "coarse in short samples", busy),
    ]


def seats(crew, m):
    """Columns of /workers that are told once: of the first repetition."""
    first = m.seen[0]
    n = len(first)
    own = crew.ranks > 1
    each = [
        ("rank", "process that the worker was to live in", range(n) if own else [0] * n),
        ("thread", "its number in that process", [0] * n if own else range(n)),
        ("node_index", "node that it runs on", [0] * n),
        ("cpu", "CPU that it was on in the first repetition", [s.cpu[0] for s in first]),
        ("core", "first CPU of that CPU's core", [seat.core_of(s.cpu[0]) for s in first]),
        ("numa_node", "NUMA node of that CPU; -1 unknown", [-1] * n),
        ("pid", "process id in the first repetition", [s.pid for s in first]),
        ("tid", "thread id in the first repetition", [s.tid for s in first]),
    ]
    found = [("workers/" + name, "worker", "i4", "", meaning, list(values))
             for name, meaning, values in each]
    found.append(("workers/bound", "worker", "u1", "", "1: it is pinned",
                  [len(s.allowed) == 1 for s in first]))
    found.append(("workers/cpus_allowed", "worker", "text", "", "CPUs that it may use",
                  [seat.ranges(s.allowed) for s in first]))
    return found


def kernel_tables(p, m, seen):
    if p.kernel == "binning":
        return bin_tables(m, seen) + (wake_tables(m) if p.wait_ns else [])
    if p.kernel == "update":
        return [("results/found", "repetition", "i8", "1",
                 "updates that were in the counters of the lead afterwards", m.found),
                ("results/lost_share", "repetition", "f8", "1",
                 "share of the updates that were not", 1 - np.array(m.found) / seen.units.sum(axis=1))]
    if p.kernel == "matmul":
        residual = [[s.residual for s in r] for r in m.seen]
        return [("results/residual", "repetition worker", "f8", "1",
                 "Freivalds' check: largest residual as a share of its bound", residual)]
    return [("results/value", "repetition", "f8", "1",
             "the result, all workers; compared with the exact one",
             [sum(s.value for s in r) for r in m.seen])]


def bin_tables(m, seen):
    both = "repetition worker"
    rows = [(rep, s.worker, *detour) for rep, r in enumerate(m.seen) for s in r
            for detour in s.detours]
    detours = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return [
        ("counts", "repetition worker bin", "u4", "1", "units of work that ended in the bin",
         np.array([[s.counts for s in r] for r in m.seen])),
        ("workers/first_ns", both, "i8", "ns",
         "first unit that counted, node's monotonic clock; -1: there was none", seen.first),
        ("workers/last_ns", both, "i8", "ns",
         "last unit that counted, node's monotonic clock; -1: there was none",
         [[s.last for s in r] for r in m.seen]),
        ("workers/arrived_ns", both, "i8", "ns",
         "it was ready and waited for the start, node's monotonic clock",
         [[s.ready for s in r] for r in m.seen]),
        ("detours/dropped", both, "u8", "1", "detours that found the list full",
         [[s.dropped for s in r] for r in m.seen]),
        ("detours/worker_index", "detour", "i4", "", "worker that was away", detours[:, 1]),
        ("detours/repetition_index", "detour", "i4", "", "repetition of the detour", detours[:, 0]),
        ("detours/start_ns", "detour", "i8", "ns",
         "last clock read before the detour, node's monotonic clock", detours[:, 2]),
        ("detours/length_ns", "detour", "i8", "ns",
         "from that read to the next, one unit of work included", detours[:, 3]),
    ]


def wake_tables(m):
    """How late each wait ended, and the middle of it for each worker; -1: it had no wait."""
    rows = np.array([(rep, s.worker, late) for rep, r in enumerate(m.seen) for s in r
                     for late in s.wakes], dtype=np.int64).reshape(-1, 3)
    both, meaning = "repetition worker", "from when a wait was to end until the worker went on"
    middle, most = ([[np.quantile(s.wakes, q) if s.wakes else -1 for s in r] for r in m.seen]
                    for q in (0.5, 0.9))
    return [
        ("workers/wake_median_ns", both, "i8", "ns", meaning + ": median", middle),
        ("workers/wake_p90_ns", both, "i8", "ns", meaning + ": 90 % are below", most),
        ("wakes/worker_index", "wake", "i4", "", "worker that waited", rows[:, 1]),
        ("wakes/repetition_index", "wake", "i4", "", "repetition of the wait", rows[:, 0]),
        ("wakes/late_ns", "wake", "i8", "ns", meaning, rows[:, 2]),
    ]


def kernel_hash():
    """Of the source that is measured: two traces with different ones are not the same work."""
    total = hashlib.sha256()
    for name in HASHED:
        total.update((facts.ROOM / name).read_bytes())
    return total.hexdigest()


def work(p, crew):
    """name: value. Attributes that make a run what it is, known before it is measured."""
    timed = p.kernel == "binning"
    return {
        "layout": "python",
        "kernel": p.kernel,
        "way": p.way,
        "method": p.method,
        "start": p.start,
        "scaling": p.scaling,
        "unit": "wait" if p.wait_ns else UNITS[p.kernel],
        "work_unit": "clock",
        "lock": "gil" if locked(p) else "none",
        "lock_interval_ns": round(sys.getswitchinterval() * 1e9) if locked(p) else 0,
        "storage": "shared" if timed and p.way in THREADS else "private",
        "baseline": "array-npsum: np.sum of an array, a pairwise sum" if p.kernel == "marshal"
        else f"way {SINGLE}",
        "ranks": crew.ranks,
        "threads_per_rank": crew.workers // crew.ranks,
        "workers": crew.workers,
        "blas_threads": p.blas_threads,
        "blas_core": facts.blas_core(),
        "nodes": 1,
        "size": p.size,
        "bins": p.bins if timed else 0,
        "bin_width_ns": p.width_ns if timed else 0,
        "detour_threshold_ns": p.detour_ns if timed else 0,
        "wait_ns": p.wait_ns,
        "wait_compute_ns": p.compute_ns,
        "beside": p.beside,
        "handed_over": int(p.hand_over),
        "sync_every": 0,
        "inject": p.inject.text,
        "warmup_ns": p.warmup_ns if p.start == "common" else 0,
        "repetitions_requested": p.repeats,
        "until_ci": f"{p.until_ci:g}",
        "max_time_ns": p.max_time_ns,
        "pinned": int(p.bind == "cores" or p.inject.same_core),
        "kernel_hash": kernel_hash(),
        **{f"labels/{key}": value for key, value in p.labels},
    }


def place():
    """name: value. Where a run is; in a trace, tables say so."""
    return {"host": facts.host(), "CPU": facts.cpu_model(), "CPUs": seat.ranges(seat.allowed()),
            "python": platform.python_version(), "numpy": np.__version__}


def new_name():
    """(a number, UTC) for one start of a run."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return str(uuid.uuid4()), now.strftime("%Y-%m-%dT%H:%M:%SZ")


def attributes(p, crew, m, seen, verdict, pool, segments):
    """name: value. "group/name" for those of a group."""
    found = {
        "Conventions": "CF-1.10",
        "format": "bindot-trace",
        "format_version": "1.0",
        "status": "interrupted" if m.signal else "complete",
        "repetitions": len(seen.start),
        "title": f"{p.kernel} in Python, way {p.way}",
        "source": f"bindot-python {VERSION}",
        "history": facts.command(p.words),
        "run_id": segments[0]["run_id"],
        "created": segments[0]["created"],
        **work(p, crew),
        "blas_pool": pool,
        "cpus": seen.cpus,
        "iterations": m.iterations,
        "opening_ns": p.opening_ns,
        "threads_before_numpy": p.threads_seen[0],
        "threads_after_numpy": p.threads_seen[1],
        "threads_at_end": seat.threads_here(),
        "valid": int(verdict.valid),
        "invalid_reasons": verdict.reasons,
        "warnings": verdict.warnings,
        "verdict": verdict.text,
        "never_ran": verdict.never_ran,
        "stopped_by": m.stopped_by,
        "stop_signal": m.signal,
        "clock/source": "CLOCK_MONOTONIC_RAW",
    }
    if p.cores_ns:
        found.update({"cores/every_ns": p.cores_ns, "cores/cost_ns": m.cores.cost_ns})
    found.update({f"provenance/{k}": v for k, v in facts.provenance(p.words).items()})
    found.update({f"provenance/environment/{k}": v for k, v in facts.environment().items()})
    return found


def path_of(p, crew):
    """-o FILE; or a folder, or nothing: then the name is made here."""
    given = p.output or ""
    if given and not os.path.isdir(given):
        return given
    stamp = datetime.datetime.now().strftime("%Y%m%dT%H%M%S")
    shape = f"{crew.ranks}x{crew.workers // crew.ranks}"
    which = p.method if p.way == SINGLE and p.kernel == "marshal" else p.way
    name = f"{p.kernel}-python-{which}-{shape}-{stamp}-{os.getpid()}.h5"
    return os.path.join(given, name)
