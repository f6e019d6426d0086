"""compare.py says what the traces hold: known speed-ups, and a reason wherever it has no number."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import cells
import traces
import words
from synthetic import Run, launches, write

COMPARE = Path(traces.__file__).parent / "compare.py"
CLEAN = {k: v for k, v in os.environ.items()
         if k not in ("COLUMNS", "NO_COLOR", "BINDOT_PYTHON", "BINDOT_PYTHON_TRIED")}
NOISE = {"noise": 0.01, "launch_noise": 0.01}


def run(*arguments, env=None):
    return subprocess.run(
        [sys.executable, COMPARE, *map(str, arguments)], capture_output=True, text=True,
        encoding="utf-8", env={**CLEAN, "PYTHONIOENCODING": "utf-8", **(env or {})}, timeout=120)


def groups(*arguments):
    done = run("--json", "-", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["groups"]


def cell(group, layout):
    [found] = [c for c in group["cells"] if c["layout"] == layout]
    return found


# ------------------------------------------------------------------------------ known answers

def test_speedup_and_its_interval(tmp_path):
    launches(tmp_path, 6, Run(**NOISE))
    launches(tmp_path, 6, Run(layout="openmp", threads=2, rate=0.9e9, seed=1, **NOISE))
    [group] = groups(tmp_path)
    found = cell(group, "openmp")
    low, high = found["speedup_interval"]
    assert low < 1.8 < high and 0.005 < (high - low) / 1.8 < 0.06
    assert found["speedup"] == pytest.approx(1.8, rel=0.02)
    assert found["speedup_per_core"] == pytest.approx(found["speedup"] / 2)
    assert cell(group, "serial")["is_base"]
    assert cell(group, "serial")["secondary"]["GB/s"] == pytest.approx(16, rel=0.05)


def test_the_launch_is_the_replicate(tmp_path):
    """Many repetitions do not narrow an interval that comes from three launches."""
    for i, rate in enumerate((0.9e9, 1e9, 1.1e9)):
        write(tmp_path / f"{i}.h5", Run(rate=rate, noise=0.01, repetitions=200, seed=i))
    found = cell(groups(tmp_path)[0], "serial")
    low, high = found["rate_interval"]
    assert high - low == pytest.approx(2 * 4.303 * 0.1e9 / 3**0.5, rel=0.1)


def test_efficiency_tree(tmp_path):
    launches(tmp_path, 3, Run())
    launches(tmp_path, 3, Run(layout="mpi", ranks=2, rate=0.5e9, compute=[0.9, 0.6]))
    found = cell(groups(tmp_path)[0], "mpi")
    assert found["load_balance"] == pytest.approx(0.75 / 0.9, abs=1e-4)
    assert found["communication_efficiency"] == pytest.approx(0.9, abs=1e-4)
    assert found["parallel_efficiency"] == pytest.approx(0.75, abs=1e-4)
    assert found["imbalance"] == pytest.approx(0.2, abs=1e-4)
    assert found["compute_scaling"] == pytest.approx(0.5 / 0.75, abs=1e-3)
    assert sum(found["losses"].values()) == pytest.approx(1)
    assert found["losses"]["useful work"] == pytest.approx(0.5, abs=1e-3)


def test_binning_rate_is_the_median_bin_and_lost_time_its_own_column(tmp_path):
    counts = np.full((4, 2, 100), 1000)
    counts[:, 0, :20] = 100  # interrupted, but on the CPU
    run_ = Run(kernel="binning", layout="openmp", threads=2, repetitions=4, bins=100, counts=counts)
    launches(tmp_path, 3, run_)
    found = cell(groups(tmp_path)[0], "openmp")
    assert found["rate"] == pytest.approx(2 * 1000 / 50e-6)
    assert found["rate_delivered"] == pytest.approx((82 + 100) * 10 / 100 * 1000 / 10 / 50e-6)
    assert found["lost_share"] == pytest.approx(0.09)
    assert found["lost_share_worst_worker"] == pytest.approx(0.18)


def test_workers_that_take_turns_are_no_speedup(tmp_path):
    turn = np.arange(200) // 20 % 2
    counts = 1000 * np.stack([[turn, 1 - turn]] * 3)
    launches(tmp_path, 3, Run(kernel="binning", rate=2e7))
    launches(tmp_path, 3, Run(kernel="binning", layout="openmp", threads=2, repetitions=3,
                              counts=counts))
    [group] = groups(tmp_path)
    assert cell(group, "openmp")["speedup"] == pytest.approx(1)
    assert cell(group, "openmp")["off_cpu_share"] == pytest.approx(0.5)
    assert "off their CPU in 50 %" in " ".join(group["warnings"])


def test_lost_time_of_the_driver_is_preferred(tmp_path):
    path = write(tmp_path / "a.h5", Run(kernel="binning"))
    with h5py.File(path, "a") as file:
        file["lost_ns"] = np.full(file["counts"].shape, 5_000, np.uint32)
    assert cell(groups(path)[0], "serial")["lost_share"] == pytest.approx(0.1)


def test_weak_scaling_uses_the_one_core_run_of_either_kind(tmp_path):
    launches(tmp_path, 3, Run())
    launches(tmp_path, 3, Run(layout="mpi", ranks=4, rate=0.5e9, attrs={"scaling": "weak"}))
    [weak] = [g for g in groups(tmp_path) if g["scaling"] == "weak"]
    assert cell(weak, "mpi")["speedup_per_core"] == pytest.approx(0.5)


def test_blas_threads_are_cores(tmp_path):
    launches(tmp_path, 3, Run(kernel="matmul"))
    launches(tmp_path, 3, Run(kernel="matmul", layout="openmp", rate=1.8e9,
                              attrs={"blas_threads": 2}))
    found = cell(groups(tmp_path)[0], "openmp")
    assert found["cores"] == 2 and found["speedup_per_core"] == pytest.approx(0.9)
    assert found["secondary"]["GFLOP/s"] == pytest.approx(3.6)
    assert "1×1×2" in run(tmp_path).stdout


def test_baseline_layout(tmp_path):
    launches(tmp_path, 3, Run(layout="openmp", threads=2))
    launches(tmp_path, 3, Run(layout="mpi", ranks=4))
    [group] = groups("--baseline-layout", "openmp", tmp_path)
    assert cell(group, "mpi")["speedup"] == pytest.approx(2)
    assert cell(group, "mpi")["speedup_per_core"] == pytest.approx(1)


# ----------------------------------------------------------------- no number without a reason

def test_one_launch_says_so(tmp_path):
    write(tmp_path / "a.h5", Run(**NOISE))
    write(tmp_path / "b.h5", Run(layout="mpi", ranks=2, **NOISE))
    [group] = groups(tmp_path)
    found = cell(group, "mpi")
    assert found["rate_interval_kind"] == "within one launch"
    assert found["speedup"] and found["speedup_interval"] is None
    assert "interval unknown" in found["speedup_note"]
    text = run(tmp_path).stdout
    assert "* spread within one launch" in text and "only one launch" in text
    assert "equal" not in text


def test_two_launches_have_no_interval(tmp_path):
    launches(tmp_path, 2, Run(**NOISE))
    found = cell(groups(tmp_path)[0], "serial")
    assert found["rate_interval"] is None and "2 launches" in found["rate_interval_kind"]


def test_an_invalid_cell_is_shown_but_not_ranked(tmp_path):
    launches(tmp_path, 3, Run())
    bad = {"valid": 0, "invalid_reasons": "two workers on cpu 0"}
    launches(tmp_path, 3, Run(layout="openmp", threads=2, attrs=bad))
    [group] = groups(tmp_path)
    found = cell(group, "openmp")
    assert found["rate"] and found["speedup"] is None and not found["valid"]
    text = run(tmp_path).stdout
    assert re.search(r"openmp .*INVALID", text) and "two workers on cpu 0" in text
    allowed = cell(groups("--allow-invalid", tmp_path)[0], "openmp")
    assert allowed["speedup"] == pytest.approx(2) and not allowed["valid"]


def test_one_invalid_launch_does_not_count(tmp_path):
    launches(tmp_path, 3, Run())
    write(tmp_path / "slow.h5", Run(rate=1e8, attrs={"valid": 0, "invalid_reasons": "late start"}))
    found = cell(groups(tmp_path)[0], "serial")
    assert (found["launches"], found["launches_used"]) == (4, 3)
    assert found["rate"] == pytest.approx(1e9)
    text = run(tmp_path).stdout
    assert "3/4" in text and "late start" in text


def test_an_invalid_base_gives_no_speedup(tmp_path):
    launches(tmp_path, 3, Run(attrs={"valid": 0}))
    launches(tmp_path, 3, Run(layout="openmp", threads=2))
    found = cell(groups(tmp_path)[0], "openmp")
    assert found["speedup"] is None and "INVALID" in found["speedup_note"]


def test_no_speedup_across_different_kernels(tmp_path):
    launches(tmp_path, 3, Run())
    launches(tmp_path, 3, Run(layout="openmp", threads=2, attrs={"kernel_hash": "deadbeef"}))
    [group] = groups(tmp_path)
    assert cell(group, "openmp")["speedup"] is None
    assert "different kernels" in " ".join(group["warnings"])
    assert "unless --across-kernels" in " ".join(group["warnings"])
    [group] = groups("--across-kernels", tmp_path)
    assert cell(group, "openmp")["speedup"] == pytest.approx(2)
    assert "no speed-up" not in " ".join(group["warnings"])
    assert "different kernels" in " ".join(group["warnings"])


@pytest.mark.parametrize("changes, sentence", [
    ({"hostnames": ("node2",)}, "different hosts: node1 (serial 1×1); node2 (openmp 1×2)"),
    ({"cpu": "Other CPU"}, "different CPU models: Test CPU (serial 1×1); Other CPU (openmp 1×2)"),
    ({"attrs": {"blas_core": "Haswell"}}, "different core types in OpenBLAS"),
    ({"attrs": {"blas_threads": 2}}, "their waiting counts as computing"),
    ({"attrs": {"status": "recovered"}}, "ended early (recovered)"),
    ({"attrs": {"warnings": "page faults in the measured region"}}, "page faults in the measured"),
    ({"attrs": {"warnings": "moved (in 2 of 20 worker-repetitions); late"}},
     "openmp 1×2 (6 of 60) worker-repetitions: moved"),
    ({"without": ("compute_ns",)}, "efficiency unknown"),
])
def test_warnings(tmp_path, changes, sentence):
    launches(tmp_path, 3, Run(attrs={"blas_core": "Zen"}))
    launches(tmp_path, 3, Run(layout="openmp", threads=2,
                              **{"attrs": {"blas_core": "Zen"}, **changes}))
    assert sentence in " ".join(groups(tmp_path)[0]["warnings"])


def test_autocorrelated_repetitions(tmp_path):
    path = write(tmp_path / "a.h5", Run(repetitions=40, without=("units",)))
    with h5py.File(path, "a") as file:
        file["results/rate"][:] = 1e9 + 1e6 * np.sin(np.arange(40) / 8)
    assert "autocorrelated" in " ".join(groups(path)[0]["warnings"])


def test_a_rate_that_its_own_units_deny(tmp_path):
    path = write(tmp_path / "a.h5", Run())
    with h5py.File(path, "a") as file:
        file["results/rate"][:] *= 2
    assert "do not trust the rate" in " ".join(groups(path)[0]["warnings"])


def test_a_failed_check_is_told(tmp_path):
    path = write(tmp_path / "a.h5", Run(kernel="matmul"))
    with h5py.File(path, "a") as file:
        file["results/residual"] = np.full((10, 1), 1.5)
    assert "failed its check" in " ".join(groups(path)[0]["warnings"])


def test_other_work_is_not_compared(tmp_path):
    launches(tmp_path, 3, Run())
    launches(tmp_path, 3, Run(layout="openmp", threads=2, attrs={"size": 7}))
    found = groups(tmp_path)
    assert len(found) == 2
    assert any("no serial run of the same work" in " ".join(g["warnings"]) for g in found)


@pytest.mark.parametrize("changes", [
    {"attrs": {"size": 7}}, {"attrs": {"method": "library"}}, {"attrs": {"kernel_hash": "beef"}},
    {"attrs": {"lock": "gil", "lock_interval_ns": 5_000_000}}, {"attrs": {"storage": "shared"}},
    {"attrs": {"way": "threading"}}, {"attrs": {"start": "own", "way": "futures-processes"}},
    {"attrs": {"detour_threshold_ns": 1000}},
    {"attrs": {"pinned": 0}}, {"attrs": {"blas_threads": 2}}, {"attrs": {"scaling": "weak"}},
    {"hostnames": ("node1", "node2")}, {"ranks": 2}, {"threads": 2}])
def test_other_parameters_are_another_cell(tmp_path, changes):
    launches(tmp_path, 3, Run())
    launches(tmp_path, 3, Run(seed=1, **changes))
    found = [c["launches"] for group in groups(tmp_path) for c in group["cells"]]
    assert found == [3, 3]


def python(way, **changes):
    """A launch of drivers/python, its kernels' hash its own; old: method is the way."""
    attrs = {"way": way, "start": "common", "kernel_hash": "5nake" * 6, **changes.pop("attrs", {})}
    return Run(kernel="binning", layout="python", attrs={"method": "clock", **attrs}, **changes)


