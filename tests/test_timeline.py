"""Times of several nodes on one axis: exact to a nanosecond, and never finer than what is known."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import h5py
import numpy as np
import pytest

import bsp
import grids
import noisy
import signatures_team
import synthetic
import timeline
import traces

ANALYSIS = Path(traces.__file__).parent
CLEAN = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BINDOT_PYTHON_TRIED")}
AGO = 1_700_000_000 * 10**9  # ns; a double near it is 256 ns coarse
SECOND = 10**9


def cord(local, offset, rtt=1000):
    local, offset = np.asarray(local, np.int64), np.asarray(offset, np.int64)
    rtt = np.broadcast_to(np.asarray(rtt, np.int64), local.shape)
    return timeline.Cord(local, offset, rtt, offset - rtt // 2, offset + rtt // 2)


# --------------------------------------------------------------------------------------- times

def test_a_line_between_knots_and_beyond():
    own = cord([AGO, AGO + 10 * SECOND, AGO + 20 * SECOND], [5000, 505_000, 505_000])
    at = AGO + np.array([0, 1, 5, 10, 15, 25, -2]) * SECOND
    assert timeline.offset_at(own, at).tolist() == [
        5000, 55_000, 255_000, 505_000, 505_000, 505_000, -95_000]
    assert timeline.root_ns(own, at + 123).dtype == np.int64
    assert timeline.root_ns(own, AGO + 123_000) == AGO + 117_994  # no double near AGO holds that


def test_one_knot_is_an_offset():
    own = cord([AGO], [77])
    assert timeline.offset_at(own, np.array([AGO - 5, AGO + 5])).tolist() == [77, 77]
    assert timeline.resolution(own, np.array([AGO, AGO + 1])).tolist() == [500, np.inf]
    assert np.isnan(own.drift)


def test_steady_drift_leaves_no_residual_and_a_wandering_one_its_own():
    local = AGO + np.arange(9) * SECOND + np.arange(9) ** 2 * 1000
    steady = cord(local, np.rint((local - AGO) * 50e-6))
    assert steady.drift == pytest.approx(50e-6, rel=1e-6)
    assert np.abs(timeline.left_out(steady)).max() <= 1
    bent = cord(local, steady.offset + np.where(np.arange(9) == 4, 900, 0))
    assert np.abs(timeline.left_out(bent)).argmax() == 3  # knot 4 of the inner ones
    assert timeline.left_out(bent)[3] == pytest.approx(900, abs=1)
    assert timeline.usual([steady, bent]) > 300
    assert np.isnan(timeline.usual([cord([1, 2], [0, 0])]))


def test_resolution_is_the_bound_or_what_was_left_out():
    local = AGO + np.arange(5) * SECOND
    calm = cord(local, [0] * 5, [1000, 1000, 5000, 1000, 1001])
    at = AGO + np.array([0.5, 1.5, 3.5, 4, 4.1, -0.1]) * SECOND
    r = timeline.resolution(calm, at.astype(np.int64))
    assert r.tolist() == [500, 2500, 501, 501, np.inf, np.inf]
    wild = cord(local, [0, 0, 9000, 0, 0])
    assert timeline.resolution(wild, local[:1]).tolist() == [9000]


def test_knots_that_were_held_up_are_left_away():
    knots = {name: np.zeros((6, 2), np.int64) for name in traces.PER_KNOT}
    knots["local_ns"][:] = np.arange(6)[:, None] * SECOND
    knots["rtt_min_ns"][:, 1] = [900, 30_000, 800, 850, 2400, 40_000]
    root, own = timeline.cords(knots)
    assert (len(root), root.held) == (6, 0)
    assert own.rtt.tolist() == [900, 800, 850, 2400, 40_000]  # the last one: nothing beyond it
    assert own.held == 1
    assert own.bound.tolist() == [450, 400, 425, 1200, 20_000]


@pytest.mark.parametrize("apart, r, within, said", [
    (0, 100, 500, "simultaneous"), (-400, 100, 500, "simultaneous"), (401, 100, 500, "cannot tell"),
    (0, 501, 500, "cannot tell"), (-600, 100, 500, "cannot tell"), (601, 100, 500, "apart"),
    (10**9, np.inf, 500, "cannot tell")])  # fmt: skip
def test_verdicts_are_no_finer_than_the_resolution(apart, r, within, said):
    assert timeline.verdict(apart, r, within) == said


def test_met():
    times = [np.array([0, 100, 200, 300]), np.array([5, 190, 500]), np.array([-5, 100, 199, 222])]
    assert timeline.met(times, 10).tolist() == [5, 190]
    assert timeline.met(times, 9).tolist() == []
    assert timeline.met([*times, np.empty(0)], 10).tolist() == []


# ------------------------------------------------------------------------------ the known truth

def test_truth_by_a_shared_counter():
    """Ticks of 0.4 ns from far back, each node with its own origin, skew and rate."""
    root = timeline.Dial("boot", "tsc", 10**16, 5 * SECOND, 0.4, 0)
    own = timeline.Dial("boot", "tsc", 10**16 + 2500, 5 * SECOND + 1000 + 80_000, 0.4 * 1.00005, 0)
    at = own.ns + np.array([0, SECOND])
    assert timeline.true_offset(own, root, at).tolist() == pytest.approx([80_000, 129_997.5])
    other = timeline.Dial("another boot", "tsc", 10**16, 0, 0.4, 0)
    assert timeline.true_offset(other, root, at) is None


def test_truth_by_namespaces_of_one_system_clock():
    """The ticks themselves are shifted; the shift is known."""
    name = "CLOCK_MONOTONIC_RAW"
    root = timeline.Dial("boot", name, 9 * SECOND, 9 * SECOND, 1.0, 2 * SECOND)
    own = timeline.Dial("boot", name, 17 * SECOND + 5, 17 * SECOND + 5, 1.0, 10 * SECOND)
    assert timeline.true_offset(own, root, np.array([20 * SECOND])).tolist() == [8 * SECOND]


# ----------------------------------------------------------------------- several nodes' bins

def test_bins_of_a_drifting_node_are_even_on_the_common_axis():
    own = cord([0, 100 * SECOND], [7 * SECOND, 7 * SECOND + 5_000_000])  # 50 ppm
    root = cord([0, 100 * SECOND], [0, 0], 0)
    origin = np.array([[20 * SECOND, 27 * SECOND], [40 * SECOND, 47 * SECOND]])
    axis = grids.grids([root, own], origin, 10 * SECOND, 200_000)
    assert axis[1].first.tolist() == [20 * SECOND - 1_350_000, 40 * SECOND - 2_350_000]
    assert axis[1].step == pytest.approx(50_000 * (1 - 50e-6), rel=1e-9)
    assert grids.pair(axis) == 500 and grids.pair([]) == np.inf
    lines = grids.lines(axis, 0, np.array([0, 1, 1]), 50_000)
    assert lines[0] == pytest.approx([27, 0, 0])  # node 1 began 27 bins before node 0
    assert lines[1] == pytest.approx([1, 1 - 50e-6, 1 - 50e-6])


def test_a_work_clock_is_moved():
    clock = bsp.work_clock(np.array([0.0, 100.0, 0.0, 50.0]), 100)
    assert clock.tolist() == [0, 100, 100, 200, 250]
    assert bsp.moved(clock, np.array([0.5, 1.5, 2.5, 3.5])).tolist() == [0, 50, 100, 175]
    assert bsp.moved(clock, np.array([3.0, 4.0, 5.0])).tolist() == [0, 50, 50]


def test_stops_of_all_nodes():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 20e9, 30))
    near = times + rng.uniform(-40_000, 40_000, 30)
    found = signatures_team.all_nodes([times, near, times], 2000, 50_000, 20e9)
    assert found.found and found.value == 30
    others = [np.sort(rng.uniform(0, 20e9, 300)) for _ in range(2)]
    assert not signatures_team.all_nodes(others, 2000, 50_000, 20e9).found
    many = [np.sort(rng.uniform(0, 20e9, 20_000)) for _ in range(2)]  # many meet by chance
    assert not signatures_team.all_nodes(many, 2000, 50_000, 20e9).found
    unknown = signatures_team.all_nodes([times, times], 60_000, 50_000, 20e9)
    assert not unknown.tested and "cannot tell" in unknown.reason


SECONDS, SKEW, DRIFT = 10, 7 * SECOND, 200e-6


def two_nodes(path, seed, common, rtt=2000, knots=True, drift=DRIFT):
    """One worker on each of two nodes; node 1's clock is ahead and gains. Each stops 40 times for
    2 ms, both at the same true times if `common`."""
    rng = np.random.default_rng(seed)
    stops = [np.sort(rng.uniform(0.1, 0.98 * SECONDS, 40)) for _ in range(2)]
    workers = []
    for node, rate in ((0, 1.0), (1, 1 + drift)):
        events = np.stack([stops[0 if common else node] * rate, np.full(40, 2e6)], axis=1)
        workers.append([noisy.clean(seed + node, SECONDS, [events])])
    noisy.trace(path, workers, nodes=[0, 1])
    with h5py.File(path, "a") as file:
        file.attrs["nodes"] = 2
        del file["nodes/hostname"]
        file["nodes/hostname"] = np.array(["one", "two"], dtype=h5py.string_dtype())
        start = file["start_ns"][()]
        ahead = SKEW + round(drift * start[0, 1])
        file["start_ns"][...] = start + [0, ahead]
        file["detours/start_ns"][...] += np.where(file["detours/worker_index"][()] == 1, ahead, 0)
        file["late_ns"] = np.zeros_like(start)
    return noisy.tie(path, SKEW, drift, rtt) if knots else path


def run(script, *words):
    return subprocess.run([sys.executable, ANALYSIS / script, *map(str, words)],
                          capture_output=True, text=True, encoding="utf-8", timeout=120,
                          env={**CLEAN, "PYTHONIOENCODING": "utf-8"})  # fmt: skip


def noise(path):
    done = run("noise.py", "--json", "-", "--grain", "1ms", path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["traces"][0]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What noise.py tells of two nodes that stop together."""
    return noise(two_nodes(tmp_path_factory.mktemp("a") / "x.h5", 1, True))


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory):
    return noise(two_nodes(tmp_path_factory.mktemp("b") / "x.h5", 1, False))


