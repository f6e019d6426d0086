"""Nobody waits for ever and nothing that was saved is lost, whoever is killed or told to stop."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import kit
import victims

SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 3},
          "hybrid": {"ranks": 2, "threads": 2}}  # fmt: skip
SHORT = ("binning", "--bins", "100", "--repeats", "1e6", "--warmup", "1ms")
LONG = ("binning", "--bins", "60000", "--repeats", "1e6", "--warmup", "1ms")  # 3 s each
TOGETHER = ("--inject", "bind=same-core")  # threads of a process on one CPU: INVALID
# A launcher that does not end the others when one is lost: they are on their own.
ALONE = ("--bind-to", "none", "--enable-recovery")
MANY = [(layout, victim) for layout in ("mpi", "hybrid") for victim in range(SHAPES[layout]["ranks"])]


def start(layout, path, words=SHORT, **how):
    return victims.Run(layout, path, *words, **{**SHAPES[layout], **how})


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def check_whole(path, least):
    """A trace that opens, with at least so many repetitions, all of them whole."""
    with h5py.File(path, "r") as trace:
        n = trace["repetition"].shape[0]
        assert n >= least
        assert np.array_equal(trace["counts"][:].sum(axis=2), trace["units"][:])
        assert np.all(trace["end_ns"][:] > trace["start_ns"][:])
        return text(trace.attrs["status"]), n


def check_judged(path, layout):
    """What was finished under TOGETHER has its verdict, although the run did not come to its end."""
    with h5py.File(path, "r") as trace:
        reasons = text(trace.attrs["invalid_reasons"])
        assert trace.attrs["valid"] == (reasons == "")
        assert "on one CPU" in reasons or "threads" not in SHAPES[layout]
        assert "warnings" in trace.attrs


def recovered(run, least):
    """What recover makes of the journal."""
    assert not run.path.exists()
    done = kit.run("serial", "recover", run.part)
    assert done.returncode == 0, done.stderr
    assert check_whole(run.path, least)[0] == "recovered"
    return done


def test_our_sentences_are_found_wherever_they_begin():
    """The helper of these tests: a launcher's words may come between, in the same line too."""
    text = "mpirun: one was lost\n-----bindot-mpi: rank 1 is gone\nbindot: no /x/bindot-mpi: here\nmore"
    assert kit.sentences(text) == ["bindot-mpi: rank 1 is gone", "bindot: no /x/bindot-mpi: here"]


@pytest.mark.parametrize("layout,victim", MANY)
def test_a_lost_rank_is_named_and_the_others_end(tmp_path, layout, victim):
    """kill -9 of one rank, under a launcher that leaves the others alone: they end by
    themselves, with one sentence that names rank and host; what had been reported is recovered."""
    with start(layout, tmp_path / "x.h5", (*SHORT, *TOGETHER), launch=ALONE) as run:
        run.wait_reported(2)
        victims.kill(run.ranks()[victim])
        run.end()
        assert len(run.own_lines()) == 1
        assert f"rank {victim} on {os.uname().nodename} is gone" in run.own_lines()[0]
        assert f"bindot-serial recover {run.part}" in run.own_lines()[0]
        recovered(run, run.reported())
    check_judged(run.path, layout)