def test_languages_stand_in_one_table_each_over_its_own_base(tmp_path):
    launches(tmp_path, 6, Run(kernel="binning", rate=1e8, **NOISE))
    gil = {"lock": "gil", "lock_interval_ns": 1_000_000}
    launches(tmp_path, 6, Run(kernel="binning", layout="openmp", threads=2, rate=0.4e8, seed=1,
                              attrs=gil, **NOISE))
    launches(tmp_path, 6, python("single", rate=4e6, seed=2, **NOISE))
    launches(tmp_path, 6, python("multiprocessing", ranks=2, rate=3.6e6, seed=3, **NOISE))
    launches(tmp_path, 6, python("threading", threads=2, rate=2e6, seed=4,
                                 attrs={"lock": "gil", "lock_interval_ns": 5_000_000}, **NOISE))
    [group] = groups(tmp_path)
    rows = {(c["layout"], c["way"]): c for c in group["cells"]}
    assert list(rows) == [("serial", ""), ("openmp", "gil 1 ms"), ("python", "single"),
                          ("python", "multiprocessing"), ("python", "threading")]
    expected = {"openmp": (0.8, None), "python": (1.8, 0.072)}
    for name, way in (("openmp", "gil 1 ms"), ("python", "multiprocessing")):
        found, (speedup, across) = rows[name, way], expected[name]
        assert found["speedup"] == pytest.approx(speedup, rel=0.03)
        assert found["speedup_interval"][0] < speedup < found["speedup_interval"][1]
        if across:
            low, high = found["across_interval"]
            assert low < across < high and found["across"] == pytest.approx(across, rel=0.03)
        else:
            assert found["across"] is None
    assert rows["python", "single"]["is_base"] and rows["serial", ""]["is_base"]
    assert not any("hash" in text for text in group["warnings"])
    shown = run(tmp_path).stdout
    assert "C over serial 1×1; python over python single 1×1" in shown
    assert re.search(r"^python single +1×1.* 1 \(base\).* 1/2[0-9.]+ ", shown, re.MULTILINE)