def at_once(told):
    [found] = [f for f in told["findings"] if f["name"] == "all nodes at once"]
    return found


def test_stops_at_once_are_found_through_skew_and_drift(together, in_turn):
    """2 ms of drift in the run: bins of one instant are up to 40 apart in number."""
    found = at_once(together)
    assert found["found"] and found["value"] >= 38
    assert not at_once(in_turn)["found"]


@pytest.mark.parametrize("how, why", [({"rtt": 300_000}, "to ±150 us only"),
                                      ({"knots": False}, "not known")])
def test_what_is_not_known_is_not_told(tmp_path, how, why):
    path = two_nodes(tmp_path / "x.h5", 1, True, **how)
    told = noise(path)
    found = at_once(told)
    assert not found["found"] and "cannot tell" in found["reason"] and why in found["reason"]
    if "knots" in how:
        assert told["predictions"][0]["replay"] is None
        assert any("were not compared" in note for note in told["notes"])


def test_replay_runs_on_the_common_axis(tmp_path, together, in_turn):
    """Nodes that stop together cost a program less than nodes that stop in turn, by any clock."""
    one_clock = noise(two_nodes(tmp_path / "x.h5", 1, True, drift=0.0))
    same, drifting, turns = (told["predictions"][0]["replay"]["slowdown"] - 1
                             for told in (one_clock, together, in_turn))
    assert drifting == pytest.approx(same, rel=0.05)
    assert turns > 1.7 * drifting


