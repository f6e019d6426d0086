"""Nobody waits for ever and nothing that was saved is lost, whoever is killed or told to stop."""

import json
import os
import signal
import subprocess
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
LONG = ("binning", "--bins", "24000", "--repeats", "1e6", "--warmup", "1ms")  # 1.2 s each
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


def recovered(run, least):
    """What recover makes of the journal."""
    assert not run.path.exists()
    done = kit.run("serial", "recover", run.part)
    assert done.returncode == 0, done.stderr
    assert check_whole(run.path, least)[0] == "recovered"
    return done


@pytest.mark.parametrize("layout,victim", MANY)
def test_a_lost_rank_is_named_and_the_others_end(tmp_path, layout, victim):
    """kill -9 of one rank, under a launcher that leaves the others alone: within seconds they
    end, with one sentence that names rank and host; what had been reported is recovered."""
    with start(layout, tmp_path / "x.h5", launch=ALONE) as run:
        run.wait_reported(2)
        victims.kill(run.ranks()[victim])
        assert run.end()[1] < 15
        assert len(run.own_lines()) == 1
        assert f"rank {victim} on {os.uname().nodename} is gone" in run.own_lines()[0]
        assert f"bindot-serial recover {run.part}" in run.own_lines()[0]
        recovered(run, run.reported())


@pytest.mark.parametrize("layout", ("mpi", "hybrid"))
def test_without_its_launcher_no_rank_goes_on(tmp_path, layout):
    """kill -9 of mpirun: no process is left, what had been reported is recovered."""
    with start(layout, tmp_path / "x.h5") as run:
        run.wait_reported(2)
        victims.kill(run.launcher)
        assert run.end()[1] < 15
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
        before = [thread_wakes(pid, name) for pid in pids for name in names]
        assert None not in before
        run.wait_reported(run.reported() + 8)
        assert [thread_wakes(pid, name) for pid in pids for name in names] == before


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
    with start(layout, tmp_path / "x.h5", LONG) as run:
        run.wait_reported(1)
        time.sleep(0.2)
        begin = time.monotonic()
        victims.kill(max(run.ranks().items())[1], number)
        status = run.process.wait(30)
        assert status == 4
        assert time.monotonic() - begin < 10
        assert check_stopped(run, number, 1) == run.reported()
        assert "stopped inside a repetition" in run.own_lines()[0]


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_usr1_waits_for_the_repetition(tmp_path, layout):
    """SIGUSR1 to one process: the repetition that runs is finished and saved, exit 4."""
    with start(layout, tmp_path / "x.h5", LONG) as run:
        run.wait_reported(1)
        time.sleep(0.2)
        victims.kill(max(run.ranks().items())[1], signal.SIGUSR1)
        assert run.process.wait(30) == 4
        assert check_stopped(run, signal.SIGUSR1, 2) == run.reported() == 2


@pytest.mark.parametrize("layout", ("openmp", "mpi"))
def test_stopped_before_anything_is_finished(tmp_path, layout):
    """SIGTERM inside the first repetition: no trace, no journal, one line, exit 4."""
    with start(layout, tmp_path / "x.h5", ("binning", "--bins", "1e6", "--warmup", "1ms")) as run:
        end = time.monotonic() + 30
        while not run.part.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        time.sleep(0.5)
        victims.kill(run.ranks()[0], signal.SIGTERM)
        assert run.process.wait(30) == 4
        assert "before the first repetition" in run.own_lines()[0]
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5.err"]


@pytest.mark.parametrize("words", (SHORT, LONG), ids=("short", "long"))
def test_term_through_mpirun_is_saved_in_time(tmp_path, words):
    """SIGTERM to mpirun, which kills soon after it has passed it on: the trace is there."""
    with start("mpi", tmp_path / "x.h5", words) as run:
        run.wait_reported(1)
        victims.kill(run.launcher, signal.SIGTERM)
        assert run.end()[1] < 20
        if run.part.exists():  # a busy machine: the kill came first
            recovered(run, run.reported())
        else:
            check_stopped(run, signal.SIGTERM, run.reported())


def test_a_killed_study_resumes_to_the_same_cells(tmp_path):
    """kill -9 of a study: its launch ends as well; resumed, every launch of the plan is there once."""
    line = [kit.SOURCE / "drivers" / "study", "quick", "--kernels", "dot", "--launches", "2"]
    environment = dict(os.environ, BINDOT_BUILD=str(kit.BUILD))
    folder = tmp_path / "s"
    with open(tmp_path / "log", "wb") as log:
        study = subprocess.Popen([*line, "-o", folder], env=environment, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while len(list(folder.glob("*.h5"))) < 2 or not list(folder.glob("*.part")):
        assert study.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    victims.kill(study.pid)
    study.wait()
    again = subprocess.run([*line[:2], "--resume", folder], env=environment, capture_output=True,
                           text=True, timeout=120, check=False)  # fmt: skip
    assert again.returncode in (0, 3), again.stdout + again.stderr
    assert not victims.processes(folder)
    planned = {f"{cell}-{number}" for cell, number in json.loads((folder / "plan.json").read_text())["order"]}
    assert {path.stem for path in folder.glob("*.h5")} == planned
    for path in folder.glob("*.h5"):
        with h5py.File(path, "r") as trace:
            assert text(trace.attrs["status"]) == "complete"


def test_stress_in_short():
    """A dozen seeded faults of all kinds, as tests/stress plants them: none costs anything."""
    line = [kit.SOURCE / "tests" / "stress", "--runs", "12", "--seconds", "0.3", "--seed", "8"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "faults injected: 12, survived: 12, lost: 0" in done.stdout
