"""claims.py: a statement holds, does not hold or cannot be told, and never holds by default."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import claim
import claims
import kit
import traces
from synthetic import Run, launches

CLAIMS = Path(traces.__file__).parent / "claims.py"
NOISE = {"noise": 0.005, "launch_noise": 0.01}
PYTHON = {"start": "common", "wait_ns": 0, "pinned": 0, "cpus": 2}


def python(folder, way, count=5, workers=1, rate=1e6, seed=0, kernel="binning", **attrs):
    """Launches of a way of CPython. rate: of one worker."""
    run = Run(kernel=kernel, layout="python", threads=workers, rate=rate, seed=seed, repetitions=3,
              attrs={**PYTHON, "way": way, "method": way, **attrs}, **NOISE)
    launches(folder / f"{way}-{seed}", count, run)


def c_code(folder, layout, count=5, workers=1, rate=1e8, seed=0, labels=None, **attrs):
    run = Run(kernel="binning", layout=layout, threads=workers, rate=rate, seed=seed, repetitions=3,
              labels=labels or {}, **NOISE, attrs={
                  "wait_ns": 0, "lock": "none", "storage": "private", "work_unit": "clock",
                  "sync_every": 0, **attrs})
    launches(folder / f"{layout}-{seed}", count, run)


def judged(folder):
    found, bad = traces.read_all([folder, *(p for p in folder.rglob("*") if p.is_dir())])
    assert not bad
    return {one.key: one for one in claims.judge(found)}


def test_nothing_holds_by_default(tmp_path):
    """A trace that says nothing of the text leaves every row untold, with a reason."""
    launches(tmp_path, 5, Run(kernel="dot", layout="hybrid"))
    found = judged(tmp_path)
    assert len(found) == len(claims.BOOK) > 25
    assert {one.verdict for one in found.values()} == {claim.UNTOLD}
    assert all(one.reason for one in found.values())


def test_threads_that_take_turns_do_the_same_total(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1)
    python(tmp_path, "multiprocessing", workers=2, seed=2)
    python(tmp_path, "multiprocessing", workers=4, rate=0.5e6, seed=3, valid=0,
           invalid_reasons="more workers and library threads than CPUs (4 of 4 workers)")
    python(tmp_path, "multiprocessing", workers=16, rate=0.01e6, seed=5, cpus=1)
    python(tmp_path, "multiprocessing", workers=8, rate=1e6, seed=4, valid=0,
           invalid_reasons="the windows did not coincide: 2.00 of 8 were open at once")
    found = judged(tmp_path)
    assert found["threads-total"].verdict == claim.HOLDS
    assert found["threads-total"].effect.value == pytest.approx(1, abs=0.03)
    assert found["processes-cores"].verdict == claim.HOLDS
    assert found["processes-total"].verdict == claim.FAILS, "4 processes on 2 cores do 2 x"
    assert found["processes-total"].effect.value == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("lock, rate, verdict", [
    ("gil", 0.5e8, claim.HOLDS), ("none", 1e8, claim.FAILS)])
def test_a_changed_truth_is_caught(tmp_path, lock, rate, verdict):
    """Without the lock the labelled threads do twice the work, and the row turns."""
    c_code(tmp_path, "serial")
    c_code(tmp_path, "openmp", workers=2, rate=rate, seed=1, labels={"role": "threads"}, lock=lock)
    assert judged(tmp_path)["threads-total-c"].verdict == verdict


def test_too_few_launches_cannot_tell(tmp_path):
    python(tmp_path, "single", count=5)
    python(tmp_path, "threading", count=2, workers=2, rate=0.5e6, seed=1)
    one = judged(tmp_path)["threads-total"]
    assert (one.verdict, one.why) == (claim.UNTOLD, "2 launches, 3 are needed")


def test_an_interval_over_the_edge_is_undecided(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.55e6, seed=1)
    one = judged(tmp_path)["threads-total"]
    assert one.verdict == claim.UNTOLD and one.reason == "undecided: the interval includes 1.1"


def test_invalid_runs_are_left_out(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1, valid=0,
           invalid_reasons="shared core")
    one = judged(tmp_path)["threads-total"]
    assert one.verdict == claim.UNTOLD
    assert one.why == "all 5 runs of threads in Python are INVALID: shared core"


def with_table(folder, name, value):
    """The same table in every trace of a folder."""
    for path in folder.rglob("*.h5"):
        with h5py.File(path, "a") as file:
            file[name] = np.full(len(file["results/rate"]), float(value))


def test_a_busy_machine_cannot_tell(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1)
    with_table(tmp_path, "results/cores_of_others", 1.5)
    one = judged(tmp_path)["threads-total"]
    assert one.verdict == claim.UNTOLD and "others used 1.5 cores" in one.why


@pytest.mark.parametrize("windows, verdict", [(1.0, claim.FAILS), (4.0, claim.HOLDS)])
def test_own_starts_are_judged_by_their_windows(tmp_path, windows, verdict):
    """... whatever they score, and on a busy machine as well."""
    python(tmp_path, "multiprocessing", workers=4, start="own", valid=0, invalid_reasons="apart")
    with_table(tmp_path, "results/windows_open", windows)
    with_table(tmp_path, "results/cores_of_others", 1.5)
    assert judged(tmp_path)["own-start"].verdict == verdict


def test_the_serial_loop_scores_in_full_and_is_caught(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "serial-loop", workers=4, start="own", valid=0, seed=1)
    with_table(tmp_path, "results/windows_open", 1.0)
    found = judged(tmp_path)
    assert found["serial-loop"].verdict == claim.FAILS, "the text's score does not tell"
    assert found["serial-loop-caught"].verdict == claim.HOLDS


def test_bound_to_one_core_no_more_is_obtained(tmp_path):
    python(tmp_path, "multiprocessing", workers=4, cpus=1)
    with_table(tmp_path, "results/cores_obtained", 1.0)
    assert judged(tmp_path)["one-core"].verdict == claim.HOLDS
    python(tmp_path / "b", "multiprocessing", workers=4, cpus=1, seed=2)
    with_table(tmp_path / "b", "results/cores_obtained", 1.4)
    assert judged(tmp_path / "b")["one-core"].verdict == claim.FAILS


def test_without_numpy_only_its_rows_cannot_be_told(tmp_path):
    """Runs that could not be made are missing, not wrong."""
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1)
    found = judged(tmp_path)
    assert found["threads-total"].verdict == claim.HOLDS
    for key in ("dot-faster", "npsum-100", "conversion", "not-both-levels"):
        assert found[key].verdict == claim.UNTOLD and found[key].why.startswith("no run of ")


def marshal(folder, **nanoseconds):
    """Time per element of each cell."""
    for i, (method, ns) in enumerate(nanoseconds.items()):
        run = Run(kernel="dot", layout="python", rate=1e9 / ns, seed=i, repetitions=3, **NOISE,
                  attrs={**PYTHON, "kernel": "marshal", "way": "single",
                         "method": method.replace("_", "-")})
        launches(folder / method, 5, run)


def test_marshalling_is_judged_by_its_controls(tmp_path):
    """With the text's own explanation true (the control pays as much), the row turns."""
    marshal(tmp_path / "a", array_npsum=0.2, array_loop=50, list_loop=10, memoryview_loop=13,
            shuffled_list_loop=90, convert_once_loop=28, list_npsum=21, array_sum=46)
    found = judged(tmp_path / "a")
    assert found["conversion"].verdict == claim.FAILS
    assert found["conversion"].effect.value == pytest.approx(3 / 40, abs=0.03)
    assert found["address-order"].verdict == claim.FAILS
    assert found["convert-once"].verdict == claim.HOLDS
    assert found["array-3-list"].verdict == claim.FAILS and found["array-dearer-list"].verdict == claim.HOLDS
    assert found["npsum-list"].verdict == claim.FAILS
    marshal(tmp_path / "b", array_loop=50, list_loop=10, memoryview_loop=49)
    assert judged(tmp_path / "b")["conversion"].verdict == claim.HOLDS