def test_late_starts_are_told_by_the_trace(tmp_path):
    """Both workers of the node late: only the agreed instant shows it."""
    path = two_nodes(tmp_path / "x.h5", 1, True)
    with h5py.File(path, "a") as file:
        file["late_ns"][0] = [0, 3_000_000]
        file["start_ns"][0] += [0, 3_000_000]
    [late] = [f for f in noise(path)["findings"] if f["name"] == "late start"]
    assert late["found"] and late["workers"] == [1] and late["value"] == 3e6


# ------------------------------------------------------------------------------- what is told

def test_old_traces_are_read_and_half_ones_are_not(tmp_path):
    old = synthetic.write(tmp_path / "old.h5", synthetic.Run(hostnames=("a", "b")))
    assert not traces.read(old).knots
    assert "were not compared" in run("clocks.py", old).stdout
    half = two_nodes(tmp_path / "half.h5", 1, True)
    with h5py.File(half, "a") as file:
        del file["clock/rtt_min_ns"]
    with pytest.raises(traces.BadTrace, match="whole knots"):
        traces.read(half)


def test_clocks_tells_offset_drift_and_bound(tmp_path):
    path = two_nodes(tmp_path / "x.h5", 1, True, rtt=2000)
    done = run("clocks.py", "--json", tmp_path / "x.json", "--plot", tmp_path / "x.svg", path)
    assert done.returncode == 0, done.stderr
    assert "2 nodes, 40 knots" in done.stdout and "to ±1 us" in done.stdout
    assert "+199.960 ppm" in done.stdout  # per second of its own, longer, seconds
    [told] = json.loads((tmp_path / "x.json").read_text())["traces"]
    node = told["nodes"][1]
    assert node["offset_ns"] == SKEW and node["bound_ns"] == 1000 and not node["broken"]
    assert node["left_out_worst_ns"] <= 1 and node["true_p95_ns"] is None
    assert len(node["knots"]["offset_ns"]) == 40
    xml.parse(tmp_path / "x.svg")


