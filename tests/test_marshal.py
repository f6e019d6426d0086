"""Handing doubles over, really run: every way sums the same numbers, and no wrong sum ever passes."""

import pytest

import kit
from test_drivers import KERNELS, SHORT, measure, text

SUMS = ("array-npsum array-sum array-loop list-npsum list-sum list-loop array-naive memoryview-loop "
        "shuffled-list-npsum shuffled-list-sum shuffled-list-loop convert-once-loop soa-npsum "
        "aos-npsum").split()  # fmt: skip


def test_marshal_sums(tmp_path):
    """Each way from left to right has the same bits; the pairwise ones others, within rounding."""
    values = {}
    for method in SUMS:
        with measure(tmp_path, "serial", "marshal", "--method", method, name=method) as trace:
            [values[method]] = set(trace["results/value"][:].tolist())
            assert text(trace.attrs["method"]) == method and text(trace.attrs["unit"]) == "element"
    pairwise = {values[m] for m in SUMS if m.endswith("npsum")}
    [from_left] = {values[m] for m in SUMS if not m.endswith("npsum")}
    assert len(pairwise) == 1 and from_left not in pairwise
    assert from_left == pytest.approx(pairwise.pop(), rel=1e-12)
    assert from_left / 10000 == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", ("list-loop", "array-npsum"))
def test_marshal_is_shared_out(tmp_path, method):
    """Strong: each worker sums its part; weak: as much as one worker alone, of its own."""
    for scaling, each in (("strong", [3333, 3333, 3334]), ("weak", [10000] * 3)):
        words = ("--method", method, "--scaling", scaling, "--iterations", "2")
        with measure(tmp_path, "openmp", "marshal", *words, how={"threads": 3},
                     name=f"{scaling}.h5") as trace:  # fmt: skip
            assert trace["units"][:].tolist() == [[2 * n for n in each]] * 3
            assert trace["results/value"][0] / sum(each) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("method", ("list-loop", "array-npsum"))
@pytest.mark.parametrize("layout,how", [("serial", {}), ("openmp", {"threads": 2}), ("mpi", {"ranks": 2})])
def test_no_wrong_sum_passes(tmp_path, layout, how, method):
    """One element left out by one worker: the run fails, and no trace is left."""
    victim = 0 if layout == "serial" else 1
    words = ("--method", method, "--inject", f"wrong=element@worker{victim}", "-o", tmp_path / "w.h5")
    done = kit.run(layout, "marshal", *KERNELS["marshal"], *SHORT, *words, **how)
    assert done.returncode == 1
    assert f"worker {victim} got" in kit.own_lines(done)[0]
    assert not (tmp_path / "w.h5").exists()
