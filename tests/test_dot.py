"""The dot product: one value by definition, under every layout, and what the library makes of it."""

import math
from fractions import Fraction

import h5py
import numpy as np
import pytest

import kit

LEAF, LANES = 1024, 32  # kernels/dot.h
MASK = (1 << 64) - 1
WORKLESS = 1 << 14  # of /workers/findings, drivers/gate.h


def launch(folder, layout, *words, **how):
    """(value as hex, attributes, tables of one worker's time) of a short run."""
    path = folder / "run.h5"
    done = kit.run(layout, "dot", *words, "--warmup", "1ms", "--allow-invalid", "--quiet", "--force",
                   "-o", path, **how)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with h5py.File(path, "r") as trace:
        values = {float(value).hex() for value in trace["results/value"][:]}
        parts = sum(trace[f"{name}_ns"][:] for name in ("compute", "wait", "combine"))
        return values, dict(trace.attrs), parts / (trace["end_ns"][:] - trace["start_ns"][:])


def uniform(stream, n):
    """kernels/fill.h, in Python's integers."""
    def bits(i):
        z = ((i + 1) * 0x9E3779B97F4A7C15 + stream * 0xD1342543DE82EF95) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    return [(bits(i) >> 11) * 2.0**-53 for i in range(n)]


def by_definition(x, y):
    """dot.h in exact rationals, each rounded once where it says so."""
    def leaf(first):
        lanes = [0.0] * LANES
        for i, (a, b) in enumerate(zip(x[first:first + LEAF], y[first:first + LEAF])):
            lanes[i % LANES] = float(Fraction(a) * Fraction(b) + Fraction(lanes[i % LANES]))
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = [lanes[i] + lanes[i + half] for i in range(half)]
        return lanes[0]

    def tree(sums):
        if len(sums) == 1:
            return sums[0]
        half = 1 << (len(sums) - 1).bit_length() - 1
        return tree(sums[:half]) + tree(sums[half:])

    return tree([leaf(first) for first in range(0, len(x), LEAF)])


N = 5 * LEAF + 77
X, Y = uniform(10, N), uniform(11, N)
SHAPES = [("serial", {}), *(("openmp", {"threads": n}) for n in (3, 7, 64)),
          *(("mpi", {"ranks": n}) for n in (2, 5, 16)),
          *(("hybrid", {"ranks": r, "threads": t}) for r, t in ((2, 3), (3, 2), (2, 8)))]  # fmt: skip


@pytest.mark.parametrize("layout,how", SHAPES, ids=str)
def test_the_value_is_that_of_the_definition(tmp_path, layout, how):
    """Bit for bit, by whomever: workers without a leaf, ranges that end inside a tree."""
    values, attributes, _ = launch(tmp_path, layout, "--size", N, "--iterations", 3, "--repeats", 2,
                                   env={"OMP_WAIT_POLICY": "passive"}, **how)  # fmt: skip
    assert values == {by_definition(X, Y).hex()}
    assert attributes["dot_bits"] in (b"kept", "kept")


def test_the_definition_is_near_the_exact_sum():
    """math.fsum over products split without error (Dekker): the bound that dot.h states."""
    def split(a):
        high = a * 134217729.0
        high -= high - a
        return high, a - high

    terms = []
    for a, b in zip(X, Y):
        (a1, a2), (b1, b2) = split(a), split(b)
        terms += [a1 * b1, a1 * b2, a2 * b1, a2 * b2]
    exact = math.fsum(terms)
    k = (LEAF / LANES + 5 + math.ceil(math.log2(math.ceil(N / LEAF))) + 1) * 2.0**-53
    assert abs(by_definition(X, Y) - exact) <= k / (1 - k) * exact  # no term is negative


def test_the_library_s_bits_depend_on_the_layout(tmp_path):
    """That is why there is a blocked method: cblas_ddot over other shares rounds otherwise."""
    shapes = [("mpi", {"ranks": n}) for n in (1, 2, 3, 5)]
    values = [launch(tmp_path, layout, "--method", "library", "--size", 100_003, "--iterations", 1,
                     "--repeats", 1, **how)[0] for layout, how in shapes]  # fmt: skip
    assert len(set.union(*values)) > 1
    numbers = [float.fromhex(value) for value in set.union(*values)]
    assert np.ptp(numbers) < 1e-9 * max(numbers)


@pytest.mark.parametrize("layout,how", SHAPES, ids=str)
@pytest.mark.parametrize("grain,most", [(1, 6), (LEAF + 1, 3), (3 * LEAF, 2), (4 * LEAF, 1), (1e6, 1)])
def test_a_grain_leaves_short_vectors_to_few(tmp_path, layout, how, grain, most):
    """The first of the workers share the six leaves, a grain for each at least; the rest is told
    to have no work, the run is no less valid for that, and the value is the same."""
    values, attributes, _ = launch(
        tmp_path, layout, "--size", N, "--grainsize", grain, "--iterations", 3, "--repeats", 2,
        "--bind", "none", env={"OMP_WAIT_POLICY": "passive"}, **how)
    assert values == {by_definition(X, Y).hex()}
    workers = how.get("ranks", 1) * how.get("threads", 1)
    sharing = min(most, workers)
    assert (attributes["grainsize"], attributes["workers_sharing"]) == (grain, sharing)
    with h5py.File(tmp_path / "run.h5", "r") as trace:
        units = trace["units"][:] / 3
        findings = trace["workers/findings"][:]
    assert np.all(units.sum(axis=1) == N) and np.all((units > 0) == (np.arange(workers) < sharing))
    assert np.all(units[:, : sharing - 1] >= grain)
    assert np.all((findings & WORKLESS > 0) == (units == 0))
    assert "no work" not in str(attributes["invalid_reasons"])
    assert ("had no work" in str(attributes["warnings"])) == (sharing < workers)


def test_a_grain_goes_with_a_method_that_shares():
    for words, answer in ((("dot", "--method", "library"), "goes with method blocked"),
                          (("binning",), "goes with dot"), (("dot", "--size", "0"), "--size takes")):
        done = kit.run("serial", *words, "--grainsize", 5)
        assert done.returncode == 2 and answer in done.stderr


def test_short_products_are_not_charged_for_looks(tmp_path):
    """The clock is looked at in a few of many short products; its parts still make the whole."""
    _, attributes, share = launch(tmp_path, "openmp", "--size", 1000, "--repeats", 2, threads=1)
    assert attributes["looked_at_every"] > 1
    assert np.all(np.abs(share - 1) < 0.01)
    _, attributes, _ = launch(tmp_path, "openmp", "--size", 1000, "--repeats", 2, "--iterations", 9)
    assert attributes["looked_at_every"] == 1


def test_each_product_of_a_slow_node_is_slow(tmp_path):
    """The looks make them so: at every product, though it is not the lead's node that is slow."""
    _, attributes, _ = launch(tmp_path, "mpi", "--size", 1000, "--repeats", 2, "--inject",
                              "nodes=2,slow=50%@node1", ranks=2,
                              env={"OMPI_MCA_mpi_yield_when_idle": "0"})  # fmt: skip
    assert attributes["looked_at_every"] == 1
