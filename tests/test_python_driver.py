"""drivers/python, really run: what it measures, what it refuses, and what it sees through."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import kit
import traces

DRIVER = kit.SOURCE / "drivers" / "python"
SHORT = ("--warmup", "1ms", "--repeats", "3", "--allow-invalid", "--quiet")
WINDOW = ("--bins", "200", "--width", "50us")
SMALL = {"binning": WINDOW, "dot": ("--size", "100000"), "matmul": ("--size", "200"),
         "marshal": ("--size", "10000"), "update": ("--size", "100000")}  # fmt: skip
CASES = [  # kernel, way, workers, processes
    ("binning", "single", 1, 1),
    ("binning", "threading", 2, 1),
    ("binning", "multiprocessing", 2, 2),
    ("binning", "futures-threads", 2, 1),
    ("binning", "futures-processes", 2, 2),
    ("dot", "single", 1, 1),
    ("dot", "processes", 2, 2),
    ("dot", "threading", 2, 1),
    ("matmul", "single", 1, 1),
    ("matmul", "processes", 2, 2),
    ("marshal", "single", 1, 1),
    ("update", "threading", 2, 1),
]

sys.path.insert(0, str(DRIVER.parent))
import stats  # noqa: E402
from cpython import cores, halt, judge, marshal, options, work  # noqa: E402


def run(*words, before=(), timeout=120, cwd=None, env=None):
    env = {**os.environ, "BINDOT_PYTHON": sys.executable, **(env or {})}
    return subprocess.run([*before, str(DRIVER), *map(str, words)], capture_output=True, text=True,
                          timeout=timeout, cwd=cwd, env=env, check=False)  # fmt: skip


def measure(path, *words, code=0, **how):
    done = run(*words, "-o", path, **how)
    assert done.returncode == code, done.stdout + done.stderr
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []
    return h5py.File(path, "r")


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def workers_of(way, workers):
    return () if way == "single" else ("--workers", workers)


@pytest.mark.parametrize("kernel,way,workers,ranks", CASES)
def test_contract(tmp_path, kernel, way, workers, ranks):
    """Every kernel by every way leaves the names that scripts rely on, with their shapes."""
    with measure(tmp_path / "t.h5", kernel, "--way", way, *workers_of(way, workers), *SMALL[kernel],
                 *SHORT) as trace:  # fmt: skip
        attrs = {name: text(value) for name, value in trace.attrs.items()}
        assert (attrs["layout"], attrs["kernel"], attrs["status"]) == ("python", kernel, "complete")
        methods = {"binning": "counter", "dot": "library", "marshal": "array-npsum",
                   "matmul": "library", "update": "call"}  # fmt: skip
        assert (attrs["method"], attrs["way"]) == (methods[kernel], way)
        locked = way in options.THREADS and getattr(sys, "_is_gil_enabled", lambda: True)()
        assert (attrs["lock"], attrs["lock_interval_ns"]) == (
            ("gil", str(round(sys.getswitchinterval() * 1e9))) if locked else ("none", "0"))
        assert (attrs["workers"], attrs["ranks"]) == (str(workers), str(ranks))
        assert attrs["format_version"] == "1.0" and len(attrs["kernel_hash"]) == 64
        assert attrs["valid"] in "01" and attrs["verdict"]
        for name in ("start_ns", "end_ns", "compute_ns", "wait_ns", "combine_ns", "units"):
            assert trace[name].shape == (3, workers) and text(trace[name].attrs["long_name"])
        for name in ("cpu_time_ns", "minor_faults", "voluntary_switches", "involuntary_switches",
                     "migrations", "findings"):  # fmt: skip
            assert trace["workers"][name].shape == (3, workers)
        for name in ("rank", "thread", "node_index", "cpu", "core", "pid", "tid", "bound",
                     "cpus_allowed"):  # fmt: skip
            assert trace["workers"][name].shape == (workers,)
        for name in ("rate", "seconds", "cores_obtained", "windows_open"):
            assert trace["results"][name].shape == (3,)
        assert text(trace["nodes/hostname"][0]) == os.uname().nodename
        spent = trace["compute_ns"][:] + trace["wait_ns"][:] + trace["combine_ns"][:]
        assert np.array_equal(spent, trace["end_ns"][:] - trace["start_ns"][:])
        total = trace["units"][:].sum(axis=1)
        assert np.allclose(trace["results/rate"][:] * trace["results/seconds"][:], total)
        assert len(set(trace["workers/tid"][:])) == workers
        assert len(set(trace["workers/pid"][:])) == ranks
        assert judge.IMPOSSIBLE & int(np.bitwise_or.reduce(trace["workers/findings"][:].ravel())) == 0
        for axis in ("repetition", "worker", "node"):
            assert h5py.h5ds.is_scale(trace[axis].id)
        if kernel == "binning":
            counts = trace["counts"]
            assert counts.shape == (3, workers, 200) and counts.dtype == np.uint32
            assert np.array_equal(counts[:].sum(axis=2), trace["units"][:])
            assert [d.keys()[0] for d in counts.dims] == ["repetition", "worker", "bin"]
            first, last = trace["workers/first_ns"][:], trace["workers/last_ns"][:]
            ran = trace["units"][:] > 0
            assert np.all((trace["start_ns"][:] <= first)[ran] & (first <= last)[ran])
            assert np.all((last < trace["end_ns"][:])[ran])
        if kernel == "matmul":
            residual = trace["results/residual"][:]
            assert residual.shape == (3, workers) and 0 < residual.max() < 1


def test_dot_is_exact(tmp_path):
    """The dot product is the exact whole number, however it is divided."""
    i = np.arange(100003)
    exact = float((i % 8 * (i % 5)).sum())
    for workers in (1, 3):
        way = ("--way", "threading", "--workers", workers) if workers > 1 else ()
        with measure(tmp_path / f"{workers}.h5", "dot", "--size", "100003", "--iterations", 2, *way,
                     *SHORT) as trace:  # fmt: skip
            assert set(trace["results/value"][:]) == {exact}
            assert set(trace["units"][:].sum(axis=1)) == {2 * 100003}


@pytest.mark.parametrize("method", options.METHODS)
def test_marshal_methods(tmp_path, method):
    """All cells and controls of the marshalling table add up the same numbers."""
    with measure(tmp_path / "m.h5", "marshal", "--method", method, *SMALL["marshal"],
                 *SHORT) as trace:  # fmt: skip
        exact = np.random.default_rng(1).integers(0, 1000, 10000).sum()
        assert set(trace["results/value"][:]) == {float(exact)}
        assert text(trace.attrs["method"]) == method


def test_a_shuffled_list_is_shuffled_in_memory_only():
    """The same numbers in the same order, in objects that are no neighbours."""
    numbers = np.arange(10000.0)
    apart = {}
    for make in (np.ndarray.tolist, marshal.shuffled):
        made = make(numbers)
        assert made == numbers.tolist()
        apart[make] = np.mean(np.diff([id(number) for number in made]) == 32)
    assert apart[np.ndarray.tolist] > 0.5 > 0.01 > apart[marshal.shuffled]


def test_one_vocabulary():
    """What Python calls a method of marshal, the C drivers call so too."""
    done = kit.run("serial", "marshal", "--method", "none-such")
    assert done.returncode == 2
    known = done.stderr.split("one of:")[1].split()
    assert set(options.METHODS) <= set(known)
    assert tuple(known[:6]) == options.METHODS[:6]


def test_xarray_reads_it(tmp_path):
    """A trace is netCDF-4 too: named dimensions, coordinates, columns of workers."""
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    path = tmp_path / "x.h5"
    measure(path, "binning", "--way", "threading", "--workers", 2, *WINDOW, *SHORT).close()
    with xarray.open_dataset(path, engine="h5netcdf") as run:
        assert run.counts.dims == ("repetition", "worker", "bin")
        assert run.sizes["bin"] == 200
        assert run.counts.attrs["units"] == "1"
    with xarray.open_dataset(path, engine="h5netcdf", group="workers") as table:
        assert table.pid.dims == ("worker",)
        assert table.cpu_time_ns.dims == ("repetition", "worker")


def lost(path, *words):
    """Share of the updates that were not found, in each repetition."""
    with measure(path, "update", "--size", 200000, "--workers", 2, *words, *SHORT) as trace:
        found, share = trace["results/found"][:], trace["results/lost_share"][:]
        done = trace["units"][:].sum(axis=1)
        assert np.array_equal(done, np.full(3, 200000 * trace.attrs["iterations"]))
        assert np.allclose(share, 1 - found / done)
        return share


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="no global lock")
def test_updates_are_lost_unless_they_are_locked(tmp_path):
    """The interpreter's lock is no lock of the program's."""
    often = ("--way", "threading", "--switch-interval", "10us")
    assert lost(tmp_path / "call.h5", *often).max() > 0
    for method in ("lock", "handed"):
        assert set(lost(tmp_path / f"{method}.h5", *often, "--method", method)) == {0}


def test_processes_write_to_copies_unless_they_share_a_block(tmp_path):
    """... and the block of shared memory is gone after the run."""
    for method, share in (("handed", 1), ("block", 0)):
        assert set(lost(tmp_path / f"{method}.h5", "--way", "processes", "--method", method)) == {share}
    assert not list(Path("/dev/shm").glob("psm_*"))


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="no global lock")
def test_a_wait_beside_computing_ends_a_switch_interval_late(tmp_path):
    words = ("binning", "--way", "threading", "--workers", 1, "--wait", "1ms", "--width", "1ms",
             "--bins", 150, *SHORT)
    late = {}
    for n in (0, 1):
        with measure(tmp_path / f"{n}.h5", *words, "--beside", n) as trace:
            late[n] = trace["wakes/late_ns"][:]
            assert len(late[n]) == trace["units"][:].sum() and trace.attrs["beside"] == n
            assert np.array_equal(np.bincount(trace["wakes/repetition_index"][:], minlength=3),
                                  trace["units"][:].sum(axis=1))
            first = late[n][trace["wakes/repetition_index"][:] == 0]
            assert trace["workers/wake_median_ns"][0, 0] == int(np.median(first))
            assert trace.attrs["valid"] == 1
    assert 0 <= late[0].min() < 4e6 and np.median(late[1]) > 4e6


def test_computing_after_a_wait_is_cpu_time(tmp_path):
    """... of the worker, so threads that want the lock for it do not overlap it."""
    with measure(tmp_path / "m.h5", "binning", "--way", "threading", "--workers", 3, "--wait", "1ms",
                 "--compute", "2ms", "--width", "1ms", "--bins", 150, *SHORT) as trace:
        units, used = trace["units"][:], trace["workers/cpu_time_ns"][:]
        assert np.all(used >= units * 2_000_000)
        together = trace["end_ns"][:].max(axis=1) - trace["start_ns"][:].min(axis=1)
        assert np.all(units.sum(axis=1) <= together / 2e6 + 3)


def test_what_is_sent_is_timed_from_the_sending(tmp_path):
    """... and the product of it is exact."""
    with measure(tmp_path / "s.h5", "dot", "--size", 100003, "--way", "processes", "--workers", 2,
                 "--hand-over", *SHORT) as trace:  # fmt: skip
        i = np.arange(100003)
        assert set(trace["results/value"][:]) == {float((i % 8 * (i % 5)).sum())}
        start, end = trace["start_ns"][:], trace["end_ns"][:]
        assert np.all(start == start[:, :1]) and trace.attrs["handed_over"] == 1
        assert np.all(trace["workers/cpu_time_ns"][:] < end - start)


def test_the_cores_are_looked_at(tmp_path):
    """... while the product runs, on one clock with it; what the looks cost is told."""
    path = tmp_path / "c.h5"
    with measure(path, "dot", "--size", 200000, "--iterations", 500, "--repeats", 12, "--quiet",
                 "--allow-invalid", "--sample-cores", "10ms") as trace:  # fmt: skip
        looks = trace["cores"]
        when, busy = looks["time_ns"][:], looks["busy"][:]
        assert busy.shape == (len(when), len(looks["cpu_number"])) and len(when) > 3
        assert set(os.sched_getaffinity(0)) <= set(looks["cpu_number"][:])
        assert np.all(np.diff(when) > 0)
        assert trace["end_ns"][:].max() < when[-1] and when[0] < trace["end_ns"][:].max()
        known = busy[~np.isnan(busy)]
        assert 0.2 < known.max() <= 1 and known.min() >= 0
        assert looks.attrs["every_ns"] == 10_000_000
        assert 0 < looks.attrs["cost_ns"] < np.diff(when).sum()
    assert sorted(traces.read(path).cores) == ["busy", "cpu_number", "time_ns"]


def test_busy_is_what_was_not_idle():
    """Waiting for a disk is idle; a CPU that was not there before, and no time passed, are not
    known."""
    first = b"cpu  9 9 9 9\ncpu0 10 0 0 50 5 0 0 0 0 0\ncpu2 0 0 0 0 0 0 0 0 0 0\n"
    then = b"cpu  9 9 9 9\ncpu0 13 1 1 52 8 0 0 0 7 7\ncpu1 5 5 5 5 5 5 5 5 5 5\ncpu2" + 10 * b" 0"
    when, cpus, busy = cores.table([(1, first), (5, then)])
    assert (when.tolist(), cpus.tolist()) == ([5], [0, 1, 2])
    assert busy[0, 0] == 0.5 and np.isnan(busy[0, 1:]).all()


# ------------------------------------------------------------------------ what is seen through

def test_serial_loop_is_no_parallelism(tmp_path):
    """The control that must fail: windows one after the other score W, and are judged so."""
    path = tmp_path / "s.h5"
    words = ("binning", "--way", "serial-loop", "--workers", 4, "--bins", 400, "--repeats", 3)
    with measure(path, *words, code=3) as trace:
        assert trace.attrs["valid"] == 0
        assert "windows did not coincide" in text(trace.attrs["invalid_reasons"])
        assert text(trace.attrs["verdict"]).startswith(
            "no parallelism: windows follow one another")
        assert np.all(trace["results/windows_open"][:] <= 1.0)
        assert np.all(trace["results/cores_busy"][:] <= 1.0)
        total, each = trace["units"][:].sum(axis=1), trace["units"][:].max(axis=1)
        assert np.median(total / each) > 1.5  # the score that means nothing; 4 on a quiet machine
    done = run(*words, "-o", path, "--force", "--allow-invalid")
    assert done.returncode == 0
    assert "INVALID: " in done.stdout


def test_own_starts_are_seen_through(tmp_path):
    """Four tasks with their own starts, in a pool as in the text: not at once, and INVALID."""
    with measure(tmp_path / "o.h5", "binning", "--way", "multiprocessing", "--workers", 4,
                 "--start", "own", "--bins", 400, "--repeats", 3, "--quiet", code=3) as trace:
        assert "windows did not coincide" in text(trace.attrs["invalid_reasons"])
        assert np.median(trace["results/windows_open"][:]) < 3.6
        used = trace["workers/process_id"][:]
        assert [len(set(row)) for row in used] == trace["results/processes_used"][:].tolist()
        assert not set(used[0]) & set(used[1])  # a new pool every time
        assert text(trace.attrs["start"]) == "own"


@pytest.mark.parametrize("way,crowded", [("multiprocessing", True), ("threading", False)])
def test_one_core_is_one_core(tmp_path, way, crowded):
    """Pinned to one core, four workers obtain no more than that core, and it is said.

    More processes than CPUs is INVALID, as in the C drivers; threads take turns anyway.
    """
    cpu = str(min(os.sched_getaffinity(0)))
    allow = () if crowded else ("--allow-invalid",)  # other programs may make threads late
    with measure(tmp_path / "1.h5", "binning", "--way", way, "--workers", 4, "--repeats", 3,
                 "--warmup", "1ms", "--quiet", *allow, before=("taskset", "-c", cpu),
                 code=3 if crowded else 0) as trace:  # fmt: skip
        crowd = "more workers and library threads than CPUs (4 of 4 workers)"
        assert (crowd in text(trace.attrs["invalid_reasons"])) == crowded
        assert trace.attrs["cpus"] == 1
        assert np.all(trace["results/cores_busy"][:] <= 1.05)
        assert np.median(trace["results/cores_obtained"][:]) < 1.5  # some of it outside of windows
        assert re.match("no parallelism|windows overlap in part", text(trace.attrs["verdict"]))
        assert set(trace["workers/cpu"][:]) == {int(cpu)}
        assert text(trace["workers/cpus_allowed"][0]) == cpu


def pace(path, *words):
    """Units for each second of CPU time, in the best repetition, and the cores that were busy."""
    with measure(path, "binning", "--repeats", 4, "--bins", 2000, "--warmup", "20ms", "--quiet",
                 "--allow-invalid", "--force", *words) as trace:  # fmt: skip
        spent = trace["workers/cpu_time_ns"][:].sum(axis=1) * 1e-9
        return (float(np.max(trace["units"][:].sum(axis=1) / spent)),
                float(np.median(trace["results/cores_busy"][:])))


@pytest.mark.skipif(kit.CORES < 2, reason="needs two cores")
@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="no global lock")
def test_threads_take_turns(tmp_path):
    """Under the lock two threads keep one core busy, on which they do no more than one does.

    A core may itself be slower for a while, for what its other hardware thread does: then both
    are measured again."""
    for _ in range(5):
        one, _ = pace(tmp_path / "1.h5")
        two, cores = pace(tmp_path / "2.h5", "--way", "threading", "--workers", "2")
        assert cores <= 1.1
        if two < 1.5 * one:
            return
    pytest.fail(f"{two:.0f} units for each second of CPU time, and one thread alone {one:.0f}")


def look(**changed):
    """Two processes on two CPUs, one window of 1 s, both wholly busy: nothing to object to."""
    def one(a, b):
        return np.array([[a, b]])
    base = dict(
        start=one(0, 0), end=one(10**9, 10**9), first=one(5, 5), units=one(9, 9),
        cpu_time=one(10**9, 10**9), faults=one(0, 0), involuntary=one(0, 0), moved=one(0, 0) > 0,
        pid=one(1, 2), tid=one(1, 2), cpus=2, window=10**9, width=10**6, waits=False,
        threads=False, locked=False, turns=False, blas=1, pool=1, way="multiprocessing", start_is_common=True,
        switch_ns=5_000_000, others=np.zeros(1))
    base.update(changed)
    return judge.Look(**{"begun": base["start"], "ended": base["end"], **base})


JUDGED = [  # what is changed, valid, a word of the verdict, a word of reasons or warnings
    ({}, True, "parallel: 2.00 cores busy of 2", ""),
    ({"start": np.array([[0, 10**9]]), "end": np.array([[10**9, 2 * 10**9]])}, False,
     "no parallelism: windows follow one another", "did not coincide: 1.00 of 2"),
    ({"start": np.array([[0, 10**9]]), "end": np.array([[10**9, 2 * 10**9]]),
      "pid": np.array([[1, 1]])}, False, "no parallelism", "1 process ran all 2 tasks"),
    ({"start": np.array([[0, 3 * 10**8]]), "end": np.array([[10**9, 13 * 10**8]])}, False,
     "overlap in part", "did not coincide: 1.54 of 2"),
    ({"start": np.array([[0, 10**8]])}, True, "parallel", ""),
    ({"cpus": 1}, False, "", "2.00 cores obtained of 1"),
    ({"cpu_time": np.array([[5 * 10**8, 5 * 10**8]]), "threads": True, "locked": True,
      "turns": True, "switch_ns": 50_000_000}, True,
     "threads took turns under the interpreter's lock", "shorter than 40 switch intervals"),
    ({"cpu_time": np.array([[5 * 10**8, 5 * 10**8]]), "others": np.array([1.0])}, True,
     "cannot tell", ""),
    ({"units": np.array([[9, 0]]), "first": np.array([[5, -1]])}, True, "parallel",
     "never ran: no unit of work in its window (in 1 of 2 worker-repetitions)"),
    ({"blas": 2, "pool": 2}, False, "parallel",
     "more workers and library threads than CPUs (2 of 2 workers)"),
    ({"cpus": 1, "cpu_time": np.array([[5 * 10**8, 5 * 10**8]])}, False,
     "no parallelism: one CPU for all", "more workers and library threads than CPUs"),
    ({"cpus": 1, "cpu_time": np.array([[5 * 10**8, 5 * 10**8]]), "locked": True, "turns": True},
     True, "turns under the interpreter's lock", ""),
    ({"pool": 4}, False, "parallel", "another number of threads than was set (2 of 2 workers)"),
    ({"first": np.array([[5, 2 * 10**6]])}, False, "parallel",
     "started after the agreed instant (in 1 of 2 worker-repetitions)"),
    ({"first": np.array([[5, 2 * 10**6]]), "locked": True, "turns": True}, True, "", ""),
    ({"moved": np.array([[True, True]])}, True, "parallel",
     "changed its CPU (in 2 of 2 worker-repetitions)"),
    ({"waits": True, "cpu_time": np.array([[0, 0]])}, True, "2 workers waited", ""),
    ({"cpu_time": np.array([[12 * 10**8, 12 * 10**8]])}, False, "parallel", "2.40 cores obtained of 2"),
    ({"cpu_time": np.array([[12 * 10**8, 12 * 10**8]]), "begun": np.array([[-10**8, -10**8]]),
      "ended": np.array([[10**9, 11 * 10**8]])}, True, "parallel", ""),  # spun outside
    ({"cpu_time": np.array([[12 * 10**8, 12 * 10**8]]), "begun": np.array([[-10**8, -10**8]]),
      "ended": np.array([[11 * 10**8, 11 * 10**8]]), "window": 0}, True, "parallel: 2.00 cores", ""),
]


@pytest.mark.parametrize("changed,valid,verdict,words", JUDGED)
def test_judged(changed, valid, verdict, words):
    """The verdict follows from stamps and CPU time, on made-up runs whose truth is known."""
    found = judge.judge(look(**changed))
    assert found.valid == valid
    assert verdict in found.text
    assert words in found.reasons + found.warnings
    assert bool(found.reasons) != valid


def test_a_thread_elsewhere_is_counted_up_to_now():
    """The CPU time of a process never exceeds its threads' time: no tick is counted too late."""
    code = """if True:
        import threading, time, zlib
        from cpython import work
        block = bytes(2_000_000)
        def work_on():
            while True:
                zlib.crc32(block)
        threading.Thread(target=work_on, daemon=True).start()
        def look():
            clocks = work.cpu_clocks(True)
            return time.monotonic_ns(), work.usage(True, clocks)[0], time.monotonic_ns()
        for _ in range(300):
            before, spent, _ = look()
            while time.monotonic_ns() < before + 1_000_000:
                pass
            _, now, after = look()
            assert now - spent < 1.05 * 2 * (after - before), (now - spent, after - before)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=DRIVER.parent, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_findings_have_the_words_of_the_c_drivers():
    """What both judge, both judge alike: the same bit, the same words, the same limit."""
    rows = re.findall(r'^    \{"(.*)", (true|false), ([\d.]+)\},$',
                      (kit.SOURCE / "drivers" / "gate.c").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for bit, (words, always, limit) in enumerate(rows):
        if 1 << bit in judge.TEXTS:
            assert judge.TEXTS[1 << bit] == words
            assert (1 << bit in judge.ALWAYS) == (always == "true")
            assert judge.LIMITS.get(1 << bit, 2) == float(limit)
    assert {bit for bit in judge.TEXTS if bit < judge.NEVER} <= {1 << i for i in range(len(rows))}


def test_who_never_ran():
    """Which workers had windows without any work is said by their numbers."""
    units = np.array([[5, 0], [5, 0], [0, 5]])
    seen = look(units=units, **{name: np.repeat(getattr(look(), name), 3, axis=0) for name in (
        "start", "end", "first", "cpu_time", "faults", "involuntary", "moved", "pid", "tid")},
        others=np.zeros(3))  # fmt: skip
    found = judge.judge(seen)
    assert found.never_ran == "worker 0: 1 of 3 repetitions; worker 1: 2 of 3 repetitions"
    assert ((found.findings & judge.NEVER > 0) == (units == 0)).all()


def test_waits_overlap(tmp_path):
    """Waiting threads and coroutines do as many waits as there are workers, at no CPU time."""
    words = ("binning", "--wait", "10ms", "--width", "1ms", "--bins", "200", *SHORT)
    found = {}
    for way, workers in (("single", 1), ("threading", 8), ("asyncio", 8)):
        with measure(tmp_path / f"{way}.h5", *words, "--way", way, "--workers", workers) as trace:
            found[way] = float(np.median(trace["units"][:].sum(axis=1)))
            assert text(trace.attrs["unit"]) == "wait"
            assert np.all(trace["results/cores_obtained"][:] < 0.5)
            assert np.median(trace["results/windows_open"][:]) > 0.75 * workers
    assert found["threading"] > 4 * found["single"]
    assert found["asyncio"] > 4 * found["single"]


# ------------------------------------------------------------------------------------ how long

def half_width(rates):
    """Of the interval of the median, as a share of it."""
    found = stats.median_interval(rates)
    return (found.high - found.low) / 2 / np.median(rates)


def test_a_run_stops_when_its_median_is_known(tmp_path):
    """At the first look that finds the interval narrow enough, by the rates in the trace; what is
    reported as saved is what is there."""
    words = ("dot", "--size", "1e5", "--until-ci", "50%", "--warmup", "1ms", "--verbose",
             "--blas-threads", "1")  # fmt: skip
    done = run(*words, "-o", tmp_path / "x.h5")
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "x.h5") as trace:
        rates = trace["results/rate"][:]
        n = len(rates)
        assert (text(trace.attrs["stopped_by"]), text(trace.attrs["until_ci"])) == ("until-ci", "0.5")
    looks = filter(halt.is_look, range(n + 1))
    assert next(look for look in looks if half_width(rates[:look]) <= 0.5) == n
    told = [f"dot: repetition {i + 1} is saved" for i in range(n)]
    assert done.stderr.splitlines() == told


def test_a_median_that_is_not_known_in_time_is_told(tmp_path):
    done = run("dot", "--size", "1e5", "--until-ci", "1e-9%", "--max-time", "1s", "--warmup", "1ms",
               "-o", tmp_path / "x.h5")  # fmt: skip
    assert done.returncode == 0 and "stopped by max-time; the interval's half width" in done.stdout


def test_the_rule_is_the_known_one():
    """Ranks as the analysis has them; looks as halt.h tells."""
    for n in (*range(6, 40), 73, 500, 1074):
        assert halt.outside(n) == stats.median_ranks(n)[0] - 1
    assert abs(halt.outside(1075) - halt.outside(1074)) <= 1
    assert [halt.outside(n) for n in (1, 5, 6)] == [-1, -1, 0]
    assert [n for n in range(100) if halt.is_look(n)] == [10, 15, 22, 33, 49, 73]


# ------------------------------------------------------------------------------------ faults


def test_slowed_work_takes_longer_by_its_share():
    end = work.now_ns()
    slowed = work.slowed({"start": end - 2_000_000, "end": end, "units": 7}, 0.5)
    assert slowed["end"] >= end + 1_000_000 and slowed["units"] == 7
    assert slowed["end"] <= work.now_ns()


def test_a_shared_core_is_found(tmp_path):
    fault = "bind=same-core,slow=5%@node0"
    words = ("dot", *SMALL["dot"], "--way", "processes", "--workers", 2, "--inject", fault)
    short = ("--warmup", "1ms", "--repeats", "3", "--quiet")
    with measure(tmp_path / "x.h5", *words, *short, code=3) as trace:
        assert len(set(trace["workers/cpus_allowed"][:])) == 1
        assert text(trace.attrs["inject"]) == fault and trace.attrs["pinned"] == 1


@pytest.mark.parametrize("kernel", ("dot", "matmul", "marshal"))
def test_a_wrong_element_is_found(tmp_path, kernel):
    done = run(kernel, *SMALL[kernel], *SHORT, "--inject", "wrong=element@worker0", cwd=tmp_path)
    assert done.returncode == 1 and "worker 0" in done.stderr, done.stderr
    assert not list(tmp_path.glob("*.h5"))


# ------------------------------------------------------------------------------------ conduct

BAD = [
    (),
    ("dance",),
    ("binning", "dot"),
    ("binning", "--width", "50"),
    ("binning", "--width", "0us"),
    ("binning", "--bins", "-5"),
    ("binning", "--bins", "1.5"),
    ("binning", "--size", "5"),
    ("binning", "-n5"),
    ("binning", "--scaling", "weak"),
    ("binning", "--sample-cores", "100ms"),
    ("binning", "--beside", "1"),
    ("binning", "--compute", "1ms"),
    ("binning", "--wait", "1ms", "--beside", "1", "--way", "multiprocessing"),
    ("dot", "--hand-over"),
    ("dot", "--way", "processes", "--hand-over", "--iterations", "2"),
    ("update", "--way", "processes", "--method", "call"),
    ("update", "--method", "magic"),
    ("update", "--size", "1", "--way", "threading", "--workers", "2"),
    ("dot", "--sample-cores", "1ms"),
    ("binning", "--method", "threading"),
    ("binning", "--way", "magic"),
    ("binning", "--way", "single", "--workers", "2"),
    ("binning", "--way", "asyncio"),
    ("binning", "--way", "single", "--start", "own"),
    ("binning", "--way", "serial-loop", "--start", "common"),
    ("binning", "--wait", "2s"),
    ("binning", "--switch-interval", "5"),
    ("binning", "--out", "x.h5"),
    ("dot", "--size", "nan"),
    ("dot", "--size", "1e99"),
    ("dot", "--size"),
    ("dot", "--size", "1e13"),
    ("dot", "--size", "2", "--way", "processes", "--workers", "3"),
    ("dot", "--bins", "5"),
    ("dot", "--way", "joblib"),
    ("dot", "--repeats", "0"),
    ("dot", "--label", "novalue"),
    ("dot", "--bind", "maybe"),
    ("dot", "--unknown"),
    ("dot", "-z"),
    ("dot", "--workers", "0"),
    ("marshal", "--way", "threading"),
    ("marshal", "--method", "magic"),
    ("dot", "--until-ci", "5"),
    ("dot", "--until-ci", "100%"),
    ("dot", "--until-ci", "1%", "--repeats", "3"),
    ("dot", "--quiet", "--verbose"),
    ("dot", "--inject", ""),
    ("dot", "--inject", "steal=2%@worker0"),
    ("dot", "--inject", "slow=5@node0"),
    ("dot", "--inject", "slow=5%@node1"),
    ("dot", "--inject", "wrong=element@worker1"),
    ("binning", "--inject", "slow=5%@node0"),
    ("update", "--inject", "wrong=element@worker0"),
]


def check_usage(tmp_path, done):
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bindot-python: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_usage(tmp_path, words):
    """Exit 2, one line, nothing written."""
    check_usage(tmp_path, run(*words, cwd=tmp_path))


@pytest.mark.parametrize("package", ("joblib", "dask", "mpi4py"))
def test_absent_packages_are_named(tmp_path, package):
    """A way whose package cannot be imported is refused in one line that names the package."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{package}.py").write_text(f"raise ImportError('{package} is hidden')")
    here = tmp_path / "here"
    here.mkdir()
    done = run("binning", "--way", package, cwd=here, env={"PYTHONPATH": str(hidden)})
    check_usage(here, done)
    assert f"needs the Python package {package}" in done.stderr