@pytest.mark.skipif(not kit.SHIM.exists(), reason=f"no {kit.SHIM}: build with tests")
@pytest.mark.parametrize("victim", (0, 1))
def test_a_rank_that_cannot_begin_ends_all(tmp_path, victim):
    """One rank of two has no file left for its signals: one sentence, exit 1, and nobody waits for it."""
    words = [kit.program("mpi"), "dot", "--size", "1000", "-o", tmp_path / "x.h5"]
    fault = ["env", f"LD_PRELOAD={kit.SHIM}", f"FAILING_PIPE={errno.EMFILE}"]
    apps = [["-n", "1", *(fault if rank == victim else []), *words] for rank in (0, 1)]
    done = subprocess.run([*kit.MPIRUN, "--bind-to", "none", *apps[0], ":", *apps[1]], capture_output=True,
                          text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 1, done.stderr
    [told] = kit.own_lines(done)
    assert os.strerror(errno.EMFILE) in told and ("rank 1 of 2" in told) == (victim == 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ("mpi", "hybrid"))
def test_without_its_launcher_no_rank_goes_on(tmp_path, layout):
    """kill -9 of mpirun: no process is left, what had been reported is recovered."""
    with start(layout, tmp_path / "x.h5") as run:
        run.wait_reported(2)
        victims.kill(run.launcher)
        run.end()
        recovered(run, run.reported())


def thread_wakes(pid, name):
    """How often the thread of that name has woken up by itself."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            status = (task / "status").read_text()
            return int(status.split("voluntary_ctxt_switches:")[1].split()[0])
    return None


@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_watching_costs_nothing(tmp_path, layout):
    """The threads that wait for a death or a signal do not wake up while nothing happens."""
    names = ["bindot-stop"] + (["bindot-watch"] if "ranks" in SHAPES[layout] else [])
    with start(layout, tmp_path / "x.h5") as run:
        run.wait_reported(2)
        pids = run.ranks().values()

        def wakes():
            return [thread_wakes(pid, name) for pid in pids for name in names]

        for _ in range(20):  # on a busy machine they may still be on their way to sleep
            before = wakes()
            assert None not in before
            time.sleep(0.2)
            if wakes() == before:
                break
        run.wait_reported(run.reported() + 8)
        assert wakes() == before


def check_stopped(run, number, least):
    assert not run.part.exists()
    status, n = check_whole(run.path, least)
    assert status == "interrupted"
    with h5py.File(run.path, "r") as trace:
        assert trace.attrs["stop_signal"] == number
        assert text(trace.attrs["stopped_by"]) == "signal"
    return n


@pytest.mark.parametrize("layout,number", [("serial", signal.SIGINT), ("openmp", signal.SIGTERM),
                                           ("mpi", signal.SIGINT), ("hybrid", signal.SIGTERM)])
def test_term_does_not_wait_for_a_long_repetition(tmp_path, layout, number):
    """SIGTERM or SIGINT to one process inside a repetition of seconds: that one is dropped,
    the finished ones are the trace, exit 4."""
    with start(layout, tmp_path / "x.h5", (*LONG, *TOGETHER)) as run:
        run.wait_reported(1)
        pid = max(run.ranks().items())[1]
        finished = run.wait_inside(1)
        victims.kill(pid, number)
        assert run.process.wait(120) == 4
        assert check_stopped(run, number, finished) == run.reported()
        assert "stopped inside a repetition" in run.own_lines()[0]
    check_judged(run.path, layout)


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_usr1_waits_for_the_repetition(tmp_path, layout):
    """SIGUSR1 to one process: the repetition that runs is finished and saved, exit 4."""
    with start(layout, tmp_path / "x.h5", LONG) as run:
        run.wait_reported(1)
        pid = max(run.ranks().items())[1]
        finished = run.wait_inside(1)
        victims.kill(pid, signal.SIGUSR1)
        assert run.process.wait(120) == 4
        assert check_stopped(run, signal.SIGUSR1, finished + 1) == run.reported()


@pytest.mark.parametrize("layout", ("openmp", "mpi"))
def test_stopped_before_anything_is_finished(tmp_path, layout):
    """SIGTERM inside the first repetition: no trace, no journal, one line, exit 4."""
    with start(layout, tmp_path / "x.h5", ("binning", "--bins", "1e6", "--warmup", "1ms")) as run:
        run.wait_started()
        run.wait_inside(0)
        victims.kill(run.ranks()[0], signal.SIGTERM)
        assert run.process.wait(120) == 4
        assert "before the first repetition" in run.own_lines()[0]
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5.err"]


@pytest.mark.parametrize("words", (SHORT, LONG), ids=("short", "long"))
def test_term_through_mpirun_is_saved_in_time(tmp_path, words):
    """SIGTERM to mpirun, which kills soon after it has passed it on: the trace is there."""
    with start("mpi", tmp_path / "x.h5", words) as run:
        run.wait_reported(1)
        victims.kill(run.launcher, signal.SIGTERM)
        run.end()
        if run.part.exists():  # a busy machine: the kill came first
            recovered(run, run.reported())
        else:
            check_stopped(run, signal.SIGTERM, run.reported())


STUDY = kit.SOURCE / "drivers" / "study"
SMALL = ("--repeats", "3", "--warmup", "1ms", "--size", "1e5", "--allow-invalid")


def study(*words):
    return subprocess.run([STUDY, "quick", *words], env={**os.environ, "BINDOT_BUILD": str(kit.BUILD)},
                          capture_output=True, text=True, timeout=300, check=False)  # fmt: skip


def begin_study(folder, log, *words):
    with open(log, "ab") as out:
        return subprocess.Popen([STUDY, "quick", *words], stdout=out, stderr=out,
                                env={**os.environ, "BINDOT_BUILD": str(kit.BUILD)})  # fmt: skip


def launches_of(folder):
    """{pid: rank or None} of what measures into it."""
    return victims.processes(folder / "dot-")


def harm_study(folder, log, dice, whole_study, *words):
    """Lets it run for a while, and kills it or its launcher in the midst of a launch. Returns
    whether it had not come to its end."""
    running = begin_study(folder, log, *words)
    try:
        wanted = dice.randrange(1, 3) + len(list(folder.glob("*.h5")))
        while running.poll() is None and not (len(list(folder.glob("*.h5"))) >= wanted and launches_of(folder)):
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.5))
        cut = running.poll() is None
        if whole_study:
            victims.kill(running.pid)
        for pid in [pid for pid, rank in launches_of(folder).items() if rank is None and not whole_study]:
            victims.kill(pid)
        return running.wait(300) != 0 and cut
    finally:
        victims.kill(running.pid)


def table(script, *words):
    line = [sys.executable, kit.SOURCE / "analysis" / f"{script}.py", *words, "--json", "-"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows_of(folder):
    """What its tables say that does not depend on time: cells with their counts, statements."""
    cells = ("layout", "way", "language", "nodes", "ranks", "threads_per_rank", "blas_threads", "cores",
             "kernel_hash", "pinned", "launches", "launches_used")  # fmt: skip
    groups = ("kernel", "method", "size", "scaling", "unit", "title")
    compared = [([group[key] for key in groups], [[cell[key] for key in cells] for cell in group["cells"]])
                for group in table("compare", folder, "--allow-invalid")["groups"]]  # fmt: skip
    return compared, [(claim["key"], claim["experiment"]) for claim in table("claims", folder)["claims"]]


def values_of(folder):
    """{launch: bits of its results}."""
    found = {}
    for path in sorted(folder.glob("*.h5")):
        with h5py.File(path, "r") as trace:
            assert text(trace.attrs["status"]) == "complete"
            found[path.name] = trace["results/value"][:].tobytes()
    return found


def test_a_killed_study_makes_the_same_tables(tmp_path):
    """kill -9 of a study, then of its launcher, at random times: resumed, it has the rows, counts and
    bits of one that nothing disturbed; a launch that was cut is run anew, and nothing is left over."""
    dice, log, words = random.Random(11), tmp_path / "log", ("--kernels", "dot", "--launches", "2", "--seed", "5")
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    assert harm_study(cut, log, dice, True, *words, "--run-only", "-o", cut, "--", *SMALL)
    assert (cut / "plan.json").exists()
    harm_study(cut, log, dice, False, "--run-only", "--resume", cut)
    for _ in range(3):  # a launch that was killed counts as failed, and is run again when asked for
        again = study("--run-only", "--resume", cut)
        if again.returncode == 0:
            break
    assert again.returncode == 0, again.stdout + again.stderr + log.read_text()
    assert not victims.processes(cut)
    assert study(*words, "--run-only", "-o", whole, "--", *SMALL).returncode == 0
    planned = {f"{cell}-{number}.h5" for cell, number in json.loads((cut / "plan.json").read_text())["order"]}
    assert values_of(cut) == values_of(whole) and set(values_of(cut)) == planned
    assert rows_of(cut) == rows_of(whole)


def test_stress_in_short():
    """Three faults of each layout, a power cut where there can be one, as tests/stress plants them
    and resumes from them: none costs anything."""
    line = [kit.SOURCE / "tests" / "stress", "--runs", "12", "--seconds", "0.2", "--seed", "8"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults injected: 12, survived: 12, lost: 0" in done.stdout
