"""breakeven.py brackets a crossing that was planted, and says undecided where the data are."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import breakeven
import crossing
import traces
import words
from crossing import Bracket, Point
from synthetic import Run, launches

SCRIPT = Path(traces.__file__).parent / "breakeven.py"


def at(size, low, high):
    return Point(size, (low + high) / 2, low, high)


# --------------------------------------------------------------------------------- the bracket

def test_the_bracket_holds_what_is_not_decided():
    points = [at(8, 0.2, 0.3), at(16, 0.8, 0.95), at(32, 0.7, 1.2), at(64, 1.3, 1.5)]
    assert crossing.bracket(points, 1.0) == (16, 64)
    assert crossing.undecided(points, 1.0) == [32]
    assert crossing.bracket(points[::-1], 1.0) == (16, 64), "the order of the points matters"
    assert crossing.bracket(points, 1.25) == (32, 64)


def test_a_curve_that_comes_back_is_not_called_crossed():
    """high: every size from there on, so a dip beyond the first gain moves it up."""
    points = [at(8, 0.5, 0.6), at(16, 1.2, 1.3), at(32, 0.7, 0.8), at(64, 1.4, 1.5)]
    assert crossing.bracket(points, 1.0) == (32, 64)


def test_an_end_that_was_not_seen_is_open():
    assert crossing.bracket([at(8, 1.1, 1.2), at(16, 1.3, 1.4)], 1.0) == (None, 8)
    assert crossing.bracket([at(8, 0.1, 0.2), at(16, 0.3, 0.4)], 1.0) == (16, None)
    unknown = Point(8, 2.0, math.nan, math.nan)
    assert crossing.bracket([unknown], 1.0) == (None, None), "no interval decides nothing"
    assert crossing.undecided([unknown], 1.0) == [8]


def test_the_largest_speed_up_is_the_largest_known_one():
    """The smallest size may have none, where its launches are INVALID."""
    unknown = Point(1_000, math.nan, math.nan, math.nan)
    curve = breakeven.Curve("dot", "blocked", "openmp", "1×2", 1, 2, 2, "", (
        unknown, at(2_000, 1.4, 1.6), at(4_000, 1.1, 1.3)), {}, ())
    assert breakeven.at_best(breakeven.best(curve)) == "1.50 at 2 000"
    alone = replace(curve, points=(unknown,))
    assert breakeven.at_best(breakeven.best(alone)) == words.UNKNOWN


# ---------------------------------------------------------------------------------- the search

def test_the_search_goes_where_the_crossing_is():
    sizes = [4, 16, 64, 256]
    assert crossing.refine(sizes, Bracket(16, 64), 1.5) == [32]
    assert crossing.refine(sizes, Bracket(16, 256), 1.5) == [32, 128]
    assert crossing.refine(sizes, Bracket(256, None), 1.5) == [1024]
    assert crossing.refine(sizes, Bracket(None, 4), 1.5) == [1]
    assert crossing.refine([16, 22, 32], Bracket(16, 22), 1.42) == []
    assert crossing.refine([16, 64], Bracket(16, 64), 1.5, grid=24) == [24]


@pytest.mark.parametrize("truth", [3.0, 100.0, 12_345.0, 2.5e6])
def test_a_search_ends_with_the_crossing_inside(truth):
    """Speed-up 2 n / (n + truth), known to 2 %: crossed at n = truth."""
    def measure(n):
        ratio = 2 * n / (n + truth)
        return at(n, 0.98 * ratio, 1.02 * ratio)

    points = {n: measure(n) for n in (16, 64, 256, 1024)}
    for _ in range(20):
        found = crossing.bracket(list(points.values()), 1.0)
        more = crossing.refine(list(points), found, math.sqrt(2))
        if not more:
            break
        points.update((n, measure(n)) for n in more)
    assert not more, "it did not end"
    assert found.low < truth < found.high
    assert found.high / found.low <= 4 and len(points) < 16


# ------------------------------------------------------------------------------------ the script

COST_S, RATE = 10e-6, 1e9


def study(folder, sizes, cores=2, cost_s=COST_S, layout="openmp", environment=None):
    """dot under serial and under `layout`, which costs `cost_s` for each call."""
    for i, size in enumerate(sizes):
        alone = size / RATE
        shared = alone / cores + cost_s
        attrs = {"size": size, "iterations": 10_000_000 // size}
        noise = {"launch_noise": 0.01, "seed": i, "environment": environment or {}}
        launches(folder / f"s{size}", 5, Run(rate=size / alone, attrs=attrs, **noise))
        launches(folder / f"p{size}", 5, Run(layout=layout, threads=cores, attrs=attrs,
                                             rate=size / shared / cores, **noise))
    return folder


def asked(*words):
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words), "--json", "-"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["curves"]


def test_break_even_of_traces_is_where_it_was_planted(tmp_path):
    """2 cores, 10 us a call, 1 ns an element: crossed at 20 000; half of 4 cores at 40 000."""
    [two] = asked(study(tmp_path / "2", (2_500, 10_000, 40_000, 160_000)))
    first, half = two["searches"]
    assert (first["low"], first["high"]) == (10_000, 40_000)
    assert first["next"] == [20_000] and half["threshold"] == 1.0
    [four] = asked(study(tmp_path / "4", (10_000, 30_000, 60_000, 240_000), cores=4))
    first, half = four["searches"]
    assert (first["low"], first["high"]) == (10_000, 30_000)
    assert half["threshold"] == 2.0 and (half["low"], half["high"]) == (30_000, 60_000)


def test_ways_of_waiting_are_curves_of_their_own(tmp_path):
    sizes = (10_000, 40_000)
    study(tmp_path / "a", sizes)
    study(tmp_path / "b", sizes, cost_s=1e-3, environment={"OMP_WAIT_POLICY": "PASSIVE"})
    found = {curve["wait_policy"]: curve["searches"][0] for curve in asked(tmp_path)}
    assert found[""]["high"] == 40_000
    assert found["passive"]["low"] == 40_000 and found["passive"]["high"] is None


def test_the_page_says_what_was_found(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, study(tmp_path, (10_000, 20_000, 40_000))],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "10 000 .. 40 000" in done.stdout
    assert re.search(r"  (9\.9\d|10(\.\d)?) us \.\. (39\.\d|40(\.\d)?) us", done.stdout)
    assert "slower than serial up to 10000, faster from 40000 on; undecided at 20000." in (
        " ".join(done.stdout.split()))
    assert "Threads wait as the runtime likes" in done.stdout


def test_nothing_to_compare_is_one_line(tmp_path):
    launches(tmp_path, 2, Run())
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "breakeven.py: no size that ran under serial" in done.stderr