@pytest.mark.parametrize("way", ("joblib", "dask"))
def test_installed_packages_run_apart(tmp_path, way):
    """Where joblib and dask are installed, two tasks run in two processes from one start."""
    pytest.importorskip(way)
    with measure(tmp_path / "p.h5", "binning", "--way", way, "--workers", 2, *WINDOW,
                 *SHORT) as trace:  # fmt: skip
        assert len(set(trace["workers/pid"][:])) == 2
        assert np.array_equal(trace["counts"][:].sum(axis=2), trace["units"][:])
        assert way in trace["provenance"].attrs


def test_nothing_is_overwritten(tmp_path):
    """An existing trace stays as it is unless --force is given."""
    path = tmp_path / "x.h5"
    path.write_text("mine")
    done = run("marshal", *SMALL["marshal"], *SHORT, "-o", path)
    assert done.returncode == 1
    assert "exists" in done.stderr and done.stderr.startswith("bindot-python: ")
    assert path.read_text() == "mine"
    measure(path, "marshal", *SMALL["marshal"], *SHORT, "--force").close()
    assert [p.name for p in tmp_path.iterdir()] == ["x.h5"]


def test_bad_place(tmp_path):
    """A path that cannot be written: exit 1, one line, before anything is measured."""
    done = run("marshal", "-o", tmp_path / "none" / "x.h5")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "No such file" in done.stderr