def test_old_traces_of_python_join_their_kernel(tmp_path):
    """Their method was the way; the C drivers call what is computed `counter`."""
    attrs = {"method": "counter"}
    launches(tmp_path, 3, Run(kernel="binning", attrs=attrs))
    launches(tmp_path, 3, python("threading", threads=2, attrs={"method": "threading"}))
    launches(tmp_path, 3, python("single", seed=1, attrs=attrs))
    [group] = groups(tmp_path)
    assert [c["way"] for c in group["cells"]] == ["", "single", "threading"]
    assert all(c["speedup"] is not None for c in group["cells"])


def test_a_table_of_python_alone_has_its_base_and_no_other(tmp_path):
    launches(tmp_path, 3, python("single"))
    launches(tmp_path, 3, python("multiprocessing", ranks=2, seed=1))
    shown = run(tmp_path).stdout
    assert "of C" not in shown and shown.count("1 (base)") == 1
    launches(tmp_path / "more", 3, Run(kernel="binning", layout="mpi", ranks=2, seed=2))
    [group] = groups(tmp_path)
    assert cell(group, "mpi")["speedup"] is None
    assert "no serial run of the same work: no speed-up for mpi 2×1" in group["warnings"]


def test_the_title_says_what_is_unusual(tmp_path):
    usual = {"storage": "private", "work_unit": "clock", "wait_ns": 0, "sync_every": 0,
             "inject": ""}
    unusual = {"storage": "atomic", "work_unit": "alu", "wait_ns": 100_000, "sync_every": 7}
    for attrs, words_ in ((usual, "binning, method clock, 200 bins of 50 µs"), (
            unusual, "binning, method clock, wait 100 µs, sync every 7, "
                     "work unit alu, 200 bins of 50 µs")):
        path = write(tmp_path / "a.h5", Run(kernel="binning", attrs=attrs))
        assert groups(path)[0]["title"] == words_


