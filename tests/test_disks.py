"""Full and broken disks: one sentence, exit 1, nobody waits, what was there before stays.

BINDOT_WRITES=all: a disk that fails at each single write of a run under each driver, instead of
at some of them (-s shows the table; some 600 runs, ten minutes on two cores).
"""

import errno
import os
import shutil
import signal
import subprocess
from collections import Counter

import h5py
import pytest

import kit
import victims

DOT = ("dot", "--size", "1000", "--iterations", "1", "--warmup", "1ms", "--repeats", "3",
       "--allow-invalid", "--verbose")  # fmt: skip
SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 2},
          "hybrid": {"ranks": 2, "threads": 1}}  # fmt: skip

pytestmark = pytest.mark.skipif(not kit.SHIM.exists(), reason=f"no {kit.SHIM}: build with tests")


def run(layout, path, *words, fault=(), timeout=300):
    """The driver, with a fault of the shim in each of its processes."""
    line = kit.command(layout, *DOT, *words, "-o", path, **SHAPES[layout])
    at = line.index(kit.program(layout))
    faults = [f"{key}={value}" for key, value in fault]
    line[at:at] = ["env", f"LD_PRELOAD={kit.SHIM}", f"FAILING_UNDER={path.parent}/", *faults]
    return subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)


def failed_well(done, word):
    lines = kit.own_lines(done)
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1 and word in lines[0], done.stderr
    return lines[0]


def check_rest(path, line, reported):
    """Nothing under the real name that is not whole; a journal that was named is good, and
    holds what was reported. Returns what is left, in words."""
    part = path.with_name(path.name + ".part")
    left = {found.name for found in path.parent.iterdir()}
    assert left <= {path.name, part.name}
    if path.exists():
        with h5py.File(path, "r") as trace:
            assert trace["results/value"].shape == (3,)
        return "whole"
    if not part.exists():
        assert reported == 0
        return "nothing begun"
    done = kit.run("serial", "recover", "--force", part)
    if done.returncode:
        assert "recover" not in line and reported == 0, (line, done.stderr)
        return "nothing finished"
    with h5py.File(path, "r") as trace:
        assert trace["results/value"].shape[0] >= reported
    return "recovered"


def saved(done):
    """Repetitions that were reported as saved."""
    return sum(line.endswith(" is saved") for line in done.stderr.splitlines())


def places_of(calls, some):
    return range(1, calls + 1) if os.environ.get("BINDOT_WRITES") == "all" else (
        range(1, calls * 9 // 10, calls // some))  # fmt: skip


FAULTS = [("serial", errno.ENOSPC, True, 7), ("serial", errno.EDQUOT, False, 7),
          ("serial", errno.EIO, True, 7), ("openmp", errno.ENOSPC, True, 2), ("openmp", errno.EIO, False, 2),
          ("mpi", errno.ENOSPC, True, 2), ("mpi", errno.EDQUOT, False, 2),
          ("hybrid", errno.EIO, True, 2), ("hybrid", errno.ENOSPC, False, 2)]  # fmt: skip


@pytest.mark.parametrize("layout,number,ever,some", FAULTS)
def test_disk_that_fails_at_some_write(tmp_path, layout, number, ever, some):
    """One write fails, or all from that one on: at the beginning, between repetitions, in the
    making of the trace. What had been reported as saved is there."""
    (tmp_path / "count").mkdir()
    log = tmp_path / "calls"
    done = run(layout, tmp_path / "count" / "x.h5", fault=[("FAILING_LOG", log)])
    assert done.returncode == 0, done.stderr
    calls, ends = log.read_text(), Counter()
    for at in places_of(len(calls), some):
        folder = tmp_path / f"at{at}"
        folder.mkdir()
        path = folder / "x.h5"
        fault = [("FAILING_AT", at), ("FAILING_ERRNO", number)] + [("FAILING_EVER", 1)] * ever
        done = run(layout, path, fault=fault)
        ends[check_rest(path, failed_well(done, os.strerror(number)), saved(done))] += 1
        shutil.rmtree(folder)
    print(f"{layout}, {os.strerror(number)}, {'for good' if ever else 'once'}: {len(calls)} writes,",
          ", ".join(f"{n} {what}" for what, n in sorted(ends.items())))  # fmt: skip


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


@pytest.mark.parametrize("layout,number", [("serial", errno.ENOLCK), ("serial", errno.EOPNOTSUPP),
                                           ("mpi", errno.ENOLCK), ("hybrid", errno.ENOSYS)])  # fmt: skip
def test_file_system_without_locks(tmp_path, layout, number):
    """Where files cannot be locked the run does without."""
    done = run(layout, tmp_path / "x.h5", fault=[("FAILING_LOCK", number)])
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