@pytest.mark.parametrize("share, verdict", [(0.0, claim.HOLDS), (0.3, claim.FAILS)])
def test_one_lost_update_is_one_too_many(tmp_path, share, verdict):
    """... on a busy machine as well: it is no matter of speed."""
    python(tmp_path, "threading", workers=2, kernel="dot", method="call")
    for path in tmp_path.rglob("*.h5"):
        with h5py.File(path, "a") as file:
            file.attrs.update(kernel="update", method="call")
    with_table(tmp_path, "results/lost_share", share)
    with_table(tmp_path, "results/cores_of_others", 1.5)
    found = judged(tmp_path)
    assert found["race-prevented"].verdict == verdict
    assert found["race-lock"].why == "no run of update, way threading, method lock"


def waits(folder, late_ns, seed, beside=0, interval=5_000_000):
    """One thread whose waits end so late."""
    python(folder, "threading", seed=seed, beside=beside, wait_ns=1_000_000,
           lock_interval_ns=interval)
    for path in (folder / f"threading-{seed}").glob("*.h5"):
        with h5py.File(path, "a") as file:
            file["workers/wake_median_ns"] = np.full((3, 1), late_ns)


@pytest.mark.parametrize("late, convoy, interval", [
    (5_200_000, claim.FAILS, claim.HOLDS), (60_000, claim.HOLDS, claim.FAILS)])
