"""The clocks of a run: who reads which, and what is known of them."""

import shutil
import subprocess

import h5py
import numpy as np
import pytest

import kit
import timeline
import traces

SHORT = ("binning", "--bins", "200", "--warmup", "1ms", "--repeats", "3", "--allow-invalid",
         "--quiet")  # fmt: skip
AWAY_S = 1000  # a time namespace's offset


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def measure(tmp_path, *words, ranks=2):
    path = tmp_path / "run.h5"
    done = kit.run("mpi", *SHORT, *words, "-o", path, ranks=ranks)
    if done.returncode == 2 and "--clock counter:" in done.stderr:
        pytest.skip("no usable counter here: " + done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return h5py.File(path, "r")


def away(*words):
    """The command in a time namespace of its own, or a skip."""
    line = ["unshare", "-T", "--monotonic", str(AWAY_S), *words]
    able = shutil.which("unshare") and subprocess.run([*line[:4], "true"], capture_output=True,
                                                      check=False).returncode == 0  # fmt: skip
    if not able:
        pytest.skip("no time namespace can be made here")
    return line


@pytest.mark.parametrize("clock, source", [("monotonic", "CLOCK_MONOTONIC_RAW"), ("auto", None)])
def test_source_is_chosen_and_recorded(tmp_path, clock, source):
    """--clock monotonic leaves the counter alone; the trace tells each node's source."""
    with measure(tmp_path, "--clock", clock) as trace:
        kept = set(map(text, trace["nodes/clock_source"][:]))
        assert kept == {text(trace["clock"].attrs["source"])}
        assert source is None or kept == {source}


def test_pretended_nodes_are_marked(tmp_path):
    """nodes=2: two nodes in the trace, on one boot; the run says that they share a machine."""
    with measure(tmp_path, "--inject", "nodes=2", ranks=3) as trace:
        assert trace["node"].shape == (2,)
        assert trace["workers/node_index"][:].tolist() == [0, 0, 1]
        assert len(set(trace["nodes/boot_id"][:])) == 1
        assert "counts as another node" in text(trace.attrs["warnings"])


def test_sharing_memory_is_not_sharing_a_clock(tmp_path):
    """A rank in a time namespace: its monotonic clock is another one, so it is another node."""
    path = tmp_path / "run.h5"
    words = [kit.program("mpi"), *SHORT, "-o", str(path)]
    line = [*kit.MPIRUN, "--bind-to", "none", "-n", "1", *words, ":", "-n", "1", *away(*words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with h5py.File(path, "r") as trace:
        assert trace["workers/node_index"][:].tolist() == [0, 1]
        assert trace["nodes/clock_shift_ns"][:].tolist() == [0, AWAY_S * 10**9]
        assert "counts as another node" in text(trace.attrs["warnings"])
        apart = trace["start_ns"][:, 1] - trace["start_ns"][:, 0]
        assert abs(apart - AWAY_S * 10**9).max() < 10**9


@pytest.mark.parametrize("clock", ("counter", "monotonic"))
def test_bent_clocks(tmp_path, clock):
    """skew and drift change what a node believes, by what was asked for, and no other node."""
    fault = "nodes=2,skew=-1s@node1,drift=50ppm@node1"
    with measure(tmp_path, "--inject", fault, "--clock", clock) as trace:
        tick = trace["nodes/clock_origin_tick"][:].astype(int)
        ns, rate = trace["nodes/clock_origin_ns"][:], trace["nodes/ns_per_tick"][:]
    apart = ns[1] - ns[0] - (tick[1] - tick[0]) * rate[0]
    assert abs(apart + 10**9) < 50_000  # ticks were set to times at moments some ms apart
    assert rate[1] / rate[0] - 1 == pytest.approx(50e-6, abs=10e-6)


# ------------------------------------------------------------------------------------- knots

LONG = ("--bins", "400", "--repeats", "1e6", "--max-time", "3s")


def long_run(tmp_path, fault, clock, ranks):
    """Three seconds with several knots, as the analysis reads it."""
    measure(tmp_path, *LONG, "--inject", fault, "--clock", clock, "--force", ranks=ranks).close()
    return traces.read(tmp_path / "run.h5")


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory):
    fault = "nodes=2,skew=-3s@node1,drift=-50ppm@node1"
    return long_run(tmp_path_factory.mktemp("two"), fault, "auto", 2)


def errors(trace, node):
    """(knot,) of the knots themselves, and (repetition, worker) of starts, ns: by the ticks that
    all nodes of a machine share, the truth is known."""
    dials = timeline.dials(trace.nodes)
    cord = timeline.cords(trace.knots)[node]
    local, offset = (trace.knots[name][:, node] for name in ("local_ns", "offset_ns"))
    starts = trace.array("start_ns")[:, trace.workers["node_index"] == node]
    return (offset - timeline.true_offset(dials[node], dials[0], local),
            timeline.offset_at(cord, starts) - timeline.true_offset(dials[node], dials[0], starts),
            starts)


@pytest.mark.parametrize("clock, ranks, sign", [("counter", 2, 1), ("monotonic", 4, -1)])
def test_wrong_clocks_are_aligned(tmp_path, clock, ranks, sign):
    """Seconds and 50 ppm apart. The bound of half a round trip holds always; that nearly all are
    within half of the best round trip, where messages are not held up by other programs."""
    fault = f"nodes={ranks},skew={sign}s@node1,drift={sign * 50}ppm@node1"
    for _ in range(10):
        trace = long_run(tmp_path, fault, clock, ranks)
        rtt = trace.knots["rtt_min_ns"]
        shares, worst = [], []
        for node in range(1, ranks):
            at_knots, at_starts, starts = errors(trace, node)
            assert np.all(np.abs(at_knots) <= rtt[:, node] / 2 + 2)
            truth = trace.knots["offset_ns"][:, node] - at_knots
            assert np.all(trace.knots["lo_ns"][:, node] <= truth + 2)
            assert np.all(trace.knots["hi_ns"][:, node] >= truth - 2)
            r = timeline.resolution(timeline.cords(trace.knots)[node], starts)
            assert np.all(np.abs(at_starts) <= r + 2)
            shares.append(np.percentile(np.abs(at_starts), 95) / rtt[:, node].min())
            worst.append(np.abs(at_starts).max() / rtt[:, node].min())
        if max(shares) < 0.5 and max(worst) < 1:
            return
    pytest.fail(f"errors over the shortest round trip: 95 % {shares}, all {worst}")


def test_knots_are_tied_beside_measured_time(two_nodes):
    """One before, one after, in between every second or so; never while somebody measures."""
    trace = two_nodes
    for node in (0, 1):
        local = trace.knots["local_ns"][:, node]
        mine = trace.workers["node_index"] == node
        start, end = (trace.array(name)[:, mine] for name in ("start_ns", "end_ns"))
        assert local[0] < start.min() and local[-1] > end.max()
        assert len(local) >= 4
        assert np.diff(local).min() > 0
        inside = (local > start.min(axis=1)[:, None]) & (local < end.max(axis=1)[:, None])
        assert not inside.any()


def test_all_nodes_start_at_one_instant(two_nodes):
    """The instant that each node waited for by its own clock was one instant in truth."""
    trace = two_nodes
    dials = timeline.dials(trace.nodes)
    agreed = trace.array("start_ns") - trace.array("late_ns")
    true = agreed[:, 1] - timeline.true_offset(dials[1], dials[0], agreed[:, 1])
    known = trace.knots["rtt_min_ns"][:, 1].max()  # where other programs hold messages up
    assert np.median(np.abs(true - agreed[:, 0])) < 5_000 + known  # 5 us: a tenth of a bin
    assert trace.array("late_ns").min() >= 0


def test_a_killed_run_keeps_its_knots(tmp_path):
    """Recovered: the knots that were tied before the last whole repetition are there."""
    path = tmp_path / "k.h5"
    done = kit.run("mpi", "binning", "--bins", "200", "--repeats", "1e6", "--inject",
                   "nodes=2,kill=after4s@rank1", "-o", path, ranks=2)  # fmt: skip
    assert done.returncode not in (0, 3)
    assert kit.run("serial", "recover", f"{path}.part").returncode == 0
    trace = traces.read(path)
    assert trace.text("status") == "recovered"
    assert trace.knots["local_ns"].shape[0] >= 3 and trace.knots["local_ns"].shape[1] == 2


def test_single_node(tmp_path):
    """One node is an axis of length one: its knots say that it is where it is."""
    measure(tmp_path).close()
    trace = traces.read(tmp_path / "run.h5")
    knots, nodes = trace.knots["local_ns"].shape
    assert knots >= 3 and nodes == 1
    assert not trace.knots["offset_ns"].any()
    assert trace.nodes["clock_parent"].tolist() == [-1]


# ----------------------------------------------------------------- hosts with own clocks, for real

SKEWS = {"node2": "0.123456789", "node3": "-0.0025", "node4": "7"}


@pytest.fixture
def skewed(own_cluster):
    return own_cluster(4, skew=SKEWS)


def test_hosts_with_own_clocks_are_aligned(skewed, tmp_path):
    """Four hosts over TCP, their monotonic clocks moved by namespaces, which move no counter: from
    either source each offset is found within its bound, and all start at one instant."""
    asked = [round(float(SKEWS.get(f"node{k}", 0)) * 1e9) for k in (1, 2, 3, 4)]
    for clock in ("counter", "monotonic"):
        path = tmp_path / f"{clock}.h5"
        done = skewed.run("ctl", "srun", "--mpi=pmix", "-K", "-N4", "-n4", "--cpu-bind=none",
                          kit.program("mpi"), *SHORT, *LONG, "--clock", clock, "-o", path,
                          check=False)  # fmt: skip
        if "--clock counter:" in done.stderr:  # this machine has none that is usable
            continue
        assert done.returncode == 0, done.stderr
        trace = traces.read(path)
        assert trace.nodes["hostname"].tolist() == ["node1", "node2", "node3", "node4"]
        assert trace.nodes["clock_shift_ns"].tolist() == asked
        assert trace.nodes["clock_parent"].tolist() == [-1, 0, 0, 2]
        agreed, dials = trace.array("start_ns") - trace.array("late_ns"), timeline.dials(trace.nodes)
        for node in (1, 2, 3):
            at_knots, at_starts, starts = errors(trace, node)
            bound = trace.knots["rtt_min_ns"][:, node] / 2
            assert np.all(np.abs(at_knots) <= bound + 2)
            cord = timeline.cords(trace.knots)[node]
            assert np.all(np.abs(at_starts) <= timeline.resolution(cord, starts) + 2)
            # a counter is set to the system's clock once, within a microsecond or so
            assert abs(cord.offset[0] - asked[node]) <= bound[0] + 10_000
            true = agreed[:, node] - timeline.true_offset(dials[node], dials[0], agreed[:, node])
            assert np.median(np.abs(true - agreed[:, 0])) <= 2 * bound.max() + 50_000
