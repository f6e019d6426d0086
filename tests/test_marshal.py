"""Handing doubles over, really run: every way sums the same numbers, and no wrong sum ever passes."""

import subprocess

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


SENDS = ("send-contiguous", "send-vector", "send-by-hand", "send-mpi-pack", "send-blocks")
SHORT_SEND = ("--repeats", "2", "--iterations", "1")


@pytest.mark.parametrize("method", SENDS)
def test_sends(tmp_path, method):
    """Both ranks of a pair send the column as often; what it is made of stands in the trace."""
    words = ("--method", method, "--size", "1200", "--block", "3", "--row", "10", *SHORT_SEND)
    with measure(tmp_path, "mpi", "marshal", *words, how={"ranks": 2}) as trace:
        rounds = 2**18 // 1200
        assert trace["units"][:].tolist() == [[1200 * rounds] * 2] * 2
        assert (trace.attrs["block"], trace.attrs["row"]) == (3, 10)
        assert trace.attrs["message_bytes"] == 1200 * 8
        gaps = 1 if method == "send-contiguous" else 10 / 3
        assert trace.attrs["footprint_bytes"] == 1200 * 8 * gaps
        assert text(trace.attrs["unit"]) == "sent element"


@pytest.mark.parametrize("layout,how", [("mpi", {"ranks": 4}), ("hybrid", {"ranks": 2, "threads": 1})])
def test_sends_in_pairs(tmp_path, layout, how):
    """Strong: the pairs share the column; weak: each sends one as long."""
    pairs = how["ranks"] // 2
    for scaling, each in (("strong", 30 // pairs), ("weak", 30)):
        words = ("--method", "send-vector", "--size", "30", "--scaling", scaling, *SHORT_SEND)
        with measure(tmp_path, layout, "marshal", *words, how=how, name=scaling) as trace:
            assert trace["units"][:].tolist() == [[each * 1024] * 2 * pairs] * 2


@pytest.mark.parametrize("method,victim", zip(SENDS, (0, 1, 0, 1, 0)))
def test_no_wrong_byte_passes(tmp_path, method, victim):
    """One bit of what a rank got is wrong: the run fails, and says who and how."""
    words = ("--method", method, "--size", "1000", "--inject", f"wrong=element@worker{victim}", *SHORT)
    done = kit.run("mpi", "marshal", *words, "-o", tmp_path / "w.h5", ranks=2)
    assert done.returncode == 1
    assert f"worker {victim} got 1 wrong elements by {method}" in kit.own_lines(done)[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout,how,word", [
    ("serial", {}, "nobody to send to"), ("openmp", {"threads": 2}, "nobody to send to"),
    ("mpi", {"ranks": 3}, "an even number of them, not 3"),
    ("hybrid", {"ranks": 2, "threads": 2}, "use --threads 1")])  # fmt: skip
def test_sends_need_a_pair(tmp_path, layout, how, word):
    """Where there is nobody to send to, it is bad usage and said in a sentence."""
    done = kit.run(layout, "marshal", "--method", "send-vector", cwd=tmp_path, **how)
    assert done.returncode == 2
    [line] = kit.own_lines(done)
    assert word in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [
    ("--method", "send-vector", "--block", "9"), ("--method", "send-vector", "--block", "3"),
    ("--method", "send-vector", "--size", "1e9"), ("--method", "list-sum", "--block", "1"),
    ("--method", "list-sum", "--row", "8")], ids=" ".join)  # fmt: skip
def test_bad_columns(tmp_path, words):
    """A column that cannot be cut so is refused, whatever the driver."""
    done = kit.run("serial", "marshal", *words, cwd=tmp_path)
    assert done.returncode == 2 and len(kit.own_lines(done)) == 1
    assert "nobody" not in done.stderr


def test_rows_and_columns_are_told_in_help():
    """The options of the column are on the page."""
    page = subprocess.run([kit.program("serial"), "--help"], capture_output=True, text=True, check=True)
    assert "--block=N" in page.stdout and "--row=N" in page.stdout and "send-vector" in page.stdout
