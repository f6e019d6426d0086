"""What does not fit in memory is refused before anything is allocated, with both figures."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import kit

LIMIT = 512 << 20  # bytes
METHODS = {
    "binning": ("counter",), "dot": ("blocked", "library"), "matmul": ("library", "partition", "summa"),
    "marshal": (
        "array-npsum", "array-sum", "array-loop", "list-npsum", "list-sum", "list-loop", "array-naive",
        "memoryview-loop", "shuffled-list-npsum", "shuffled-list-sum", "shuffled-list-loop",
        "convert-once-loop", "soa-npsum", "aos-npsum", "send-contiguous", "send-vector", "send-by-hand",
        "send-mpi-pack", "send-blocks"),
}  # fmt: skip
# More than the limit, and its least need in bytes: a table of bins, two vectors, three matrices,
# a vector.
TOO_LARGE = {"binning": (("--bins", "1e9"), 4e9), "dot": (("--size", "1e8"), 16e8),
             "matmul": (("--size", "1e4"), 24e8), "marshal": (("--size", "2e8"), 16e8)}  # fmt: skip
SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 2}, "hybrid": {"ranks": 2, "threads": 2}}
# Each kernel under each layout, and each method once, three of them in turn; sends need two ranks.
EVERYWHERE = [(layout, kernel, methods[0]) for layout in kit.LAYOUTS for kernel, methods in METHODS.items()]
IN_TURN = [(("mpi",) if method.startswith("send") else ("serial", "openmp", "mpi"), kernel, method)
           for kernel, methods in METHODS.items() for method in methods[1:]]  # fmt: skip
CASES = EVERYWHERE + [(layouts[i % len(layouts)], kernel, method)
                      for i, (layouts, kernel, method) in enumerate(IN_TURN)]  # fmt: skip
FIGURES = re.compile(r"--size or --bins: this needs ([\d.]+) GiB on a node and ([\d.]+) GiB are available")


@pytest.fixture(scope="module")
def limited():
    """A control group that allows LIMIT bytes; skipped where none can be made."""
    for root, name in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        group = Path("/sys/fs/cgroup", root, f"bindot-test-{os.getpid()}")
        try:
            group.mkdir()
            (group / name).write_text(str(LIMIT))
            break
        except OSError:
            if group.exists():
                group.rmdir()
    else:
        pytest.skip("no control group can be made here")
    yield group
    group.rmdir()


def entering(group):
    """What makes a process a member of the group before it becomes the driver."""
    return ["sh", "-c", f"echo $$ > {group}/cgroup.procs && exec \"$@\"", "sh"]


def refused(folder, layout, *words, before=()):
    """Exit 2, one line, no file. Returns GiB needed and available."""
    line = kit.command(layout, *words, **SHAPES[layout])
    at = line.index(kit.program(layout))
    done = subprocess.run([*line[:at], *before, *line[at:]], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == 2, done.stderr
    told = kit.own_lines(done)
    assert len(told) == 1 and list(folder.iterdir()) == []
    found = FIGURES.search(told[0])
    assert found, told
    return tuple(map(float, found.groups()))


def test_no_method_is_forgotten():
    """The drivers name the same methods as the table here."""
    for kernel, methods in METHODS.items():
        done = kit.run("serial", kernel, "--method", "none-such")
        assert tuple(done.stderr.split("one of:")[1].split()) == methods


@pytest.mark.parametrize("layout,kernel,method", CASES)
def test_what_a_group_does_not_allow_is_refused(limited, tmp_path, layout, kernel, method):
    """Every kernel under every layout, every method: the limit of the control group holds."""
    size, least = TOO_LARGE[kernel]
    needed, available = refused(tmp_path, layout, kernel, "--method", method, *size,
                                before=entering(limited))  # fmt: skip
    assert 0 <= available <= LIMIT / 2**30 < needed
    assert needed >= round(least / 2**30, 2)


@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_what_the_machine_does_not_have_is_refused(tmp_path, layout):
    """Without a group: what the machine has left is what counts."""
    needed, available = refused(tmp_path, layout, "dot", "--size", "1e13")
    assert needed >= 149011 > available > 0


@pytest.mark.parametrize("size", ("1.5e7", "2.9e7"))
def test_what_fits_is_run(limited, tmp_path, size):
    """Just below the limit nothing is refused and nothing is killed, not for the node's peak either."""
    line = [kit.program("serial"), "dot", "--size", size, "--repeats", "1", "--warmup", "1ms",
            "--allow-invalid", "--quiet", "-o", tmp_path / "x.h5"]  # fmt: skip
    done = subprocess.run([*entering(limited), *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stat,available", [("", 0.1), (f"anon 5\ninactive_file {200 << 20}\n", 0.3)])
def test_the_files_of_control_groups_v2(tmp_path, stat, available):
    """A tree of version 2 in place of the system's: its limit counts, less what is used, but for
    the files that were only read."""
    mib = 1 << 20
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, value in (("memory.max", LIMIT), ("memory.current", LIMIT - 102 * mib), ("memory.stat", stat)):
        (tree / name).write_text(f"{value}\n")
    here = tmp_path / "here"
    here.mkdir()
    mount = ["unshare", "--mount", "sh", "-c",
             f"mount --bind {tree} /sys/fs/cgroup && exec \"$@\"", "sh"]  # fmt: skip
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    assert refused(here, "serial", "dot", "--size", "1e8", before=mount)[1] == pytest.approx(available, 0.05)
