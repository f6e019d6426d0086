"""slices.py: how long a worker has a lock, told exactly from detours; C and CPython alike."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

import claim
import claims
import kit
import slices
import traces
from synthetic import Run, launches, take_turns, write

MS = 1_000_000
LOCKED = {"lock": "gil", "wait_ns": 0, "lock_interval_ns": 5 * MS, "pinned": 0}


def locked(folder, lengths, workers=2, **attrs):
    """A trace of one repetition whose workers had the lock in turn for `lengths` ms each."""
    run = Run(kernel="binning", layout="openmp", threads=workers, repetitions=1,
              attrs={**LOCKED, **attrs})
    path = write(folder / "run.h5", run)
    take_turns(path, [np.asarray(lengths) * MS])
    return traces.read(path)


def test_slices_are_those_that_were_made(tmp_path):
    """To the nanosecond, but for the first and the last, which the window's edges cut."""
    rng = np.random.default_rng(5)
    lengths = rng.uniform(5, 8, 60).round(6)
    found = slices.of_trace(locked(tmp_path, lengths, workers=4))
    assert found.length.tolist() == pytest.approx(lengths[1:-1] * MS, abs=1)
    assert found.forced == 1 and found.interval == 5 * MS


def test_a_tick_inside_a_slice_does_not_end_it():
    """Who is interrupted while nobody else runs goes on with his slice."""
    one = slices.runs(0, 30, np.array([4, 10]), np.array([2, 10]))
    other = slices.runs(11, 19, np.array([], int), np.array([], int))
    assert one.tolist() == [[0, 4], [6, 10], [20, 30]]
    assert slices.turns([one, other]).tolist() == [[0, 10], [11, 19], [20, 30]]


def test_a_late_start_and_the_end_of_the_window_are_no_runs():
    """A detour from before the first unit, and one that outlasts the last."""
    start, length = np.array([0, 20]), np.array([10, 15])
    assert slices.runs(10, 20, start, length).tolist() == [[10, 20]]


def test_who_gave_the_lock_away_himself_was_not_forced(tmp_path):
    found = slices.of_trace(locked(tmp_path, [5, 5.1, 1, 5.1, 1, 5.1]))
    assert found.forced == 0.5


@pytest.mark.parametrize("attrs, why", [
    ({"lock": "none"}, "no run of binning under a lock"),
    ({"wait_ns": 1000}, "gave the lock away themselves")])
def test_other_traces_tell_nothing(tmp_path, attrs, why):
    with pytest.raises(slices.NoSlices, match=why):
        slices.of_trace(locked(tmp_path, [5] * 6, **attrs))


def test_a_list_with_gaps_is_refused(tmp_path):
    """A detour that is not listed would join two slices."""
    path = locked(tmp_path, [5] * 6).path
    with h5py.File(path, "a") as file:
        file["detours/dropped"][0, 1] = 1
    with pytest.raises(slices.NoSlices, match="not whole"):
        slices.of_trace(traces.read(path))


def test_workers_at_the_same_time_take_no_turns(tmp_path):
    """Whatever the attribute says: without detours both ran all the time."""
    path = locked(tmp_path, [5] * 6).path
    with h5py.File(path, "a") as file:
        for name in ("worker_index", "repetition_index", "start_ns", "length_ns"):
            del file[f"detours/{name}"]
        file["workers/last_ns"][:] = file["workers/last_ns"][:].max()
        file["workers/first_ns"][:] = file["workers/first_ns"][:].min()
    with pytest.raises(slices.NoSlices, match="at the same time"):
        slices.of_trace(traces.read(path))


# --------------------------------------------------------------------------- the two drivers

def recorded(path, layout):
    """A real trace of two workers under the lock. Its interval is long beside what a busy
    machine adds to a slice."""
    common = ("--bins", "24000", "--detour", "20us", "--repeats", "1", "--bind", "none", "--quiet",
              "--allow-invalid", "-o", path)  # fmt: skip
    if layout == "python":
        line = [sys.executable, kit.SOURCE / "drivers" / "python", "binning", "--way", "threading",
                "--workers", "2", "--switch-interval", "40ms"]  # fmt: skip
    else:
        line = kit.command(layout, "binning", "--lock", "gil:40ms", threads=2)
    done = subprocess.run([*map(str, (*line, *common))], capture_output=True, text=True, timeout=60,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return traces.read(path)


@pytest.mark.parametrize("layout", [
    "openmp", pytest.param("python", marks=pytest.mark.skipif(
        not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="no global lock"))])
def test_both_drivers_tell_slices(tmp_path, layout):
    """Nobody has to give way before an interval is over; how much later depends on the load."""
    for turn in range(5):
        trace = recorded(tmp_path / f"run-{turn}.h5", layout)
        if np.all(trace.array("units") > 0):  # else the machine kept one off all the time
            break
    found = slices.of_trace(trace)
    assert found.median >= slices.WHOLE * found.interval
    assert found.length.sum() <= 24000 * 50_000


# -------------------------------------------------------------------------------- the claims

def cell(folder, layout, slice_ms, interval_ms=5, workers=2, seed=0):
    """Five launches whose slices have a median of slice_ms."""
    ways = {"way": "threading", "start": "common"} if layout == "python" else {}
    run = Run(kernel="binning", layout=layout, threads=workers, repetitions=2, seed=seed,
              attrs={**LOCKED, **ways, "lock_interval_ns": interval_ms * MS})
    rng = np.random.default_rng(seed)
    for path in launches(folder / f"{layout}-{interval_ms}", 5, run):
        take_turns(path, slice_ms * MS * rng.uniform(0.99, 1.01, (2, 41)))


def judged(folder):
    found, bad = traces.read_all([folder])
    assert not bad
    return {one.key: one for one in claims.judge(found)}


def test_slices_that_agree_at_every_interval(tmp_path):
    for interval in (1, 5, 20):
        cell(tmp_path, "python", interval + 0.1, interval, seed=1)
        cell(tmp_path, "openmp", interval + 0.1, interval, seed=2)
    found = judged(tmp_path)
    for key in ("slice-interval", "slice-asked", "slice-c", "slice-c-long"):
        assert found[key].verdict == claim.HOLDS, found[key]
    assert found["slice-interval"].effect.value == pytest.approx(20.1 / 20, rel=0.01)  # edge: 0.98


def test_one_interval_that_differs_is_enough(tmp_path):
    for interval, c in ((5, 5.1), (20, 24)):
        cell(tmp_path, "python", interval + 0.1, interval, seed=1)
        cell(tmp_path, "openmp", c, interval, seed=2)
    one = judged(tmp_path)["slice-c"]
    assert one.verdict == claim.FAILS and one.effect.value == pytest.approx(24 / 20.1, rel=0.01)


def test_no_common_interval_cannot_tell(tmp_path):
    cell(tmp_path, "python", 5.1, 5)
    cell(tmp_path, "openmp", 1.1, 1)
    one = judged(tmp_path)["slice-c"]
    assert one.verdict == claim.UNTOLD and "both ran with" in one.why


def test_threads_of_another_interval_are_another_cell(tmp_path):
    """The statements on threads are about CPython as it comes."""
    cell(tmp_path, "python", 1.1, 1)
    assert judged(tmp_path)["threads-total"].why == "no run of threads in Python"