def test_the_convoy_is_seen(tmp_path, late, convoy, interval):
    waits(tmp_path, 55_000, 1)
    waits(tmp_path, late, 2, beside=1)
    waits(tmp_path, late / 8, 3, beside=1, interval=500_000)
    found = judged(tmp_path)
    assert found["convoy"].verdict == convoy and found["convoy-interval"].verdict == interval
    assert found["convoy-shorter"].effect.value == pytest.approx(1 / 8, abs=0.02)
    assert found["io-threads"].verdict == claim.UNTOLD, "one thread overlaps nothing"


def test_waits_overlap_and_computing_does_not(tmp_path):
    """Runs with computing after each wait are another experiment than those without."""
    for i, (way, workers, cpu_ns, rate) in enumerate((
            ("single", 1, 0, 190), ("threading", 10, 0, 185), ("asyncio", 10, 0, 185),
            ("single", 1, 10**6, 160), ("threading", 10, 10**6, 95), ("asyncio", 10, 10**6, 92),
            ("multiprocessing", 2, 10**6, 155))):
        python(tmp_path, way, workers=workers, rate=rate, seed=i, wait_ns=5_000_000,
               wait_compute_ns=cpu_ns)
    with_table(tmp_path, "results/cores_busy", 0.95)
    found = judged(tmp_path)
    assert {key: found[key].verdict for key in (
        "io-threads", "io-asyncio", "mixed-threads", "mixed-bound", "mixed-asyncio",
        "mixed-processes")} == {
            "io-threads": claim.HOLDS, "io-asyncio": claim.HOLDS, "mixed-threads": claim.FAILS,
            "mixed-bound": claim.HOLDS, "mixed-asyncio": claim.FAILS,
            "mixed-processes": claim.HOLDS}
    assert found["mixed-threads"].effect.value == pytest.approx(0.6, abs=0.02)


