"""What a map of work over time keeps when it is pooled: the one bad worker, and the one bad moment."""

import numpy as np
import pytest

import fleets
import heat
import maps
import report_maps
import traces
from cells import Rules
from material import Material
from synthetic import Run, write

STILL = np.array([[0.0], [1.0]])  # where: bins as they are


def blocks(counts, where=STILL, size=64):
    where = np.broadcast_to(where, (2, len(counts)))
    for first in range(0, len(counts), size):
        part = slice(first, first + size)
        yield counts[part], where[:, part]


def of(counts, nodes=None, where=STILL, span=None, **how):
    nodes = np.zeros(len(counts), int) if nodes is None else np.asarray(nodes)
    return heat.heat(blocks(np.asarray(counts), where), nodes, span or counts.shape[1], **how)


def test_few_workers_are_shown_as_they_are():
    counts = np.array([[10, 10, 5, 0], [8, 8, 8, 8], [10, 10, 10, 10]])
    found = of(counts)
    assert not found.pooled
    assert np.allclose(found.cells, counts / 10)  # 10: the middle worker's best
    assert np.allclose(found.whole, [0.625, 0.8, 1.0])
    assert np.allclose(found.moments[:, 3], [0.0, 0.6, 1.0])


def test_one_of_a_thousand_is_not_lost_in_the_mean():
    counts = np.full((1000, 50), 100)
    counts[617] = 40  # one worker, always
    counts[:, 20] = 0  # all, at one moment
    found = of(counts, rows=10, columns=25)
    assert found.pooled and found.cells.shape == (3, 10, 25)
    low, mean, high = found.cells
    assert low[6, 3] == pytest.approx(0.4) and mean[6, 3] == pytest.approx(0.994)
    assert high[6, 3] == pytest.approx(1.0) and low[5, 3] == pytest.approx(1.0)
    assert mean[:, 10] == pytest.approx(0.5, abs=0.01)  # half of its two bins
    assert found.each[0, 6] == pytest.approx(0.4 * 49 / 50) and found.whole.argmin() == 617


def test_bins_of_each_node_lie_where_its_clock_says():
    """Node 1 begins 2.5 bins later on the common axis, and its bins are twice as long."""
    counts = np.array([[4, 4, 4, 4], [4, 8, 8, 4]])
    where = np.array([[0, 2.5], [1, 2]])
    rates = heat.on_axis(counts, where, np.arange(12.0))
    assert np.allclose(rates[0, :4], 4) and np.isnan(rates[0, 4:]).all()
    assert np.isnan(rates[1, :2]).all()
    assert np.allclose(rates[1, 2:10], [2, 2, 3, 4, 4, 4, 3, 2])  # halves where an edge is inside
    assert rates[1, 10] == pytest.approx(2)


def test_a_drifting_step_keeps_the_rate():
    counts = np.random.default_rng(1).integers(0, 100, (3, 1000))
    rates = heat.on_axis(counts, np.array([[0.3] * 3, [1.01] * 3]), np.linspace(0, 1011, 78))
    assert np.nanmean(rates, axis=1) == pytest.approx(counts.mean(axis=1) / 1.01, rel=0.005)


@pytest.mark.parametrize("nodes, each, rows", [(4, 8, 96), (4, 64, 96), (1000, 3, 96), (7, 100, 20)])
def test_no_row_holds_parts_of_two_nodes(nodes, each, rows):
    """Unless it holds whole ones; whatever the order of the ranks."""
    node = np.arange(nodes * each) % nodes  # round robin
    row = heat.row_of(node, rows)
    assert set(row) == set(range(row.max() + 1)) and row.max() < rows
    for one in range(row.max() + 1):
        there = set(node[row == one])
        assert len(there) == 1 or all(set(row[node == n]) == {one} for n in there)


def test_rows_are_called_by_what_is_in_them():
    found = of(np.ones((6, 4)), nodes=[0, 0, 0, 1, 1, 1], rows=2)
    assert heat.names(found, ["a"] * 3 + ["b"] * 3, np.arange(6)) == [
        "3 workers, 0 … 2, on a", "3 workers, 3 … 5, on b"]
    assert heat.told(found, ["x", "y"], 5, "ms")["low"] == [[1000] * 4] * 2
    alone = of(np.ones((2, 4)))
    assert heat.names(alone, ["a", "b"], np.array([0, 1])) == ["worker 0 on a", "worker 1 on b"]
    runs = of(np.ones((6, 4)), nodes=[0, 0, 1, 1, 2, 2], rows=1)
    assert heat.names(runs, list("aabbcc"), np.arange(6) % 2) == ["6 workers on a … c (3 nodes)"]
    assert "low" not in heat.told(alone, ["x", "y"], 5, "ms")


def test_traces_become_maps(tmp_path):
    """One run of four nodes on one axis; four nodes that ran alone, below each other."""
    found, bad = traces.read_all([str(fleets.together(tmp_path / "together"))])
    [one] = maps.maps(Material(found, bad, Rules()).groups)
    assert one.millis == pytest.approx(20) and not one.alone and one.known == 2000
    assert int(one.heat.whole.argmin()) == 2 and one.hosts[2] == "node2"
    middle = one.heat.cells[1].shape[1] // 2
    assert np.all(one.heat.cells[1][:, middle] == 0)
    assert one.row_hosts == [f"node{i}" for i in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert one.rows[5] == "worker 5 on node3"


def test_workers_of_nodes_that_ran_alone_have_the_numbers_of_their_runs(tmp_path):
    """Four runs of two workers, the second one on node3 slower: there is no worker 5."""
    for node in range(4):
        counts = np.full((2, 2, 200), 5000)
        counts[:, 1] -= 1000 * (node == 2)
        write(tmp_path / f"{node}.h5", Run(kernel="binning", layout="openmp", threads=2, bins=200,
                                           repetitions=2, counts=counts, begin=node,
                                           hostnames=(f"node{node + 1}",)))
    found, bad = traces.read_all([str(tmp_path)])
    [one] = maps.maps(Material(found, bad, Rules()).groups)
    assert one.alone and one.rows[5] == "worker 1 on node3"
    assert "Look at worker 1 on node3" in report_maps.worst(one)
