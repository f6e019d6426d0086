"""A trace means the same to h5py, xarray, ncdump and h5dump, whole or recovered."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
h5py = pytest.importorskip("h5py")

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("BINDOT_BUILD", ROOT / "build"))
WRITER = BUILD / "tests" / "write_trace"

pytestmark = pytest.mark.skipif(not WRITER.exists(), reason=f"no {WRITER}: build with tests")


def write(*words):
    return subprocess.run([WRITER, *map(str, words)], capture_output=True, text=True, timeout=60)


def counts(nreps, nworkers, nbins):
    r, w, b = np.ogrid[:nreps, :nworkers, :nbins]
    return 1000000 * r + 1000 * w + b


@pytest.fixture(params=["whole", "recovered", "calm", "empty", "large"])
def trace(request, tmp_path):
    """Path, repetitions, workers, bins, detours."""
    path = tmp_path / "x.h5"
    words, expected = {
        "whole": ([], (3, 4, 1000, 6)),
        "recovered": (["--kill", 2], (2, 4, 1000, 3)),
        "calm": (["--calm"], (3, 4, 1000, 0)),
        "empty": (["--reps", 0], (0, 4, 1000, 0)),
        "large": (["--workers", 70, "--bins", 2500], (3, 70, 2500, 6)),
    }[request.param]
    done = write(path, "--wide", *words)
    if request.param == "recovered":
        assert done.returncode == -signal.SIGKILL
        assert os.listdir(tmp_path) == ["x.h5.part"]
        done = write("--recover", f"{path}.part")
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == ["x.h5"]
    return path, *expected


def datasets(file):
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(keep)
    return found


def test_h5py_reads_numbers_text_and_attributes(trace):
    path, nreps, nworkers, nbins, ndetours = trace
    with h5py.File(path, "r") as file:
        assert (file["counts"][()] == counts(nreps, nworkers, nbins)).all()
        assert file["counts"].dtype == "<u4"
        assert (file["results/rate"][()] == np.arange(nreps) + 0.5).all()
        starts = np.add.outer(1000 * np.arange(nreps), np.arange(nworkers)) - 1
        assert (file["start_ns"][()] == starts).all()
        assert file["detours/length_ns"].shape == (ndetours,)
        assert file["workers/work"][0] == 2**64 - 2
        assert [text.decode() for text in file["nodes/hostname"][()]] == ["nö", "n\ufffd"]
        root = file.attrs
        assert root["repetitions"] == nreps and root["repetitions"].dtype == "i8"
        assert root["bin_width_ns"] == -(2**63)
        assert root["kernel"] == b"binning" and root["title"] == b""
        assert root["format"] == b"bindot-trace" and root["format_version"] == b"1.0"
        assert file["provenance/environment"].attrs["WIDE"] == b"x" * 100000
        assert file["provenance"].attrs["compiler"].decode() == "gcc \ufffdé"
        assert file["workers/bound"].attrs["flag_meanings"] == b"no yes"


def test_every_axis_has_a_name(trace):
    path, *_ = trace
    with h5py.File(path, "r") as file:
        for name, data in datasets(file).items():
            assert "long_name" in data.attrs, name
            if not h5py.h5ds.is_scale(data.id):
                for k, axis in enumerate(data.dims):
                    (scale,) = axis.values()
                    assert scale.shape[0] == data.shape[k], name
                    assert (scale[()] == np.arange(data.shape[k])).all()


def test_storage_is_checked_and_bounded(trace):
    path, nreps, nworkers, nbins, _ = trace
    with h5py.File(path, "r") as file:
        for name, data in datasets(file).items():
            if data.size and data.dtype != object:
                assert data.fletcher32 and data.shuffle, name
                assert data.compression == "gzip" and data.compression_opts == 1, name
        table = file["counts"]
        assert "_FillValue" not in table.attrs
        assert table.attrs["missing_marker"] == 2**32 - 1
        if nreps:
            assert table.fillvalue == 2**32 - 1
            assert table.chunks == (1, min(nworkers, 64), min(nbins, 1024))
            assert file["workers/cpu"].fillvalue == -1
            assert np.isnan(file["results/rate"].fillvalue)


def test_format_with_a_checked_chunk_index(trace):
    """HDF5 1.10: a bit flipped in the older index of chunks gives wrong numbers in silence."""
    assert trace[0].read_bytes()[:9] == b"\x89HDF\r\n\x1a\n\3"


def test_names_keep_the_order_they_were_given_in(trace):
    path, *_ = trace
    names = []
    with h5py.File(path, "r") as file:
        file.id.links.visit(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
    axes = [b"repetition", b"worker", b"bin", b"node", b"detour"]
    assert names[:7] == axes + [b"counts", b"start_ns"]
    assert [name for name in names if name.startswith(b"workers/")] == [
        b"workers/cpu",
        b"workers/bound",
        b"workers/work",
    ]


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray(trace, engine):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    path, nreps, nworkers, nbins, ndetours = trace
    with xarray.open_dataset(path, engine=engine) as root:
        assert root["counts"].dims == ("repetition", "worker", "bin")
        assert root["counts"].dtype == "u4"
        assert (root["counts"].values == counts(nreps, nworkers, nbins)).all()
        assert root.attrs["kernel"] == "binning"
        assert root["start_ns"].attrs["units"] == "ns"
    for group in ("workers", "nodes", "detours", "results", "provenance"):
        with xarray.open_dataset(path, engine=engine, group=group) as part:
            part.load()
            if group == "workers":
                assert len(part.to_dataframe()) == nworkers
            if group == "detours":
                assert part.sizes["detour"] == ndetours
            if group == "nodes":
                assert list(part["hostname"].values) == ["nö", "n\ufffd"]


@pytest.mark.parametrize("command", ["ncdump -h", "ncdump", "h5dump -H", "h5dump"])
def test_dumpers(trace, command):
    program, *options = command.split()
    if not shutil.which(program):
        pytest.skip(f"no {program}")
    done = subprocess.run([program, *options, trace[0]], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"counts" in done.stdout and b"hostname" in done.stdout


def test_status(tmp_path):
    path = tmp_path / "x.h5"
    assert write(path).returncode == 0
    with h5py.File(path, "r") as file:
        assert file.attrs["status"] == b"complete"
    write(path, "--force", "--kill", 1)
    with h5py.File(path, "r") as file:
        assert file.attrs["repetitions"] == 3  # the old one, until the new one is whole
    assert write("--recover", f"{path}.part").returncode == 1
    assert write("--recover", f"{path}.part", "--force").returncode == 0
    with h5py.File(path, "r") as file:
        assert file.attrs["status"] == b"recovered" and file.attrs["repetitions"] == 1


def test_refusals_are_one_line(tmp_path):
    path = tmp_path / "x.h5"
    assert write(path).returncode == 0
    for words in ([path], [tmp_path / "none" / "x.h5"], ["--recover", path],
                  ["--recover", tmp_path / "y.h5.part"], [tmp_path, "--force"]):
        done = write(*words)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("trace: ")
    assert os.listdir(tmp_path) == ["x.h5"]
