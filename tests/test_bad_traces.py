"""A damaged, foreign or hostile trace ends in one line that names it, or is read rightly.

BINDOT_FLIPS=N: so many damaged copies of a real trace instead of 200 (-s shows the
table). BINDOT_SEED: other ones.
"""

import os
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

import kit
import traces
import traces_check
from synthetic import Run, launches, write

ANALYSIS = Path(traces.__file__).parent
SCRIPTS = sorted(p.name for p in ANALYSIS.glob("*.py")
                 if "__main__" in p.read_text(encoding="utf-8"))
FLIPS = int(os.environ.get("BINDOT_FLIPS", 200))
SEED = int(os.environ.get("BINDOT_SEED", 1))
BINNING = Run(kernel="binning", repetitions=3, bins=50)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A small trace as a driver writes it, with everything that traces have."""
    path = tmp_path_factory.mktemp("real") / "run.h5"
    done = kit.run("openmp", "binning", "--bins", 40, "--repeats", 3,
                   "-o", path, threads=2)
    assert done.returncode in (0, 3) and path.exists(), done.stderr
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The same of drivers/python."""
    path = tmp_path_factory.mktemp("python") / "run.h5"
    line = [kit.SOURCE / "drivers" / "python", "binning", "--bins", "40", "--repeats", "3", "-o", path]
    done = subprocess.run(line, env={**os.environ, "BINDOT_PYTHON": sys.executable},
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode in (0, 3) and path.exists(), done.stderr
    return path


@pytest.fixture(autouse=True)
def short_patience(monkeypatch):
    monkeypatch.setattr(traces_check, "SECONDS", 1)


def whys(paths):
    """Why each is refused, or None; as read_all finds it, a second run of the same id allowed."""
    return list(traces_check.reasons([str(p) for p in paths], traces._why_not))


def content(path):
    """(numbers, texts): all that an analysis reads of a trace."""
    trace = traces.read(path)
    numbers = {**trace.arrays, **trace.workers, **trace.nodes, **trace.knots, **trace.cores}
    for name, there in zip(traces.PER_BIN, (trace.bins, trace.has_lost)):
        for rep, first, block in trace.blocks(name) if there else ():
            numbers[f"{name} {rep} {first}"] = block
    for key, rows in trace.detour_rows().items():
        numbers[f"detours {key}"] = np.stack(trace.detours(rows))
    texts = {name: values.tolist() for name, values in numbers.items() if values.dtype == object}
    numbers = {name: (str(a.dtype), a.shape, a.tobytes())
               for name, a in numbers.items() if a.dtype != object}
    return (numbers, trace.attrs, trace.labels, trace.provenance, trace.environment, trace.clock,
            trace.finding_bits), texts


def damaged(whole, rng):
    """One copy: a bit flipped, three bytes thrown, or a page of zeros."""
    data = bytearray(whole)
    how = rng.choice(["bit", "bytes", "zeros"], p=[0.5, 0.45, 0.05])
    at = rng.integers(len(data), size=3)
    if how == "bit":
        data[at[0]] ^= 1 << rng.integers(8)
    elif how == "bytes":
        for i in at:
            data[i] = rng.integers(256)
    else:
        page = at[0] // 4096 * 4096
        data[page:page + 4096] = bytes(len(data[page:page + 4096]))
    return how, bytes(data)


def outcome(path, why, true):
    if why is None:
        numbers, texts = content(path)
        return ("wrong numbers" if numbers != true[0] else
                "wrong texts" if texts != true[1] else "read rightly")
    return "reader killed" if "HDF5 crashed" in why or "come to an end" in why else "clean error"


@pytest.mark.parametrize("driver,copies", [("real", FLIPS * 3 // 4), ("python", FLIPS // 4)])
def test_damaged_copies_are_refused_or_read_rightly(request, tmp_path, driver, copies):
    """Every number and every text that is read has a checksum."""
    trace = request.getfixturevalue(driver)
    rng, whole, true = np.random.default_rng(SEED), trace.read_bytes(), content(trace)
    table = Counter()
    for first in range(0, copies, 100):
        hows, paths = [], []
        for i in range(first, min(first + 100, copies)):
            how, data = damaged(whole, rng)
            paths.append(tmp_path / f"{i}.h5")
            paths[-1].write_bytes(data)
            hows.append(how)
        found = whys(paths)
        assert len(found) == len(paths)
        for how, path, why in zip(hows, paths, found):
            assert why is None or why and "\n" not in why, (path, why)
            table[how, outcome(path, why, true)] += 1
            path.unlink()
    for (how, what), number in sorted(table.items()):
        print(f"{how:6} {what:22} {number:6}")
    assert sum(table.values()) == copies
    assert not {what for _, what in table} & {"wrong numbers", "wrong texts"}, table
    assert sum(n for (_, what), n in table.items() if what == "clean error") > copies / 10


def test_a_text_that_changed_is_seen(real, python, tmp_path):
    """Each byte of the host name, one after the other: HDF5 itself does not notice."""
    name = os.uname().nodename.encode()
    paths = []
    for trace in (real, python):
        whole = trace.read_bytes()
        for at in (i for i in range(len(whole)) if whole.startswith(name + b"\0", i)):
            paths.append(tmp_path / f"{trace.parent.name}-{at}.h5")
            paths[-1].write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    found = [why for why in whys(paths) if why]
    assert sum("the texts of /nodes/hostname are damaged" in why for why in found) >= 2, found


def test_truncated_at_every_percent(real, tmp_path):
    whole, paths = real.read_bytes(), []
    for percent in range(100):
        paths.append(tmp_path / f"{percent}.h5")
        paths[-1].write_bytes(whole[:len(whole) * percent // 100])
    assert all("not a readable HDF5 file" in why for why in whys(paths))


def replaced(file, name, values, **how):
    del file[name]
    file.create_dataset(name, data=values, **how)


def claims(name, shape, **how):
    """A dataset that claims more than it holds."""
    def break_(file):
        del file[name]
        file.create_dataset(name, shape, **{"dtype": np.int64, **how})
    return break_


def outside(link):
    def break_(file):
        del file["units"]
        file["units"] = link
    return break_


def stored_elsewhere(file):
    other = Path(file.filename).with_suffix(".raw")
    other.write_bytes(bytes(1000))
    shape = file["units"].shape
    del file["units"]
    file.create_dataset("units", shape, np.uint64, external=[(str(other), 0, 1000)])


def virtual(file):
    shape = file["units"].shape
    del file["units"]
    layout = h5py.VirtualLayout(shape, np.uint64)
    layout[:] = h5py.VirtualSource("gone.h5", "units", shape)
    file.create_virtual_dataset("units", layout)


def bomb(file):
    """Zeros enough for several GiB, packed into a file of some MB."""
    shape = 3, 1 << 27
    for name in ("start_ns", "end_ns"):
        del file[name]
        made = file.create_dataset(name, shape, np.int64, chunks=(1, 1 << 24), compression="gzip")
        packed = zlib.compress(bytes(8 << 24), 9)
        for rep in range(3):
            for first in range(0, 1 << 27, 1 << 24):
                made.id.write_direct_chunk((rep, first), packed)


HOSTILE = {
    "version": (lambda f: f.attrs.update(format_version="2.0"), "format version 2.0"),
    "no version": (lambda f: f.attrs.update(format_version="x"), "format version x"),
    "foreign": (lambda f: f.attrs.update(format="other"), "no bindot trace"),
    "no start": (lambda f: f.pop("start_ns"), "/start_ns is missing"),
    "no rate": (lambda f: f.pop("results/rate"), "/results/rate is missing"),
    "flat": (lambda f: replaced(f, "start_ns", np.zeros(3, np.int64)), "not a table"),
    "flat counts": (lambda f: replaced(f, "counts", np.zeros((3, 1), np.uint32)), "shape (3, 1)"),
    "workers": (lambda f: replaced(f, "workers/cpu", np.zeros(9, np.int32)), "not of 1 workers"),
    "node": (lambda f: replaced(f, "workers/node_index", np.full(1, 7, np.int32)), "names a node"),
    "before": (lambda f: replaced(f, "workers/node_index", np.full(1, -5, np.int32)), "from -1 on"),
    "host": (lambda f: replaced(f, "nodes/hostname", np.array([3])), "not a list of texts"),
    "list": (lambda f: f.attrs.update(run_id=[1, 2]), "run_id is not one text"),
    "size": (lambda f: f.attrs.update(size="many"), "size is no number"),
    "no workers": (lambda f: f.attrs.update(threads_per_rank=-1), "no positive number"),
    "texts": (lambda f: replaced(f, "units", np.full((3, 1), b"x")), "does not hold numbers"),
    "real counts": (lambda f: replaced(f, "counts", np.ones((3, 1, 50))), "whole numbers"),
    "group": (lambda f: (f.pop("units"), f.create_group("units")), "not a dataset"),
    "huge times": (claims("start_ns", (2**25, 2**25), chunks=(1, 1024)), "more than"),
    "huge counts": (claims("counts", (3, 1, 2**48), chunks=(1, 1, 1024)), "more than"),
    "external link": (outside(h5py.ExternalLink("/etc/passwd", "/x")), "is a link"),
    "soft link": (outside(h5py.SoftLink("/end_ns")), "is a link"),
    "external data": (stored_elsewhere, "in another file"),
    "virtual": (virtual, "in another file"),
    "cores": (lambda f: f.create_dataset("cores/busy", data=np.ones((3, 2))), "of every CPU"),
    "bomb": (bomb, "damaged (Unable to allocate"),
}


def hostile(path, name):
    write(path, BINNING)
    with h5py.File(path, "a") as file:
        HOSTILE[name][0](file)
    return path


def test_each_hostile_file_has_its_reason(tmp_path):
    paths = [hostile(tmp_path / f"{name}.h5", name) for name in HOSTILE]
    for name, why in zip(HOSTILE, whys(paths)):
        assert why and HOSTILE[name][1] in why, (name, why)


def test_one_that_kills_the_reader_costs_no_other(tmp_path):
    """Endless, greedy, crashing: each ends only its own child, and the rest is read."""
    def read(path):
        if path == "loop":
            while True:
                pass
        if path == "crash":
            os.kill(os.getpid(), 11)
        if path == "greedy":
            return f"{len(bytearray(traces_check.MEMORY))}"
        if path == "exit":
            os._exit(3)
        return None

    found = list(traces_check.reasons(["a", "loop", "b", "crash", "exit", "greedy", "c"], read))
    assert [found[i] for i in (0, 2, 6)] == [None] * 3
    assert "did not come to an end" in found[1] and "crashed" in found[3]
    assert found[4] and found[5]


def test_no_child_is_left(tmp_path):
    """A caller that stops early leaves no process behind."""
    paths = [str(p) for p in launches(tmp_path, 3, Run())]
    stream = traces.each(paths, [])
    next(stream)
    stream.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def folder_of_bad_ones(folder, real):
    whole = real.read_bytes()
    (folder / "half.h5").write_bytes(whole[:len(whole) // 2])
    (folder / "text.h5").write_text("no trace\n")
    (folder / "empty.h5").touch()
    (folder / "folder.h5").mkdir()
    os.mkfifo(folder / "pipe.h5")
    with h5py.File(folder / "other.h5", "w") as file:
        file["x"] = 1
    for name in ("virtual", "huge counts", "node"):
        hostile(folder / f"{name}.h5", name)
    return len(list(folder.glob("*.h5")))


def test_scripts_name_each_bad_file_and_go_on(real, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    number = folder_of_bad_ones(bad, real)
    good = launches(tmp_path, 2, BINNING)
    good.append(write(tmp_path / "no_bins.h5", BINNING))
    with h5py.File(good[-1], "a") as file:  # none of the bins that its like have
        replaced(file, "counts", np.zeros((3, 1, 0), np.uint32))
    for script in SCRIPTS:
        extra = ["-o", tmp_path / "page.html"] if script == "report.py" else []
        done = subprocess.run([sys.executable, ANALYSIS / script, bad, *good, *extra],
                              capture_output=True, text=True, timeout=120, cwd=tmp_path)
        lines = done.stderr.splitlines()
        for path in bad.glob("*.h5"):
            assert sum(f"{path.name}:" in line for line in lines) == 1, (script, path, lines)
        assert "Traceback" not in done.stderr and done.returncode in (0, 1), (script, lines)
        assert len(lines) <= number + 4, (script, lines)


def test_recover_reads_a_damaged_journal_or_says_why(real, tmp_path):
    """Neither a trace nor anything else is a journal; each is one line, and nothing is written."""
    whole, before = real.read_bytes(), {"x.h5.part"}
    (tmp_path / "f.h5.part").mkdir()
    for data in (b"", b"text\n", whole, whole[:100], bytes(1 << 16), whole[::-1]):
        (tmp_path / "x.h5.part").write_bytes(data)
        for name in ("x", "f", "gone"):
            done = kit.run("serial", "recover", tmp_path / f"{name}.h5.part")
            assert done.returncode in (1, 2), (data[:9], done)
            assert done.stderr.count("\n") == 1 and f"{name}.h5.part" in done.stderr, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == before | {"f.h5.part"}