def test_taken_while_it_ran(tmp_path):
    """A name that somebody else takes during the run is theirs; our temporary file goes."""
    from cpython import trace
    place = trace.Place(str(tmp_path / "x.h5"), force=False)
    (tmp_path / "x.h5").write_text("theirs")
    with pytest.raises(FileExistsError):
        place.keep()
    place.discard()
    assert (tmp_path / "x.h5").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("way,number", [("single", signal.SIGTERM),
                                        ("multiprocessing", signal.SIGINT)])  # fmt: skip
def test_stopped_run_is_saved(tmp_path, way, number):
    """A signal ends the run after the repetition: exit 4, a whole trace that says so."""
    path = tmp_path / "s.h5"
    line = [str(DRIVER), "binning", "--way", way, *WINDOW, "--repeats", "1e6", "--warmup", "1ms",
            "--allow-invalid", "--quiet", "-o", str(path)]  # fmt: skip
    running = subprocess.Popen(line, env={**os.environ, "BINDOT_PYTHON": sys.executable},
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    limit = time.monotonic() + 60
    while not list(tmp_path.iterdir()):  # its temporary file: it has begun
        assert time.monotonic() < limit
        time.sleep(0.02)
    time.sleep(0.3)
    assert not path.exists()
    running.send_signal(number)
    assert running.wait(timeout=120) == 4, running.stderr.read()
    running.stderr.close()
    with h5py.File(path, "r") as trace:
        assert text(trace.attrs["status"]) == "interrupted"
        assert trace.attrs["stop_signal"] == number
        assert 1 <= trace["counts"].shape[0] == trace.attrs["repetitions"]


def test_a_dead_worker_ends_the_run(tmp_path):
    """A process that is killed: exit 1, one line that names it, no trace."""
    path = tmp_path / "d.h5"
    line = [str(DRIVER), "binning", "--way", "multiprocessing", "--workers", "2", *WINDOW,
            "--repeats", "1e6", "--quiet", "-o", str(path)]  # fmt: skip
    running = subprocess.Popen(line, env={**os.environ, "BINDOT_PYTHON": sys.executable},
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        limit = time.monotonic() + 60
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < limit
            time.sleep(0.02)
        with open(f"/proc/{running.pid}/task/{running.pid}/children") as file:
            child = int(file.read().split()[-1])
        os.kill(child, signal.SIGKILL)
        assert running.wait(timeout=120) == 1
        told = running.stderr.read()
    finally:
        running.kill()
        running.wait()
        running.stderr.close()
    assert told.startswith("bindot-python: worker ") and "died" in told
    assert list(tmp_path.iterdir()) == []


def test_provenance_without_secrets(tmp_path):
    """Interpreter, lock, libraries and what steers a run are kept; what looks secret is not."""
    env = {"OMP_PLACES": "cores", "SLURM_JWT": "s3cret", "OMPI_MCA_api_token": "s3cret",
           "SLURM_JOB_ID": "17", "HOME_PASSWORD": "s3cret"}  # fmt: skip
    path = tmp_path / "e.h5"
    with measure(path, "marshal", *SMALL["marshal"], *SHORT, "--label", "site=a b",
                 "--switch-interval", "2ms", env=env) as trace:  # fmt: skip
        about = {name: text(value) for name, value in trace["provenance"].attrs.items()}
        assert about["python"] == ".".join(map(str, sys.version_info[:3]))
        assert about["python_implementation"] == "CPython"
        assert about["gil"].startswith(("enabled", "disabled"))
        assert float(about["switch_interval_s"]) == pytest.approx(0.002)
        assert about["numpy"] == np.__version__ and about["blas"] and about["kernel_release"]
        assert about["command_line"].startswith("drivers/python marshal --size 10000")
        kept = trace["provenance/environment"].attrs
        assert text(kept["OMP_PLACES"]) == "cores" and text(kept["SLURM_JOB_ID"]) == "17"
        assert text(trace["labels"].attrs["site"]) == "a b"
    assert b"s3cret" not in path.read_bytes()


def test_blas_threads_are_set(tmp_path):
    """--blas-threads is in force in the process, before NumPy is imported, and recorded."""
    for threads in (1, 2):
        with measure(tmp_path / f"{threads}.h5", "matmul", "--size", 100, "--blas-threads", threads,
                     *SHORT) as trace:  # fmt: skip
            assert trace.attrs["blas_threads"] == threads
            if trace.attrs["blas_pool"] == -1:
                pytest.skip("this NumPy's library cannot be asked")
            if threads <= kit.CORES:
                assert trace.attrs["blas_pool"] == threads


def test_help_teaches():
    """--help goes to standard output, with examples and the exit status, 80 columns wide."""
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.count("Exit status:") == 1
    assert "Examples:" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert run("--version").stdout.startswith("bindot-python ")


def test_compare_shows_both(tmp_path):
    """compare.py reads C and Python traces together and shows both, with their rates."""
    done = kit.run("serial", "binning", *WINDOW, *SHORT, "-o", tmp_path / "c.h5")
    assert done.returncode == 0, done.stderr
    for way in ("single", "threading"):
        measure(tmp_path / f"{way}.h5", "binning", "--way", way, *WINDOW, *SHORT).close()
    line = [sys.executable, kit.SOURCE / "analysis" / "compare.py", "--allow-invalid", tmp_path]
    shown = subprocess.run(line, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    rows = [line for line in shown.stdout.splitlines() if re.match("serial|python", line)]
    assert [row.split("  ")[0].removesuffix(" (INVALID)") for row in rows] == ["serial", "python single", "python threading"]
    assert "C over serial 1×1; python over python single 1×1 unpinned" in shown.stdout
    assert shown.stdout.count("1 (base)") == 2 and "1/" in rows[1]  # a unit costs more there
    assert shown.stderr == ""


def test_directory_and_default_names(tmp_path):
    """-o DIR and no -o make a name of kernel, way and shape."""
    assert run("marshal", *SMALL["marshal"], *SHORT, "-o", tmp_path).returncode == 0
    assert run("marshal", *SMALL["marshal"], *SHORT, cwd=tmp_path).returncode == 0
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2
    assert all(name.startswith("marshal-python-array-npsum-1x1-") for name in names)


def test_wrong_results_are_refused():
    """A count that is lost or a sum that is off ends the run: it is never written down."""
    from cpython import measure as rooms
    from cpython.task import Seen
    good = Seen(0, 0, 0, 1, 3, 0, 0, (0, 1), (0, 0, 0, 0), (0, 0), 1, 1, (0,), np.array([1, 2]),
                value=2.0, expected=2.0, residual=0.5)
    p = SimpleNamespace(kernel="dot")
    rooms.check(p, [good])
    for changed in ({"units": 4}, {"value": 2.5}, {"residual": 1.5}):
        with pytest.raises(rooms.Wrong):
            rooms.check(p, [good._replace(**changed)])
