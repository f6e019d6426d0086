"""coupling.py finds the grain at which a planted barrier takes a tenth and a half of the work."""

import json
import math
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import grain
import traces
from synthetic import Run, write

SCRIPT = Path(traces.__file__).parent / "coupling.py"
GRID = np.array([1, 3, 10, 30, 100, 300, 1000]) * 1e3  # ns


def left(cost_ns):
    """Share of the work that a barrier of so much leaves on the grid of time."""
    return np.maximum(1 - cost_ns / GRID, 0)


# ------------------------------------------------------------------------------------ the numbers

@pytest.mark.parametrize("cost", [1_500.0, 5_000.0, 40_000.0])
def test_half_is_lost_at_the_cost_of_a_barrier_and_a_tenth_at_nine_times_it(cost):
    """E = w / (w + c), so 1/2 at w = c and 9/10 at w = 9 c."""
    assert grain.grain_at(GRID, left(cost), 0.5) == pytest.approx(cost, rel=0.01)
    assert grain.grain_at(GRID, left(cost), 0.9) == pytest.approx(9 * cost, rel=0.01)


def test_a_crossing_outside_of_the_grains_is_said_to_be():
    assert grain.grain_at(GRID, left(100.0), 0.5) == 0
    assert grain.grain_at(GRID, left(600e3), 0.5) == math.inf


def test_a_dip_of_a_disturbed_launch_does_not_move_the_crossing_by_decades():
    share = left(1_500.0)
    share[4] = 0.88
    assert 10e3 < grain.grain_at(GRID, share, 0.9) < 30e3


def test_the_rising_curve_is_the_nearest_one():
    assert grain.rising(np.array([0.1, 0.5, 0.3, 0.4, 0.9])) == pytest.approx(
        [0.1, 0.4, 0.4, 0.4, 0.9])
    assert grain.rising(np.array([3.0, 2.0, 1.0])) == pytest.approx([2, 2, 2])


def test_a_launch_that_is_missing_is_not_a_loss():
    share = left(5_000.0)
    share[3] = math.nan
    assert grain.grain_at(GRID, share, 0.5) == pytest.approx(5_000, rel=0.1)


@pytest.mark.parametrize("missing", [slice(None), 0, -1])
def test_a_round_without_an_end_of_the_curve_tells_nothing(missing):
    """It is neither "nothing is lost" nor "all is"."""
    share = np.array([left(5_000.0)] * 5)
    share[1:4, missing] = math.nan
    assert grain.crossing(GRID, share, 0.5).grain == pytest.approx(5_000, rel=0.01)
    assert all(map(math.isnan, grain.crossing(GRID, share[1:4], 0.5)))


def test_each_round_is_compared_with_its_own_undisturbed_launch():
    rates = np.array([[50.0, 90.0], [5.0, 9.0]])  # the second round ran on a slow minute
    share = grain.efficiencies(rates, np.array([100.0, 10.0]))
    assert np.allclose(share, [[0.5, 0.9], [0.5, 0.9]])
    share = grain.efficiencies(rates, np.array([100.0, math.nan]))
    assert share[1] == pytest.approx([0.05, 0.09]), "a round without a base takes the median"


def test_the_interval_runs_over_rounds():
    costs = np.array([4_000.0, 4_500, 5_000, 5_500, 6_000, 6_500])
    share = np.array([left(c) for c in costs])
    found = grain.crossing(GRID, share, 0.5)
    each = [grain.grain_at(GRID, row, 0.5) for row in share]
    assert (found.low, found.high) == (min(each), max(each)), "6 rounds: their range"
    assert found.grain == pytest.approx(5_250, rel=0.1)
    assert math.isnan(grain.crossing(GRID, share[:2], 0.5).low), "two rounds give no interval"


# ------------------------------------------------------------------------------------- the script

def study(folder, cost_ns, rounds=6, never=True, bins=20_000, **run):
    """A worker that does 100 units a us, less what barriers take."""
    cells = {int(g / 1000): share for g, share in zip(GRID, left(cost_ns))}
    if never:
        cells[2 * bins] = 1.0  # as many as there are, or more: never
    for every, share in cells.items():
        for i in range(1, rounds + 1):
            name = f"{run.get('layout', 'openmp')}-{every}-{i}.h5"
            write(folder / name, Run(**{
                "kernel": "binning", "layout": "openmp", "threads": 2, "rate": 1e8 * share + 1,
                "noise": 0.0, "launch_noise": 0.005, "seed": 100 * every + i, "bins": 10,
                "width_ns": 1000, "labels": {"launch": str(i)},
                "attrs": {"sync_every": every, "bins": bins, **run.pop("attrs", {})}, **run}))
    return folder


def call(*words):
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True,
                          text=True, timeout=120)


def test_traces_give_the_planted_cost_with_its_interval(tmp_path):
    study(tmp_path, 5_000.0)
    done = call(tmp_path, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads((tmp_path / "out.json").read_text())["layouts"]
    assert found["half_lost_ns"]["low"] <= 5_000 * 1.05
    assert found["half_lost_ns"]["high"] >= 5_000 * 0.95
    assert found["tenth_lost_ns"]["grain"] == pytest.approx(45_000, rel=0.15)
    assert found["barrier_ns"] == pytest.approx(5_000, rel=0.05)
    assert len(found["efficiency"]) == 6 and len(found["barrier_every_ns"]) == len(GRID)
    assert "openmp 1×2: with less than" in done.stdout and "half lost" in done.stdout


@pytest.mark.parametrize("run", [{}, {"labels": {}}], ids=["labelled", "unlabelled"])
def test_rounds_that_lost_their_launches_do_not_bend_the_answer(tmp_path, run):
    study(tmp_path, 60_000.0, rounds=5, **run)
    for path in [p for p in tmp_path.glob("*-[135].h5") if "-40000-" not in p.name]:
        with h5py.File(path, "a") as file:
            file.attrs["valid"] = 0
    done = call(tmp_path, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads((tmp_path / "out.json").read_text())["layouts"]
    assert found["rounds_told"] == 2 and " 2/5 " in done.stdout
    assert found["half_lost_ns"]["grain"] == pytest.approx(60_000, rel=0.1)
    assert found["tenth_lost_ns"]["grain"] == pytest.approx(540_000, rel=0.15)
    (tmp_path / "openmp-1-4.h5").unlink()
    (tmp_path / "openmp-1000-2.h5").unlink()
    study(tmp_path, 5_000.0, rounds=1, never=False, layout="mpi", **run)
    done = call(tmp_path)
    assert "cannot be told, no round has both" in " ".join(done.stdout.split())
    assert done.stderr.startswith("coupling.py: mpi 1×2: left out") and "mpi" not in done.stdout


def test_what_lies_below_the_finest_grain_is_told_as_such(tmp_path):
    done = call(study(tmp_path, 20.0))
    assert done.returncode == 0, done.stderr
    assert "< 1 us" in done.stdout and "at the finest grain measured less than 10 %" in (
        " ".join(done.stdout.split()))


def test_without_a_run_that_never_waits_there_is_no_efficiency(tmp_path):
    done = call(study(tmp_path, 5_000.0, rounds=1, never=False))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
