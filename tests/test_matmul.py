"""The matrix product, really run: the same bits on every grid, and no wrong product ever passes."""

import glob
import pathlib

import h5py
import numpy as np
import pytest

import kit
from test_drivers import KERNELS, SHAPES, SHORT, WORKERS, measure, text

CROWDED, ANOTHER_NUMBER = 1 << 2, 1 << 3  # bits of /workers/findings
METHODS = ("library", "partition", "summa")
GRIDS = {  # (rows, columns) of the grid: each layout and split that gives it
    (1, 1): [("serial", {}), ("openmp", {"threads": 3})],
    (1, 2): [("mpi", {"ranks": 2}), ("hybrid", {"ranks": 2, "threads": 2})],
    (1, 3): [("mpi", {"ranks": 3})],
    (2, 2): [("mpi", {"ranks": 4})],
    (2, 3): [("mpi", {"ranks": 6}), ("hybrid", {"ranks": 6, "threads": 2})],
}


def fma():
    with open("/proc/cpuinfo") as file:
        return " fma " in file.read()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_matmul_is_verified(tmp_path, layout, method):
    """The residual of every repetition is in the trace, inside its bound, never exactly nothing."""
    with measure(tmp_path, layout, "matmul", "--method", method, "--iterations", "1") as trace:
        residual = trace["results/residual"][:]
        assert residual.shape[0] == 3
        assert np.all(residual < 0.1)
        assert residual.max() > 0
        assert len(set(trace["results/checksum"][:].tolist())) == 1
        assert trace["units"][:].sum(axis=1).tolist() == [200**3] * 3
        if method == "library" and layout == "openmp":
            assert trace.attrs["workers"] == 1
            assert trace.attrs["blas_threads"] == 2


@pytest.mark.parametrize("size,panel", [(10, 3), (203, 256), (264, 80)])
def test_summa_has_the_same_bits(tmp_path, size, panel):
    """One checksum on every grid and under every split of workers, at one panel width.

    Of 10 rows some of six processes have none; 203 is no multiple of a register tile."""
    words = ("--method", "summa", "--size", size, "--panel", panel, "--repeats", "1",
             "--iterations", "1", "--force")  # fmt: skip
    sums = set()
    for grid, shapes in GRIDS.items():
        for layout, how in shapes:
            with measure(tmp_path, layout, "matmul", *words, how=how) as trace:
                assert (trace.attrs["grid_rows"], trace.attrs["grid_columns"]) == grid
                assert trace.attrs["panel"] == panel
                assert trace["units"][:].sum() == size**3
                assert not fma() or np.all(trace["results/defined"][:] == 1)
                sums |= set(trace["results/checksum"][:].tolist())
    assert len(sums) == 1


def test_summa_has_the_same_bits_in_other_code(tmp_path, monkeypatch):
    """The library's code for AVX2 and the code that it picks here give one checksum."""
    if not fma() or " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        pytest.skip("this CPU does not run the code for AVX2")
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    sums = set()
    for core in (None, "Haswell"):
        if core:
            monkeypatch.setenv("OPENBLAS_CORETYPE", core)
        with measure(tmp_path, "serial", "matmul", "--method", "summa", "--size", "523", "--force",
                     "--repeats", "1") as trace:  # fmt: skip
            assert not core or text(trace.attrs["blas_core"]) == core
            sums |= set(trace["results/checksum"][:].tolist())
    assert len(sums) == 1


def test_panels_are_seen_in_the_bits(tmp_path):
    """Another panel width is another product: checksums do tell bits apart."""
    sums = set()
    for panel in (50, 100, 200):
        with measure(tmp_path, "serial", "matmul", "--method", "summa", "--panel", panel, "--force",
                     "--repeats", "1") as trace:  # fmt: skip
            sums |= set(trace["results/checksum"][:].tolist())
    assert len(sums) == 3


def test_summa_keeps_times_apart(tmp_path):
    """Handing on panels and waiting for them are no computing; together they are all the time."""
    with measure(tmp_path, "mpi", "matmul", "--method", "summa", how={"ranks": 4}) as trace:
        compute, wait, combine = (trace[name + "_ns"][:] for name in ("compute", "wait", "combine"))
        whole = trace["end_ns"][:] - trace["start_ns"][:]
        assert np.all(np.abs(compute + wait + combine - whole) <= 5)
        assert np.all(compute > 0) and np.all(wait > 0) and np.all(combine > 0)


@pytest.mark.parametrize("layout,how", [("serial", {}), ("openmp", {"threads": 3}),
                                        ("mpi", {"ranks": 2})])  # fmt: skip
def test_summa_weak(tmp_path, layout, how):
    """Weak: the work is that of one product of --size for each worker, to the rounding of n."""
    words = ("--method", "summa", "--scaling", "weak", "--iterations", "1")
    with measure(tmp_path, layout, "matmul", *words, how=how) as trace:
        workers = int(trace.attrs["workers"])
        n = round(200 * workers ** (1 / 3))
        assert trace["units"][:].sum(axis=1).tolist() == [n**3] * 3
        assert abs(n**3 / (workers * 200**3) - 1) < 0.02