def monitored(folder, kernel, size, gain, busy=1.0):
    """A product with one and with two library threads, and what a monitor shows of the latter."""
    for threads, rate in ((1, 1e9), (2, gain * 1e9)):
        name = folder / f"{kernel}-{size}-{threads}"
        run = Run(kernel=kernel, layout="python", rate=rate, seed=size + threads, repetitions=3,
                  **NOISE, attrs={**PYTHON, "way": "single", "size": size, "blas_threads": threads})
        for path in launches(name, 5, run):
            with h5py.File(path, "a") as file:
                end = file["end_ns"][0, 0]
                file["cores/time_ns"] = np.array([-5, end // 3, end // 2, end + 5])
                file["cores/cpu_number"] = np.arange(2)
                file["cores/busy"] = np.array([[1, 0], [1, 0], [1, busy], [1, 0]], float)


def test_busy_cores_are_no_evidence(tmp_path):
    """Only whole samples inside of the product count; the product that gains least decides."""
    monitored(tmp_path, "matmul", 2000, gain=1.95)
    found = judged(tmp_path)
    assert found["busy-is-evidence"].verdict == claim.HOLDS
    assert found["monitor"].verdict == claim.HOLDS and found["monitor"].effect.value == 1
    monitored(tmp_path, "dot", 20000, gain=1.0)
    found = judged(tmp_path)
    assert found["busy-is-evidence"].verdict == claim.FAILS, found["busy-is-evidence"].reason
    assert found["busy-is-evidence"].effect.value == pytest.approx(0.5, abs=0.02)


def test_a_core_that_idles_is_seen(tmp_path):
    monitored(tmp_path, "matmul", 2000, gain=1.95, busy=0.3)
    found = judged(tmp_path)
    assert found["monitor"].verdict == claim.FAILS
    assert found["busy-is-evidence"].why == "no product at which all cores were seen busy"


def test_what_is_gained_or_lost_is_that_of_the_most_threads(tmp_path):
    """Runs of two and of four threads are not one group, on neither side."""
    for i, (layout, threads, rate) in enumerate((
            ("serial", 1, 1e9), ("openmp", 2, 0.75e9), ("openmp", 4, 0.125e9))):
        launches(tmp_path / layout, 5, Run(layout=layout, threads=threads, rate=rate, seed=i,
                                           **NOISE))
    for i, (every, threads, rate) in enumerate((
            (0, 2, 1e8), (0, 4, 1e8), (5, 2, 0.9e8), (5, 4, 0.5e8), (50, 4, 0.95e8))):
        c_code(tmp_path, "openmp", workers=threads, rate=rate, seed=10 + i, sync_every=every)
    found = judged(tmp_path)
    assert found["short-tasks"].effect.value == pytest.approx(0.5, rel=0.03)
    assert found["coupling"].effect.value == pytest.approx(0.5, rel=0.03)


def test_short_windows_say_who_never_ran(tmp_path):
    """10 ms are not 40 switch intervals of 5 ms for each of two threads."""
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1, lock_interval_ns=5_000_000,
           never_ran="worker 1: 2 of 3 repetitions")
    assert judged(tmp_path)["threads-total"].why == (
        "the window is shorter than 40 switch intervals for each worker; never ran: worker 1: 2 of "
        "3 repetitions")


@pytest.mark.parametrize("true, effects, shown, verdict", [
    ((0.98, 1.25), [(1.2, 1.19, 1.21), (0.9, 0.89, 0.91)], 1, claim.FAILS),
    ((0.9, 1.1), [(0.93, 0.925, 0.935), (1.05, 0.8, 1.38)], 1, claim.UNTOLD),
    ((0.9, 1.1), [(1.0, 0.99, 1.01), (1.08, 1.07, 1.09)], 1, claim.HOLDS),
    (claim.MORE, [(1.03, 1.02, 1.04), (1.05, 0.8, 1.4)], 1, claim.UNTOLD),
    ((0, 0.05), [(0.0, 0.0, 0.0), (0.04, 0.03, 0.045)], 1, claim.HOLDS)])
def test_of_several_effects_the_least_favourable_counts(true, effects, shown, verdict):
    found = [claim.Effect(*numbers, 5) for numbers in effects]
    for order in (found, found[::-1]):
        assert claim.least(order, true) is found[shown]
    assert claim.told(found[shown], true) == verdict


def test_the_interval_of_a_share_ends_at_one():
    """And so what is true of every launch is not left open. Counts have no such end."""
    runs = claim.Runs([0.97, 0.985, 0.999])
    share, count = (claim.level(runs, float, most) for most in (1, math.inf))
    assert count.high > 1 and (share.low, share.high) == (count.low, 1)
    assert claim.told(share, (0.9, 1)) == claim.HOLDS


def test_effects_of_zero_have_an_interval():
    found = claim.level(claim.Runs([None] * 4), lambda _: 0.0)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def run(*arguments):
    return subprocess.run([sys.executable, CLAIMS, *map(str, arguments)], capture_output=True,
                          text=True, timeout=120, check=False)


def test_the_command_tells_every_row(tmp_path):
    python(tmp_path, "single")
    python(tmp_path, "threading", workers=2, rate=0.5e6, seed=1)
    done = run(*(p for p in tmp_path.iterdir()), "--json", tmp_path / "claims.json")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "claims.json").read_text())["claims"]
    assert len(rows) == len(claims.BOOK)
    [row] = [row for row in rows if row["key"] == "threads-total"]
    assert row["verdict"] == "holds" and row["interval"][0] < 1 < row["interval"][1]
    for one in claims.BOOK:
        assert one[0].statement.split()[0] in done.stdout
    assert len({one[0].key for one in claims.BOOK}) == len(claims.BOOK)


