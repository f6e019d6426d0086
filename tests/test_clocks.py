"""The clocks of a run: who reads which, and what is known of them."""

import shutil
import subprocess

import h5py
import pytest

import kit

SHORT = ("binning", "--bins", "200", "--warmup", "1ms", "--repeats", "3", "--allow-invalid", "--quiet")
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
        kept = {text(trace["clock"].attrs["source"])} | set(map(text, trace["nodes/clock_source"][:]))
        assert len(kept) == 1
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
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
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