@pytest.mark.parametrize("layout,method", [
    *((layout, method) for layout in ("serial", "openmp", "mpi") for method in METHODS),
    ("hybrid", "summa"),
])  # fmt: skip
def test_a_wrong_element_is_caught(tmp_path, layout, method):
    """One element of any worker's part, a thousandth off: exit 1, no trace, nobody waits."""
    workers = WORKERS[layout]
    if method == "library":  # one worker in each process
        workers = SHAPES[layout].get("ranks", 1)
    for worker in range(workers):
        done = kit.run(layout, "matmul", *KERNELS["matmul"], *SHORT, "--method", method, "--inject",
                       f"wrong=element@worker{worker}", "-o", tmp_path / "x.h5", timeout=300,
                       **SHAPES[layout])  # fmt: skip
        assert done.returncode == 1
        assert "the product is wrong" in kit.own_lines(done)[0]
        assert list(tmp_path.iterdir()) == []


def test_a_wrong_element_needs_a_check(tmp_path):
    """Where nobody would notice, the fault is refused."""
    done = kit.run("serial", "binning", "--inject", "wrong=element@worker0", cwd=tmp_path)
    assert done.returncode == 2
    assert "nothing checks" in kit.own_lines(done)[0]


@pytest.mark.parametrize("words,why", [
    (("dot", "--panel", "8"), "--panel goes with matmul, not with dot"),
    (("matmul", "--panel", "8"), "--panel: matmul takes none with method library"),
    (("matmul", "--method", "summa", "--panel", "0"), "--panel takes a number from 1"),
    (("matmul", "--method", "summa", "--size", "1e6"), "are available"),
    (("matmul", "--method", "canon"), "matmul takes one of: library partition summa"),
])  # fmt: skip
def test_refusals(tmp_path, words, why):
    """Exit 2 and one line that says what is possible."""
    done = kit.run("mpi", *words, cwd=tmp_path, ranks=2)
    assert done.returncode == 2
    assert why in kit.own_lines(done)[0]
    assert len(kit.own_lines(done)) == 1


@pytest.mark.parametrize("layout,how,method,threads", [
    ("serial", {}, "summa", 1),
    ("openmp", {"threads": 2}, "library", 2),
    ("openmp", {"threads": 2}, "partition", 1),
    ("hybrid", {"ranks": 2, "threads": 2}, "library", 2),
])  # fmt: skip
def test_library_threads_are_counted(tmp_path, layout, how, method, threads):
    """The threads that really work in a library call are those that were set."""
    with measure(tmp_path, layout, "matmul", "--method", method, how=how) as trace:
        assert trace.attrs["blas_threads"] == threads
        assert set(trace["workers/blas_threads"][:].tolist()) == {threads}
        assert not np.any(trace["workers/findings"][:] & ANOTHER_NUMBER)


def test_a_pool_that_does_not_come(tmp_path):
    """Inside a parallel region OpenMP's flavour stays alone, whatever was set: found."""
    words = ("--method", "partition", "--blas-threads", "2")
    with measure(tmp_path, "openmp", "matmul", *words, how={"threads": 2}) as trace:
        assert trace["workers/blas_threads"][:].tolist() == [1, 1]
        assert np.all(trace["workers/findings"][:] & ANOTHER_NUMBER)
        assert "another number of threads" in text(trace.attrs["invalid_reasons"])


@pytest.mark.parametrize("layout,method", [
    *((layout, method) for layout in ("serial", "openmp") for method in METHODS),
    ("mpi", "summa"), ("hybrid", "library"),
])  # fmt: skip
def test_oversubscription_is_found(tmp_path, layout, method):
    """More library threads than cores: every worker is told, whatever the method, on every rank."""
    words = ("--method", method, "--blas-threads", kit.CORES + 1)
    with measure(tmp_path, layout, "matmul", *words) as trace:
        assert trace.attrs["valid"] == 0
        assert "more workers and library threads than CPUs" in text(trace.attrs["invalid_reasons"])
        assert np.all(trace["workers/findings"][:] & CROWDED)


def test_code_for_another_cpu_is_found(tmp_path, monkeypatch):
    """Old code on a new CPU: what it costs is measured and told; the library's own pick is not."""
    if " avx2 " not in pathlib.Path("/proc/cpuinfo").read_text():
        pytest.skip("this CPU runs nothing newer than the oldest code")
    def loss():
        with measure(tmp_path, "mpi", "matmul", "--method", "summa", "--force") as trace:
            [share], told = trace["nodes/blas_loss"][:], text(trace.attrs["warnings"])
            assert ("code costs" in told) == (share >= 0.05)  # LIBRARY_LOSS
            return text(trace.attrs["blas_core"]), share

    def first(is_right):  # other programs slow the one code or the other, now and then
        found = [loss()]
        while not is_right(found[-1][1]) and len(found) < 5:
            found.append(loss())
        assert is_right(found[-1][1]), found
        return found[-1][0]

    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert first(lambda share: 0.2 < share < 0.95) == "Prescott"
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    assert first(lambda share: share < 0.2) != "Prescott"


@pytest.mark.parametrize("layout,beside", [("serial", False), ("openmp", True)])
def test_pthread_pool_beside_openmp(tmp_path, layout, beside):
    """The library's pthread flavour is found beside OpenMP's pool, and may be elsewhere."""
    folders = glob.glob("/usr/lib/*/openblas-pthread/")
    if not folders:
        pytest.skip("no pthread flavour of OpenBLAS here (Debian: libopenblas0-pthread)")
    path = tmp_path / "x.h5"
    done = kit.run(layout, "matmul", *KERNELS["matmul"], *SHORT, "-o", path,
                   env={"LD_LIBRARY_PATH": folders[0]}, **SHAPES[layout])  # fmt: skip
    assert done.returncode == 0, done.stderr
    with h5py.File(path, "r") as trace:
        assert text(trace["provenance"].attrs["openblas_pool"]) == "pthread"
        assert ("beside OpenMP" in text(trace.attrs["warnings"])) == beside