def test_a_copy_is_not_a_second_launch(tmp_path):
    path = write(tmp_path / "a.h5", Run())
    shutil.copy(path, tmp_path / "b.h5")
    done = run(tmp_path)
    assert "counted once" in done.stderr and "only one launch" in done.stdout


def test_only_the_needed_tables(tmp_path):
    path = write(tmp_path / "a.h5", Run(kernel="binning", repetitions=3))
    with h5py.File(path, "a") as file:
        for name in list(file):
            if name not in ("start_ns", "end_ns", "results"):
                del file[name]
        for name in list(file.attrs):
            if name not in ("format", "kernel", "layout"):
                del file.attrs[name]
    done = run(path)
    assert done.returncode == 0 and "no /counts" in done.stdout
    assert re.search(r"serial .*INVALID", done.stdout) and "validity was not recorded" in done.stdout


# ------------------------------------------------------------------------------------ bad files

def break_(path, how):
    if how == "text":
        path.write_text("not HDF5")
    elif how == "short":
        path.write_bytes(path.read_bytes()[:3000])
    else:
        with h5py.File(path, "a") as file:
            if how == "foreign":
                file.attrs["format"] = "something-else"
            elif how == "version":
                file.attrs["format_version"] = "2.0"
            elif how == "node":
                file.attrs["parts"] = 4
            elif how == "missing":
                del file["results/rate"]
            elif how == "shape":
                del file["units"]
                file["units"] = np.zeros((3, 9), np.uint64)
            elif how == "empty":
                for name in ("start_ns", "end_ns"):
                    del file[name]
                    file[name] = np.zeros((0, 1), np.int64)
            elif how == "hole":
                file["counts"][1, 0, 3] = 2**32 - 1
            elif how == "outside":
                shape = file["compute_ns"].shape
                del file["compute_ns"]
                layout = h5py.VirtualLayout(shape, np.int64)
                layout[:] = h5py.VirtualSource("gone.h5", "compute_ns", shape)
                file.create_virtual_dataset("compute_ns", layout)


