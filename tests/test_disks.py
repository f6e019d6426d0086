"""Full and broken disks: one sentence, exit 1, nobody waits, what was there before stays."""

import errno
import os
import shutil
import signal
import subprocess

import h5py
import pytest

import kit
import victims

SHIM = kit.BUILD / "tests" / "libfailing_writes.so"
DOT = ("dot", "--size", "1000", "--iterations", "1", "--warmup", "1ms", "--repeats", "3",
       "--allow-invalid", "--quiet")  # fmt: skip
SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 2},
          "hybrid": {"ranks": 2, "threads": 1}}  # fmt: skip

pytestmark = pytest.mark.skipif(not SHIM.exists(), reason=f"no {SHIM}: build with tests")


def run(layout, path, *words, fault=(), timeout=60):
    """The driver, with a fault of the shim in each of its processes."""
    line = kit.command(layout, *DOT, *words, "-o", path, **SHAPES[layout])
    at = line.index(kit.program(layout))
    faults = [f"{key}={value}" for key, value in fault]
    line[at:at] = ["env", f"LD_PRELOAD={SHIM}", f"FAILING_UNDER={path.parent}/", *faults]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)


def failed_well(done, word):
    lines = kit.own_lines(done)
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1 and word in lines[0], done.stderr
    return lines[0]


def check_rest(path, line):
    """Nothing under the real name that is not whole; a journal that was named is good."""
    part = path.with_name(path.name + ".part")
    left = {found.name for found in path.parent.iterdir()}
    assert left <= {path.name, part.name}
    if path.exists():
        with h5py.File(path, "r") as trace:
            assert trace["results/value"].shape == (3,)
    if part.exists():
        done = kit.run("serial", "recover", "--force", part)
        assert done.returncode == 0 or "recover" not in line, (line, done.stderr)


FAULTS = [("serial", errno.ENOSPC), ("serial", errno.EDQUOT), ("serial", errno.EIO),
          ("openmp", errno.ENOSPC), ("mpi", errno.ENOSPC), ("hybrid", errno.EIO)]  # fmt: skip


@pytest.mark.parametrize("layout,number", FAULTS)
def test_disk_that_fails_at_some_write(tmp_path, layout, number):
    """From one write on nothing can be written: at the beginning, between repetitions, in the
    making of the trace."""
    (tmp_path / "count").mkdir()
    log = tmp_path / "calls"
    done = run("serial", tmp_path / "count" / "x.h5", fault=[("FAILING_LOG", log)])
    assert done.returncode == 0, done.stderr
    calls = len(log.read_text())
    places = range(1, calls * 9 // 10, calls // 7) if layout == "serial" else (1, 7, calls // 2)
    for at in places:
        folder = tmp_path / f"at{at}"
        folder.mkdir()
        path = folder / "x.h5"
        fault = [("FAILING_AT", at), ("FAILING_EVER", 1), ("FAILING_ERRNO", number)]
        check_rest(path, failed_well(run(layout, path, fault=fault), os.strerror(number)))


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_finished_repetitions_survive_a_full_disk(tmp_path, layout):
    """The disk fills up when one repetition is on it: the journal stays and holds it."""
    path, at = tmp_path / "x.h5", 6
    fault = [("FAILING_AT", at), ("FAILING_EVER", 1)]
    line = failed_well(run(layout, path, fault=fault), os.strerror(errno.ENOSPC))
    assert "recover" in line
    assert kit.run("serial", "recover", f"{path}.part").returncode == 0
    with h5py.File(path, "r") as trace:
        assert 1 <= trace["results/value"].shape[0] <= 3


@pytest.mark.parametrize("number", (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS), ids=errno.errorcode.get)
def test_file_system_without_locks(tmp_path, number):
    """Where files cannot be locked the run does without."""
    done = run("serial", tmp_path / "x.h5", fault=[("FAILING_LOCK", number)])
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "x.h5", "r") as trace:
        assert trace["results/value"].shape == (3,)


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for a journal's beginning."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                          capture_output=True, check=False)  # fmt: skip
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_read_only_file_system(small_disk, layout):
    """Refused before anything is measured."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    failed_well(run(layout, small_disk / "x.h5"), os.strerror(errno.EROFS))
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_vanished_folder(tmp_path, layout):
    """The folder is removed while the run measures: one sentence, which promises nothing."""
    folder = tmp_path / "gone"
    folder.mkdir()
    words = ("binning", "--bins", "100", "--repeats", "1e6", "--warmup", "1ms")
    with victims.Run(layout, folder / "x.h5", *words, log=tmp_path / "log", **SHAPES[layout]) as run:
        run.wait_reported(2)
        shutil.rmtree(folder)
        victims.kill(run.ranks()[0], signal.SIGUSR1)
        assert run.end()[0] == 1
        assert len(run.own_lines()) == 1
        assert "No such file" in run.own_lines()[0] and "gone, too" in run.own_lines()[0]


@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_small_file_system(small_disk, layout):
    """A full file system, for real: the old trace on it is as it was."""
    old = small_disk / "old.h5"
    old.write_text("precious")
    words = ("--label", "long=" + "x" * 100_000)
    failed_well(run(layout, small_disk / "x.h5", *words), os.strerror(errno.ENOSPC))
    assert not (small_disk / "x.h5").exists()
    failed_well(run(layout, old, "--force", *words), os.strerror(errno.ENOSPC))
    assert old.read_text() == "precious"


@pytest.mark.parametrize("layout", ("serial", "mpi"))
@pytest.mark.parametrize("name,word", [("none/x.h5", "No such file"), ("file/x.h5", "Not a directory"),
                                       ("n" * 300 + ".h5", "too long"), ("d/" * 2100 + "x.h5", "too long"),
                                       ("old.h5", "exists")])  # fmt: skip
def test_bad_names(tmp_path, layout, name, word):
    """A place that cannot be written is refused before anything is measured."""
    (tmp_path / "file").write_text("")
    (tmp_path / "old.h5").write_text("precious")
    done = kit.run(layout, *DOT, "-o", tmp_path / name, **SHAPES[layout])
    failed_well(done, word)
    assert (tmp_path / "old.h5").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "old.h5"}