def test_nothing_to_read_is_one_line(tmp_path):
    done = run(tmp_path / "none.h5")
    assert done.returncode == 1 and "none.h5" in done.stderr and "Traceback" not in done.stderr


# --------------------------------------------------------------------------- really run, in short

LAUNCHES = 3
WINDOW = ("--bins", 8000, "--width", "50us", "--repeats", 1, "--warmup", "1ms", "--allow-invalid")
DRIVER = kit.SOURCE / "drivers" / "python"


def without(folder, module):
    """An environment in which a module cannot be imported."""
    hidden = folder / f"no-{module}"
    hidden.mkdir()
    (hidden / f"{module}.py").write_text(f"raise ImportError('{module} is hidden')")
    return {**os.environ, "BINDOT_PYTHON": sys.executable, "PYTHONPATH": str(hidden)}


def cpython(path, *words, env):
    return subprocess.run([DRIVER, *map(str, words), "--quiet", "-o", path], capture_output=True,
                          text=True, timeout=120, env=env, check=False)


def test_without_multiprocessing_its_rows_cannot_be_told(tmp_path):
    """... and are not wrong: what needs no process runs and is judged."""
    env, folder = without(tmp_path, "multiprocessing"), tmp_path / "traces"
    folder.mkdir()
    for way, workers in (("single", ()), ("threading", ("--workers", 2))):
        for i in range(LAUNCHES):
            done = cpython(folder / f"{way}-{i}.h5", "binning", "--way", way, *workers, *WINDOW,
                           env=env)
            assert done.returncode == 0, done.stderr
    for words in (("binning", "--way", "multiprocessing"), ("update", "--way", "processes",
                                                           "--method", "block")):
        done = cpython(folder / "none.h5", *words, env=env)
        assert done.returncode == 2 and "need Python's multiprocessing" in done.stderr
    found = judged(folder)
    for key in ("processes-cores", "processes-total", "starting"):  # or their base was disturbed
        assert found[key].verdict == claim.UNTOLD and re.match("no run|the machine", found[key].why)
    for key in ("own-start", "own-total", "one-core", "interpreters", "memory-copies",
                "memory-apart", "mixed-processes"):
        assert found[key].verdict == claim.UNTOLD and found[key].why.startswith("no run of "), key
    assert "no run" not in found["threads-total"].reason
    assert found["threads-one-core"].verdict != claim.FAILS
    assert found["threads-at-once"].effect or "busy" in found["threads-at-once"].why


def test_without_numpy_nothing_is_measured_wrongly(tmp_path):
    """It says what is missing; no trace is written, so no row is told."""
    folder = tmp_path / "traces"
    folder.mkdir()
    done = cpython(folder / "none.h5", "matmul", "--size", 100, env=without(tmp_path, "numpy"))
    assert done.returncode == 2 and "missing Python modules: numpy" in done.stderr
    assert list(folder.iterdir()) == []


def c_launches(folder, layout, *words):
    folder.mkdir(parents=True)
    for i in range(LAUNCHES):
        done = kit.run(layout, "binning", *words, *WINDOW, "-o", folder / f"{layout}-{i}.h5")
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(kit.CORES < 2, reason="needs two cores")
def test_without_the_lock_the_row_turns(tmp_path):
    """The truth is changed for real: `--lock none`, as `drivers/study python --lock none` does."""
    told = []
    for i in range(4):
        folder = tmp_path / str(i)
        c_launches(folder / "one", "serial")
        c_launches(folder / "two", "openmp", "--threads", 2, "--lock", "none", "--label",
                   "role=threads")
        one = judged(folder)["threads-total-c"]
        if one.verdict == claim.FAILS:
            assert one.effect.low > 1.1
            return
        told.append(one.reason or one.verdict)
    if all(re.search("busy|INVALID|undecided|are needed", why) for why in told):
        pytest.skip(f"other programs had the cores in each of four rounds: {told}")
    pytest.fail(f"two threads without a lock: {told}")