def test_clocks_tells_of_a_broken_one(tmp_path):
    path = two_nodes(tmp_path / "x.h5", 1, True)
    with h5py.File(path, "a") as file:
        file["clock/lo_ns"][7, 1] = file["clock/hi_ns"][7, 1] + 1
    assert run("clocks.py", path).stdout.splitlines()[-1].endswith("broken")


def test_clocks_refuses_in_one_line(tmp_path):
    done = run("clocks.py", tmp_path / "none.h5")
    assert done.returncode == 1 and "no such file" in done.stderr
    done = run("clocks.py", "--plot", "x.pdf", tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_compare_tells_how_well_clocks_are_known(tmp_path):
    path = two_nodes(tmp_path / "x.h5", 1, True, rtt=2000)
    assert "several nodes: an instant of one is known on another to ±1 us" in run(
        "compare.py", path).stdout


def test_a_resumed_launch_has_an_axis_for_each_start():
    """Grids of segments, whose clocks began anew, are laid end to end: what met, still meets."""
    first = grids.Grid(np.array([5000, 9000]), np.array([10.0, 10.0]), 3.0)
    other = grids.Grid(np.array([5007, 9007]), np.array([10.1, 10.1]), 4.0)
    again = grids.Grid(np.array([100]), np.array([9.9]), 9.0)
    one, two = grids.chain([[first, other], [again, again]])
    assert (np.diff(one.first) > 0).all() and (one.r, two.r) == (9.0, 9.0)
    assert (two.first - one.first).tolist() == [7, 7, 0]
    assert one.first[2] - two.first[1] == grids.GAP_NS


def test_segments_divide_repetitions_and_knots(tmp_path):
    path = synthetic.write(tmp_path / "x.h5", synthetic.Run(repetitions=6))
    assert [s.repetitions for s in traces.read(path).segments] == [slice(0, 6)]
    with h5py.File(path, "a") as file:
        file["segments/first_repetition_index"] = np.array([0, 2, 2])
        file["segments/first_knot_index"] = np.array([0, 0, 0])
    assert [s.repetitions for s in traces.read(path).segments] == [slice(0, 2), slice(2, 6)]
    for wrong in ([1, 2, 2], [0, 3, 2], [0, 2, 7]):
        with h5py.File(path, "a") as file:
            file["segments/first_repetition_index"][...] = wrong
        with pytest.raises(traces.BadTrace, match="segments"):
            traces.read(path)