@pytest.mark.parametrize("how, sentence", [
    ("text", "not a readable HDF5 file"), ("short", "not a readable HDF5 file"),
    ("foreign", "no bindot trace"), ("version", "format version 2.0"),
    ("node", "one node's part of a run"),
    ("missing", "/results/rate is missing"), ("shape", "/units has the shape (3, 9)"),
    ("empty", "no finished repetition"), ("hole", "never written"),
    ("outside", "in another file")])
def test_a_bad_file_is_one_line_and_the_rest_is_analysed(tmp_path, how, sentence):
    bad, good = tmp_path / "bad.h5", tmp_path / "good.h5"
    write(good, Run(kernel="binning"))
    write(bad, Run(kernel="binning"))
    break_(bad, how)
    both = run(bad, good)
    assert both.returncode == 0 and "binning" in both.stdout
    assert both.stderr.count("\n") == 1 and "bad.h5" in both.stderr and sentence in both.stderr
    alone = run(bad)
    assert alone.returncode == 1 and sentence in alone.stderr and not alone.stdout
    assert "Traceback" not in alone.stderr


def test_exit_codes(tmp_path):
    assert run("--help").returncode == 0
    assert run().returncode == 2
    assert run("--no-such-option", tmp_path).returncode == 2
    missing = run(tmp_path / "nothing.h5")
    assert missing.returncode == 1 and "no such file" in missing.stderr
    empty = run(tmp_path)
    assert empty.returncode == 1 and "no trace (*.h5) in this folder" in empty.stderr
    path = write(tmp_path / "a.h5", Run())
    unwritable = run(path, "--json", tmp_path / "no" / "such" / "folder.json")
    assert unwritable.returncode == 1 and "cannot write" in unwritable.stderr


