"""Peaks of the node in the trace, and how far from them a cell is."""

import h5py
import numpy as np
import pytest

import cells
import kit
import traces
from synthetic import Run, write


@pytest.mark.parametrize("layout,words,how", [
    ("serial", ("dot", "--size", "1e4"), {}),
    ("openmp", ("matmul", "--method", "library", "--size", "64"), {"threads": 2}),
    ("hybrid", ("dot", "--size", "1e4"), {"ranks": 2, "threads": 2}),
], ids=str)  # fmt: skip
def test_each_node_has_its_peaks(tmp_path, layout, words, how):
    """One number a node, whatever processes, threads and library threads it runs."""
    path = tmp_path / "run.h5"
    done = kit.run(layout, *words, "--repeats", 2, "--warmup", "1ms", "--allow-invalid", "-o", path,
                   **how)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with h5py.File(path, "r") as trace:
        flops, read = trace["nodes/peak_flops"][:], trace["nodes/peak_read"][:]
        assert flops.shape == read.shape == trace["nodes/hostname"].shape
        assert np.all(flops > 1e7) and np.all(read > 1e7) and np.all(flops < 1e14)
        assert trace.attrs["peak_variant"]
        assert trace["nodes/peak_read"].attrs["units"] in (b"B s-1", "B s-1")
    assert 0 < cells.roofline(one_cell(path))["fraction"]


def test_a_clock_has_no_roof(tmp_path):
    """binning does no multiply-adds; it takes no time for peaks."""
    path = tmp_path / "run.h5"
    done = kit.run("serial", "binning", "--repeats", 1, "--bins", 10, "--allow-invalid", "-o", path)
    assert done.returncode == 0, done.stderr
    with h5py.File(path, "r") as trace:
        assert "peak_flops" not in trace["nodes"]
    assert cells.roofline(one_cell(path)) == {}


def one_cell(*paths):
    [group] = cells.compare(map(traces.read, paths), cells.Rules(allow_invalid=True))
    [cell] = group.cells
    return cell


def with_peaks(path, run, flops, read):
    write(path, run)
    with h5py.File(path, "a") as file:
        file["nodes/peak_flops"], file["nodes/peak_read"] = np.array(flops), np.array(read)
    return path


@pytest.mark.parametrize("kernel,size,roof", [("dot", 10**6, 20e9 / 8), ("matmul", 12, 20e9),
                                              ("matmul", 1200, 80e9)])  # fmt: skip
def test_the_roof_is_the_lower_of_two(tmp_path, kernel, size, roof):
    """Two nodes of 40 GFLOP/s and 10 GB/s each; a multiply-add is two operations."""
    run = Run(kernel=kernel, hostnames=("a", "b"), rate=1e9, attrs={"size": size})
    found = cells.roofline(one_cell(with_peaks(tmp_path / "a.h5", run, [40e9] * 2, [10e9] * 2)))
    assert found["roof"] == pytest.approx(roof)
    assert found["attained"] == pytest.approx(2e9)
    assert found["fraction"] == pytest.approx(2e9 / roof)
