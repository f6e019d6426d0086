"""--resume: a run that was stopped or killed becomes the trace that an undisturbed one makes."""

import json
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

import kit
import same
import victims

SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 2},
          "hybrid": {"ranks": 2, "threads": 2}}  # fmt: skip
REPEATS = 20
TRIES = 20
QUICK = ("--repeats", REPEATS, "--warmup", "1ms")
WORK = {  # repetitions of some 20 ms, in which workers seldom meet: the machine may be busy
    "binning": ("binning", "--bins", "200", "--width", "100us", *QUICK),
    "dot": ("dot", "--size", "3e4", "--iterations", "4000", *QUICK),
    "as long as it takes": ("dot", "--size", "1e6", *QUICK),  # the warm-up chooses the iterations
    "partition": ("matmul", "--method", "partition", "--size", "500", "--iterations", "2", *QUICK),
    "summa": ("matmul", "--method", "summa", "--size", "500", "--panel", "128", "--iterations", "2", *QUICK),
    "marshal": ("marshal", "--size", "1e4", "--iterations", "40000", *QUICK),
}
RUNS = [("serial", "dot", "all"), ("openmp", "partition", "term"), ("mpi", "summa", "launcher"),
        ("hybrid", "binning", "usr1"), ("serial", "marshal", "term"), ("mpi", "as long as it takes", "one rank")]  # fmt: skip


def harm(run, fault):
    ranks = run.ranks()
    if fault == "all":
        for pid in [*ranks.values(), run.launcher]:
            victims.kill(pid)
    elif fault == "launcher":
        victims.kill(run.launcher)
    elif fault == "one rank":
        victims.kill(max(ranks.items())[1])
    else:
        victims.kill(min(ranks.items())[1], {"term": signal.SIGTERM, "usr1": signal.SIGUSR1}[fault])


def finished(path):
    """Rates of the finished repetitions, whether they are in a trace or in a journal."""
    if not path.exists():
        part = path.with_name("copy.h5.part")
        part.write_bytes(path.with_name(f"{path.name}.part").read_bytes())
        assert kit.run("serial", "recover", part, "--force").returncode == 0
        path = path.with_name("copy.h5")
    with h5py.File(path, "r") as file:
        return file["results/rate"][:]


def interrupted(layout, path, words, fault, dice):
    """Begins the run, or goes on with it, and harms it when some more is saved. Returns how many
    it has reported; None: it was too quick."""
    with victims.Run(layout, path, *words, "--resume", **SHAPES[layout]) as run:
        wanted = dice.randrange(1, 3)
        while run.reported() < wanted and run.process.poll() is None:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.03))
        reported = run.reported()
        harm(run, fault)
        run.end()
    return None if len(finished(path)) == REPEATS else reported


def interrupted_twice(layout, path, words, fault):
    """Sometimes a run is through before it is harmed: then once more."""
    dice = random.Random(f"{layout} {fault}")
    for _ in range(TRIES):
        reported = [interrupted(layout, path, words, fault, dice) for _ in range(2)]
        if None not in reported:
            return sum(reported)
        for left in path.parent.iterdir():
            left.unlink()
    pytest.fail("never quick enough to harm it")


def interrupted_once(path, words):
    """The same, of one worker."""
    dice = random.Random(str(words))
    for _ in range(TRIES):
        if interrupted("serial", path, words, "usr1", dice) is not None:
            return
        path.unlink()
    pytest.fail("never quick enough to harm it")


@pytest.mark.parametrize("layout,work,fault", RUNS)
def test_a_resumed_run_is_an_undisturbed_one(tmp_path, layout, work, fault):
    """Stopped or killed twice at random and resumed: the same values to the bit, as many
    repetitions, the same labels and tables; and nothing that was saved was measured again."""
    path, whole, words = tmp_path / "x.h5", tmp_path / "whole.h5", WORK[work]
    reported = interrupted_twice(layout, path, words, fault)
    kept = finished(path)
    assert reported <= len(kept) < REPEATS
    done = kit.run(layout, *words, "--allow-invalid", "-o", path, "--resume", **SHAPES[layout])
    assert done.returncode == 0, done.stderr
    assert f"goes on after {len(kept)} repetitions" in done.stdout
    done = kit.run(layout, *words, "--allow-invalid", "-o", whole, **SHAPES[layout])
    assert done.returncode == 0, done.stderr
    assert not path.with_name("x.h5.part").exists()
    assert same.differences(path, whole, kept, "--iterations" in words) == []
    with h5py.File(path, "r") as file:
        assert len(file["segment"]) >= 2
    if work in ("binning", "summa"):
        check_analysed(path, whole)