# ---------------------------------------------------------------------------------- appearance

def test_json_has_no_nan_and_no_table_beside_it(tmp_path):
    path = write(tmp_path / "a.h5", Run(layout="openmp", without=("compute_ns",)))
    text = run("--json", "-", path).stdout
    assert "NaN" not in text and json.loads(text)["groups"][0]["cells"][0]["imbalance"] is None
    done = run("--json", tmp_path / "out.json", path)
    assert "dot" in done.stdout and json.loads((tmp_path / "out.json").read_text())


def test_narrow_terminals_ascii_and_no_colour(tmp_path):
    launches(tmp_path, 3, Run(**NOISE))
    launches(tmp_path, 3, Run(layout="openmp", threads=2, attrs={"valid": 0}, **NOISE))
    done = run(tmp_path, env={"COLUMNS": "60", "PYTHONIOENCODING": "ascii"})
    lines = done.stdout.splitlines()
    assert done.stdout.isascii() and max(map(len, lines)) <= 60
    assert "1x2" in done.stdout and "not shown for want of width" in done.stdout
    assert "\033" not in done.stdout


def test_hostile_text_never_reaches_the_terminal(tmp_path):
    path = write(tmp_path / "a.h5", Run(attrs={"warnings": "\033[2Jgone\x07"}))
    assert "\033" not in run(path).stdout


def test_colour_on_a_terminal_only(tmp_path):
    path = write(tmp_path / "a.h5", Run(attrs={"valid": 0}))
    for extra, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                            ({"TERM": "dumb"}, False)):
        ours, theirs = pty.openpty()
        subprocess.run([sys.executable, COMPARE, path], stdout=theirs, env={**CLEAN, **extra},
                       check=True)
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the end of a pty
            while chunk := os.read(ours, 4096):
                text += chunk
        os.close(ours)
        assert (b"\033[31mserial" in text) == coloured and b"INVALID" in text


def test_numbers_as_words():
    assert words.prefix([2.5e9, 3e6]) == (1e9, "G")
    assert words.prefix([0.0]) == (1, "")
    assert words.number(1.23456) == "1.235" and words.number(12345.6) == "12346"
    assert words.number(float("nan")) == words.UNKNOWN
    assert words.interval((0.5e9, 1.5e9), 1e9) == "[0.500, 1.500]"
    assert words.rate_unit("M", "clock read") == "M clock reads/s"


def test_blocks_are_bounded(tmp_path):
    """64 workers of one repetition at a time, whatever the trace's size."""
    path = write(tmp_path / "a.h5", Run(kernel="binning", layout="mpi", ranks=130, repetitions=2))
    trace = traces.read(path)
    shapes = [block.shape for _, _, block in trace.blocks()]
    assert shapes == [(64, 200), (64, 200), (2, 200)] * 2
    assert cells.measure(trace).rate == pytest.approx(130e9)


# ------------------------------------------------------------------------ finding a Python

def fake_python(folder, name="python3"):
    """A Python that cannot see installed modules (-S: no site-packages)."""
    folder.mkdir(exist_ok=True)
    fake = folder / name
    fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    fake.chmod(0o755)
    return fake