def analysis(script, *words):
    line = [sys.executable, kit.SOURCE / "analysis" / f"{script}.py", *words, "--json", "-"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_analysed(path, whole):
    """For the scripts, both are launches of one cell."""
    [group] = analysis("compare", "--allow-invalid", path, whole)["groups"]
    [cell] = group["cells"]
    assert cell["launches"] == 2
    assert any("1 of 2" in words and "--resume" in words for words in group["warnings"])
    if group["kernel"] == "binning":
        first, second = analysis("noise", path, whole)["traces"]
        for key in ("workers", "repetitions", "seconds_per_worker"):
            assert first[key] == second[key]


def test_killed_while_it_goes_on(tmp_path):
    """kill -9 at any instant of a run that resumes a trace: the trace stays whole as it was, until a
    longer one takes its place."""
    path, words, dice = tmp_path / "x.h5", WORK["binning"], random.Random(5)
    interrupted_once(path, words)
    before = path.read_bytes()
    for turn in range(8):
        if turn % 2:
            interrupted("serial", path, words, "all", dice)
        else:  # before it measures
            with victims.Run("serial", path, *words, "--resume") as run:
                time.sleep(dice.uniform(0, 0.1))
                victims.kill(run.launcher)
                run.end()
        assert path.read_bytes() == before or len(finished(path)) == REPEATS
    done = kit.run("serial", *words, "--allow-invalid", "-o", path, "--resume")
    assert done.returncode == 0, done.stderr
    assert len(finished(path)) == REPEATS


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A dot of one worker, stopped after some repetitions."""
    path = tmp_path_factory.mktemp("stopped") / "x.h5"
    interrupted_once(path, WORK["dot"])
    return path


OTHER = [  # what is not the same run: more options, a layout of its own, and what is told of it
    (("--size", "4e4"), {}, "size 30000, and now it is 40000"),
    (("--method", "library"), {}, "method 'blocked', and now it is 'library'"),
    (("--scaling", "weak"), {}, "scaling 'strong', and now it is 'weak'"),
    (("--repeats", "21"), {}, "repetitions_requested 20, and now it is 21"),
    (("--max-time", "60s"), {}, "max_time_ns 0, and now it is 60000000000"),
    (("--clock", "monotonic"), {}, "clock"),
    (("--label", "cell=b"), {}, "labels/cell not there, and now it is 'b'"),
    (("--bind", "none"), {}, "pinned 1, and now it is 0"),
    ((), {"layout": "openmp", "threads": 1}, "layout 'serial', and now it is 'openmp'"),
    ((), {"layout": "mpi", "ranks": 2}, "layout 'serial', and now it is 'mpi'"),
]  # fmt: skip


@pytest.mark.parametrize("more,how,told", OTHER)
def test_another_run_is_refused(stopped, more, how, told):
    """Exit 2 on every rank, one line that names what differs with both values; nothing is touched."""
    before = {path.name: path.read_bytes() for path in stopped.parent.iterdir()}
    how = {"layout": "serial", **how}
    done = kit.run(how.pop("layout"), *WORK["dot"], *more, "-o", stopped, "--resume", **how)
    assert done.returncode == 2, done.stdout + done.stderr
    [line] = kit.own_lines(done)
    assert f"--resume: {stopped} was begun with" in line and told in line
    assert {path.name: path.read_bytes() for path in stopped.parent.iterdir()} == before


def test_what_is_complete_is_not_touched(tmp_path):
    """Complete already, or nothing there: says so and exits 0; runs all of it."""
    path = tmp_path / "x.h5"
    line = (*WORK["dot"], "--allow-invalid", "-o", path, "--resume")
    assert kit.run("serial", *line).returncode == 0
    before = path.read_bytes(), path.stat()
    done = kit.run("serial", *line)
    assert done.returncode == 0 and done.stdout == f"{path} is complete\n"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before[0], before[1].st_mtime_ns)
    assert [found.name for found in tmp_path.iterdir()] == ["x.h5"]
    done = kit.run("serial", *line, "--size", "5e4")
    assert done.returncode == 2 and "size 30000, and now it is 50000" in done.stderr


def test_a_journal_without_repetitions_is_begun_anew(tmp_path):
    """A run that was killed early left nothing that counts; what is no journal is left alone."""
    path, part = tmp_path / "x.h5", tmp_path / "x.h5.part"
    line = (*WORK["dot"], "--allow-invalid", "-o", path, "--resume")
    part.write_bytes(b"somebody else's file")
    done = kit.run("serial", *line)
    assert done.returncode == 1 and "is not a journal" in done.stderr
    assert part.read_bytes() == b"somebody else's file" and not path.exists()
    for torn in (b"", b"bdj"):
        part.write_bytes(torn)
        assert kit.run("serial", *line).returncode == 0
        assert len(finished(path)) == REPEATS
        path.unlink()


def test_of_two_runs_none_is_lost(stopped, tmp_path):
    """A trace and the journal of another run: refused, both stay; so is a run that still goes on."""
    path, part = tmp_path / "x.h5", tmp_path / "x.h5.part"
    line = ("serial", *WORK["dot"], "-o", path, "--resume")
    with victims.Run("serial", path, *WORK["dot"], "--repeats", "1e6") as run:
        run.wait_reported(2)
        done = kit.run(*line)
        assert done.returncode == 1 and "still going" in done.stderr
        victims.kill(run.launcher)
        run.end()
    path.write_bytes(stopped.read_bytes())
    before = path.read_bytes(), part.read_bytes()
    done = kit.run(*line)
    assert done.returncode == 1 and "are of different runs" in done.stderr
    assert (path.read_bytes(), part.read_bytes()) == before

PYTHON = kit.SOURCE / "drivers" / "python"
IN_PYTHON = [("binning", "--way", "threading", "--workers", "2", "--bins", "400"),
             ("dot", "--way", "threading", "--workers", "2", "--size", "1e5", "--iterations", "1000")]  # fmt: skip


def python(*words):
    return [sys.executable, PYTHON, *map(str, words), *map(str, QUICK), "--allow-invalid"]


def lines_of(part):
    return part.read_bytes().count(b'"seen"') if part.exists() else 0


def stop_python(path, words, number):
    """When a repetition more is in its journal. Whether it was quick enough to stop it."""
    part = path.with_name(f"{path.name}.part")
    before = lines_of(part)
    run = subprocess.Popen(python(*words, "-o", path, "--resume"), stdout=subprocess.DEVNULL)
    while lines_of(part) == before and run.poll() is None:
        time.sleep(0.005)
    run.send_signal(number)
    return run.wait(120) != 0


@pytest.mark.parametrize("words", IN_PYTHON, ids=("binning", "dot"))
def test_python_goes_on(tmp_path, words):
    """drivers/python, killed and then stopped: the same values and tables, nothing measured again."""
    path, whole, part = tmp_path / "x.h5", tmp_path / "whole.h5", tmp_path / "x.h5.part"
    for _ in range(TRIES):
        if stop_python(path, words, signal.SIGKILL) and stop_python(path, words, signal.SIGTERM):
            break
        for left in tmp_path.iterdir():
            left.unlink()
    else:
        pytest.fail("never quick enough to stop it")
    with h5py.File(path, "r") as file:
        assert file.attrs["status"] == b"interrupted"
        kept = file["results/rate"][:]
    assert len(kept) == lines_of(part) >= 2
    refused = subprocess.run(python(*words, "-o", path, "--resume", "--label", "a=b"), capture_output=True,
                             text=True, timeout=120, check=False)  # fmt: skip
    assert refused.returncode == 2 and "labels/a not there, and now it is 'b'" in refused.stderr
    for output in ((path, "--resume"), (whole,)):
        subprocess.run(python(*words, "-o", *output), check=True, stdout=subprocess.DEVNULL, timeout=120)
    with h5py.File(path, "r") as file, h5py.File(whole, "r") as other:
        assert same.shape(file) == same.shape(other)
        assert np.array_equal(file["results/rate"][: len(kept)], kept)
        if "results/value" in file:
            assert file["results/value"][:].tobytes() == other["results/value"][:].tobytes()
        assert file["segments/first_repetition_index"][:].tolist()[-1] == len(kept)
    assert not part.exists()
    again = subprocess.run(python(*words, "-o", path, "--resume"), capture_output=True, text=True,
                           timeout=120, check=True)  # fmt: skip
    assert again.stdout == f"{path} is complete\n"