def script(tmp_path, modules):
    path = tmp_path / "script.py"
    path.write_text(f"import sys\nsys.path.insert(0, {str(COMPARE.parent)!r})\n"
                    f"import interpreter\ninterpreter.ensure({modules})\n"
                    "import os\nprint('ran', sys.argv[1:], 'BINDOT_PYTHON_TRIED' in os.environ)\n")
    return path


def test_another_python_takes_over(tmp_path):
    fake = fake_python(tmp_path / "bin")
    paths = os.pathsep.join([str(fake.parent), os.path.dirname(sys.executable)])
    done = subprocess.run([fake, script(tmp_path, "'numpy', 'h5py'"), "a b", "--c"],
                          capture_output=True, text=True, env={**CLEAN, "PATH": paths})
    assert done.stdout == "ran ['a b', '--c'] False\n" and not done.stderr


def test_an_unusable_wish_is_told(tmp_path):
    fake = fake_python(tmp_path / "bin")
    env = {**CLEAN, "BINDOT_PYTHON": str(fake),
           "PATH": os.pathsep.join([str(fake.parent), os.path.dirname(sys.executable)])}
    done = subprocess.run([fake, script(tmp_path, "'numpy'")], capture_output=True, text=True,
                          env=env)
    assert done.stdout.startswith("ran") and f"BINDOT_PYTHON={fake} cannot import" in done.stderr


def test_nobody_has_the_module(tmp_path):
    done = subprocess.run([sys.executable, script(tmp_path, "'sys', 'no_such_module'")],
                          capture_output=True, text=True,
                          env={**CLEAN, "PATH": str(fake_python(tmp_path / "bin").parent)})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
    for words_ in ("missing Python modules: no_such_module (", "python3-no_such_module",
                   "dnf install", "pip install no_such_module", "py-no_such_module"):
        assert words_ in done.stderr


def test_no_endless_loop(tmp_path):
    """A Python that passes the check and still lacks the module is not started twice."""
    liar = tmp_path / "liar" / "python3"
    liar.parent.mkdir()
    liar.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\necho again >> {tmp_path}/log\n'
                    f'exec "{sys.executable}" -S "$@"\n')
    liar.chmod(0o755)
    done = subprocess.run([liar, script(tmp_path, "'no_such_module'")], capture_output=True,
                          text=True, timeout=30, env={**CLEAN, "BINDOT_PYTHON": str(liar)})
    assert done.returncode == 2 and "no_such_module" in done.stderr
    assert (tmp_path / "log").read_text().count("again") == 2


def test_old_pythons_can_read_the_scripts_that_look_for_a_new_one():
    import ast
    for name in ("interpreter.py", "compare.py", "report.py", "nodes.py", "scaling.py"):
        text = (COMPARE.parent / name).read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 6))
        assert "from __future__" not in text  # a SyntaxError in 3.6


def test_python_stands_beside_c_and_its_ways_apart(tmp_path):
    """One group: CPython's ways are layouts; a task's own start is not a common one."""
    c = {"method": "counter", "lock": "none", "storage": "private", "panel": 0,
         "lock_interval_ns": 0}
    launches(tmp_path / "c", 3, Run(kernel="binning", attrs=c, **NOISE))
    ways = (("single", 1, "common"), ("threading", 2, "common"), ("multiprocessing", 2, "common"),
            ("multiprocessing", 2, "own"))
    for i, (way, workers, start) in enumerate(ways):
        attrs = {"method": way, "way": way, "start": start, "cpus": 2, "kernel_hash": "python",
                 "storage": "shared" if way == "threading" else "private"}
        launches(tmp_path / str(i), 3, Run(kernel="binning", layout="python", threads=workers,
                                           rate=1e7, seed=i + 1, attrs=attrs, **NOISE))
    [group] = groups(tmp_path, "--across-kernels")
    assert [(c["layout"], c["way"]) for c in group["cells"]] == [
        ("serial", ""), ("python", "single"), ("python", "multiprocessing"),
        ("python", "multiprocessing own start"), ("python", "threading")]
