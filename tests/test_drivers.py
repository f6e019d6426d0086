"""Each driver, really run: it measures, says how it ended, and leaves a whole trace or none."""

import os
import pathlib
import re
import signal
import subprocess

import h5py
import numpy as np
import pytest

import kit
import victims

SHORT = ("--warmup", "1ms", "--repeats", "3", "--allow-invalid", "--quiet")
KERNELS = {
    "binning": ("--bins", "200", "--width", "50us"),
    "dot": ("--size", "100000"),
    "matmul": ("--size", "200"),
    "marshal": ("--size", "10000"),
}
SHAPES = {"serial": {}, "openmp": {"threads": 2}, "mpi": {"ranks": 2},
          "hybrid": {"ranks": 2, "threads": 2}}  # fmt: skip
WORKERS = {"serial": 1, "openmp": 2, "mpi": 2, "hybrid": 4}


def measure(tmp_path, layout, kernel, *words, how=None, name="run.h5"):
    path = tmp_path / name
    done = kit.run(layout, kernel, *KERNELS[kernel], *SHORT, *words, "-o", path,
                   **(SHAPES[layout] if how is None else how))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not path.with_name(path.name + ".part").exists()
    return h5py.File(path, "r")


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize("layout", kit.LAYOUTS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_contract(tmp_path, layout, kernel):
    """Every kernel under every layout leaves the names that scripts rely on, with their shapes."""
    method = ("--method", "partition") if kernel == "matmul" else ()
    with measure(tmp_path, layout, kernel, *method) as trace:
        workers = WORKERS[layout]
        assert text(trace.attrs["kernel"]) == kernel
        assert text(trace.attrs["layout"]) == layout
        assert text(trace.attrs["status"]) == "complete"
        assert trace.attrs["valid"] in (0, 1)
        assert trace.attrs["workers"] == workers
        assert len(text(trace.attrs["kernel_hash"])) == 64
        for name in ("start_ns", "end_ns", "compute_ns", "wait_ns", "combine_ns", "units"):
            assert trace[name].shape == (3, workers)
        assert np.all(trace["end_ns"][:] > trace["start_ns"][:])
        spent = trace["compute_ns"][:] + trace["wait_ns"][:] + trace["combine_ns"][:]
        assert np.all(np.abs(spent - (trace["end_ns"][:] - trace["start_ns"][:])) <= 5)
        assert np.all(trace["results/rate"][:] > 0)
        assert trace["workers/rank"][:].tolist() == sorted(trace["workers/rank"][:].tolist())
        for column in ("cpu", "core", "numa_node", "pid", "tid", "bound", "node_index"):
            assert trace["workers"][column].shape == (workers,)
        assert len(set(trace["workers/tid"][:].tolist())) == workers
        assert text(trace["nodes/hostname"][0]) == os.uname().nodename
        assert text(trace["topologies/xml"][0]).startswith("<?xml")
        total = trace["units"][:].sum(axis=1)
        assert np.allclose(trace["results/rate"][:] * trace["results/seconds"][:], total)


@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_binning_counts(tmp_path, layout):
    """The sum of all counts is the number of clock reads, and bins are as wide as they say."""
    with measure(tmp_path, layout, "binning") as trace:
        counts = trace["counts"][:]
        assert counts.shape == (3, WORKERS[layout], 200)
        assert np.array_equal(counts.sum(axis=2), trace["units"][:])
        assert trace["lost_ns"][:].max() <= 50_001
        rates = [float(trace["clock"].attrs["ticks_per_ns" + end]) for end in ("", "_at_start")]
        assert abs(rates[0] / rates[1] - 1) < 50e-6
        assert np.allclose(trace["results/seconds"][:], 200 * 50e-6)
        worker, repetition = trace["detours/worker_index"][:], trace["detours/repetition_index"][:]
        listed = np.zeros((3, WORKERS[layout]), dtype=np.int64)
        np.add.at(listed, (repetition, worker), trace["detours/length_ns"][:])
        whole = trace["detours/dropped"][:] == 0
        lost = trace["lost_ns"][:].astype(np.int64).sum(axis=2)
        # each bin and each detour is rounded to a nanosecond
        assert np.all(np.abs(lost - listed)[whole] <= 200 + len(worker))


@pytest.mark.parametrize("kernel,most,code", [("dot", 2, 0), ("binning", 2, 0), ("dot", 1, 2), ("matmul", 2, 2)])
def test_processes_need_not_be_alike(tmp_path, kernel, most, code):
    """One process is told by its environment how many threads it has, perhaps too many, the other counts
    its cores: they run or refuse together, and nobody waits for ever. A library's threads are alike."""
    path, words = tmp_path / "x.h5", [kit.program("hybrid"), kernel, *KERNELS[kernel], *SHORT]
    told = ["-n", "1", "env", "OMP_NUM_THREADS=2", f"OMP_THREAD_LIMIT={most}", *words, "-o", path]
    counts = ["-n", "1", *(["env", "OMP_NUM_THREADS=1"] if kernel == "matmul" else []), *words, "-o", path]
    done = subprocess.run([*kit.MPIRUN, "--bind-to", "none", *told, ":", *counts], capture_output=True,
                          text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == code, done.stderr
    assert len(kit.own_lines(done)) == (code > 0)
    if code == 0:
        with h5py.File(path, "r") as trace:
            each = np.bincount(trace["workers/rank"][:])
            assert each[0] == 2 and each.sum() == trace.attrs["workers"]
            assert ("threads_per_rank" in trace.attrs) == (each[1] == 2)


def test_same_bits(tmp_path):
    """The dot product has one bit pattern under every layout and split."""
    shapes = [("serial", {})]
    shapes += [("openmp", {"threads": n}) for n in (1, 2, 3, 7)]
    shapes += [("mpi", {"ranks": n}) for n in (1, 2, 3, 5)]
    shapes += [("hybrid", {"ranks": r, "threads": t}) for r, t in ((1, 2), (2, 3), (3, 2))]
    values = set()
    for i, (layout, how) in enumerate(shapes):
        with measure(tmp_path, layout, "dot", "--iterations", "2", how=how, name=f"{i}.h5") as trace:
            values |= {float(value).hex() for value in trace["results/value"][:]}
    assert len(values) == 1


def test_weak_scaling(tmp_path):
    """Weak: the size is each worker's."""
    how = {"threads": 2}
    with measure(tmp_path, "openmp", "dot", "--scaling", "weak", "--iterations", "1", how=how) as t:
        assert t["units"][:].sum(axis=1).tolist() == [200_000] * 3


def test_hashes_agree(tmp_path):
    """All four drivers hold the same kernels."""
    hashes = set()
    for layout in kit.LAYOUTS:
        with measure(tmp_path, layout, "dot", name=layout + ".h5") as trace:
            hashes.add(text(trace.attrs["kernel_hash"]))
    assert len(hashes) == 1


def test_pinning_trap(tmp_path):
    """Two threads inside mpirun's one-core binding: INVALID, exit 3, and the reason said."""
    path = tmp_path / "trap.h5"
    words = ("binning", "--bins", "50", "--repeats", "2", "--warmup", "1ms", "-o", path)
    how = {"ranks": 1, "threads": 2, "launch": ("--bind-to", "core")}
    done = kit.run("hybrid", *words, **how)
    assert done.returncode == 3
    assert "INVALID" in done.stdout
    with h5py.File(path, "r") as trace:
        assert trace.attrs["valid"] == 0
        assert "on one CPU (2 of 2 workers)" in text(trace.attrs["invalid_reasons"])
        assert set(trace["workers/cpu"][:]) == {trace["workers/cpu"][0]}
    done = kit.run("hybrid", *words, "--force", "--allow-invalid", **how)
    assert done.returncode == 0
    with h5py.File(path, "r") as trace:
        assert trace.attrs["valid"] == 0


@pytest.mark.skipif(kit.CORES < 2, reason="needs two cores")
@pytest.mark.parametrize("layout,how", [("openmp", {"threads": 2}), ("mpi", {"ranks": 2}),
                                        ("hybrid", {"ranks": 2, "threads": 1}),
                                        ("hybrid", {"ranks": 1, "threads": 2})])  # fmt: skip
def test_good_seating(tmp_path, layout, how):
    """Two workers on two cores are pinned apart, and no lasting finding is raised."""
    with measure(tmp_path, layout, "binning", how=how) as trace:
        assert len(set(trace["workers/core"][:].tolist())) == 2
        assert trace["workers/bound"][:].tolist() == [1, 1]
        assert not np.any(trace["workers/findings"][:] & 0b11111)


def test_no_page_fault_is_measured(tmp_path):
    """Memory is touched before the clock runs."""
    for layout in ("serial", "openmp"):
        with measure(tmp_path, layout, "binning", name=layout + ".h5") as trace:
            assert np.all(trace["workers/minor_faults"][:] == 0)


def late(tmp_path, *words):
    """Share of repetitions that began late."""
    with measure(tmp_path, "serial", "binning", "--repeats", "30", "--force", *words) as trace:
        return (trace["workers/findings"][:] & 32 > 0).mean()


def test_preparing_makes_nobody_late(tmp_path):
    """A long list to empty before each repetition does not eat the time until the start: other
    programs make it late as often as with a short one."""
    for _ in range(5):
        long, short = late(tmp_path, "--detours", "5e6"), late(tmp_path)
        if long <= short + 0.3:
            return
    pytest.fail(f"late: {long:.0%} of repetitions, with a short list {short:.0%}")


BAD = [
    (),
    ("dance",),
    ("binning", "dot"),
    ("binning", "--width", "50"),
    ("binning", "--width", "0us"),
    ("binning", "--bins", "-5"),
    ("binning", "--bins", "1.5"),
    ("binning", "--size", "5"),
    ("binning", "--scaling", "weak"),
    ("binning", "--detour", "1ms"),
    ("dot", "--size", "nan"),
    ("dot", "--size", "1e99"),
    ("dot", "--size"),
    ("dot", "--method", "magic"),
    ("dot", "--scaling", "sideways"),
    ("dot", "--until-ci", "5"),
    ("dot", "--repeats", "0"),
    ("dot", "--label", "novalue"),
    ("dot", "--bind", "maybe"),
    ("dot", "--unknown"),
    ("dot", "-z"),
    ("dot", "--threads", "0"),
    ("dot", "--size", "1e13"),
    ("marshal", "--method", "library"),
    ("recover",),
]


@pytest.mark.parametrize("words", BAD, ids=" ".join)
@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_bad_usage(tmp_path, layout, words):
    """Exit 2, one line, nothing written."""
    line = [kit.program(layout), *words]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    check_usage(tmp_path, layout, done)


@pytest.mark.parametrize("words", BAD[1:24:5], ids=" ".join)
@pytest.mark.parametrize("layout", ("mpi", "hybrid"))
def test_bad_usage_of_many(tmp_path, layout, words):
    """The same on three ranks: the line comes once, and nobody waits."""
    done = kit.run(layout, *words, cwd=tmp_path, ranks=3)
    check_usage(tmp_path, layout, done)


def check_usage(tmp_path, layout, done):
    assert done.returncode == 2
    lines = kit.own_lines(done)
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"bindot-{layout}: ")
    assert list(tmp_path.iterdir()) == []


def test_threads_beyond_the_driver(tmp_path):
    """serial and mpi run one thread in a process and say so."""
    for layout in ("serial", "mpi"):
        done = kit.run(layout, "dot", "--threads", "2", cwd=tmp_path)
        assert done.returncode == 2
        assert "at most 1" in kit.own_lines(done)[0]


def test_one_rank_fails_alone(tmp_path):
    """A mistake on one rank only ends all of them, and is told with its rank."""
    one = [kit.program("mpi"), "dot", "--size", "1000", "-o", str(tmp_path / "x.h5")]
    line = [*kit.MPIRUN, "-n", "1", *one, ":", "-n", "1", *one, "--size", "1e13"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "(rank 1 of 2)" in kit.own_lines(done)[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_bad_place(tmp_path, layout):
    """A path that cannot be written: exit 1, one line, before anything is measured."""
    how = {"ranks": 2} if layout == "mpi" else {}
    done = kit.run(layout, "dot", "-o", tmp_path / "none" / "x.h5", **how)
    assert done.returncode == 1
    assert "No such file" in kit.own_lines(done)[0]


def test_nothing_is_overwritten(tmp_path):
    """An existing trace stays as it is unless --force is given."""
    path = tmp_path / "x.h5"
    path.write_text("mine")
    done = kit.run("serial", "dot", *SHORT, "-o", path)
    assert done.returncode == 1
    assert path.read_text() == "mine"
    assert kit.run("serial", "dot", *SHORT, "-o", path, "--force").returncode == 0
    with h5py.File(path, "r") as trace:
        assert text(trace.attrs["status"]) == "complete"


def test_a_directory_gets_a_name(tmp_path):
    """-o DIR and no -o make a name of kernel and layout."""
    assert kit.run("serial", "dot", *SHORT, "-o", tmp_path).returncode == 0
    assert kit.run("serial", "dot", *SHORT, cwd=tmp_path).returncode == 0
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2
    assert all(re.fullmatch(r"dot-serial-1x1-\d{8}T\d{6}-\d+\.h5", name) for name in names)


def start(layout, path, **how):
    words = ("binning", "--bins", "100", "--width", "50us", "--repeats", "1e6", "--warmup", "1ms")
    return victims.Run(layout, path, *words, **how)


@pytest.mark.parametrize("layout", kit.LAYOUTS)
def test_killed_run_is_recovered(tmp_path, layout):
    """kill -9 of everything: no trace under the real name; recover gives the whole repetitions."""
    path = tmp_path / "k.h5"
    part = tmp_path / "k.h5.part"
    with start(layout, path, **SHAPES[layout]) as run:
        run.wait_reported(2)
        for pid in [run.launcher, *victims.processes(path)]:
            victims.kill(pid)
        run.end()
        reported = run.reported()
    assert not path.exists()
    done = kit.run("serial", "recover", part)
    assert done.returncode == 0, done.stderr
    assert not part.exists()
    with h5py.File(path, "r") as trace:
        assert text(trace.attrs["status"]) == "recovered"
        n = trace["repetition"].shape[0]
        assert n >= reported
        assert trace["counts"].shape == (n, WORKERS[layout], 100)
        assert np.array_equal(trace["counts"][:].sum(axis=2), trace["units"][:])


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1))
@pytest.mark.parametrize("layout", ("serial", "openmp"))
def test_stopped_run_is_saved(tmp_path, layout, number):
    """A signal ends the run after the repetition: exit 4, a whole trace that says so."""
    path = tmp_path / "s.h5"
    with start(layout, path, **SHAPES[layout]) as run:
        run.wait_reported(1)
        run.process.send_signal(number)
        assert run.process.wait(120) == 4
    with h5py.File(path, "r") as trace:
        assert text(trace.attrs["status"]) == "interrupted"
        assert trace.attrs["stop_signal"] == number


def test_usr1_through_mpirun_is_saved(tmp_path):
    """mpirun hands SIGUSR1 on: all ranks stop at the same repetition."""
    path = tmp_path / "s.h5"
    with start("mpi", path, ranks=2) as run:
        run.wait_reported(1)
        victims.kill(run.launcher, signal.SIGUSR1)
        run.end()
    with h5py.File(path, "r") as trace:
        assert text(trace.attrs["status"]) == "interrupted"
        assert trace["counts"].shape[:2] == (trace["repetition"].shape[0], 2)


def test_until_ci_and_max_time(tmp_path):
    """--until-ci stops at a look, or says that it could not within --max-time."""
    wide = ("dot", "--size", "1e5", "--until-ci", "50%", "--warmup", "1ms", "--quiet",
            "--allow-invalid")  # fmt: skip
    assert kit.run("serial", *wide, "-o", tmp_path / "a.h5").returncode == 0
    with h5py.File(tmp_path / "a.h5", "r") as trace:
        assert text(trace.attrs["stopped_by"]) == "until-ci"
        looks = [10]
        while looks[-1] < trace["repetition"].shape[0]:
            looks.append(looks[-1] * 3 // 2)
        assert trace["repetition"].shape[0] == looks[-1]
    tight = ("dot", "--size", "1e5", "--until-ci", "0.0001%", "--max-time", "300ms", "--warmup",
             "1ms", "--allow-invalid")  # fmt: skip
    done = kit.run("serial", *tight, "-o", tmp_path / "b.h5")
    assert done.returncode == 0
    assert "max-time" in done.stdout
    with h5py.File(tmp_path / "b.h5", "r") as trace:
        assert text(trace.attrs["stopped_by"]) == "max-time"


def test_environment_without_secrets(tmp_path):
    """What steers a run is kept; what looks like a secret is not."""
    env = {"OMP_PLACES": "cores", "SLURM_JWT": "s3cret", "OMPI_MCA_api_token": "s3cret",
           "SLURM_JOB_ID": "17", "HOME_PASSWORD": "s3cret"}  # fmt: skip
    path = tmp_path / "e.h5"
    kit.run("serial", "dot", *SHORT, "--label", "site=a/b $(c)", "-o", path, env=env)
    with h5py.File(path, "r") as trace:
        kept = dict(trace["provenance/environment"].attrs)
        assert text(kept["OMP_PLACES"]) == "cores"
        assert text(kept["SLURM_JOB_ID"]) == "17"
        assert text(trace["labels"].attrs["site"]) == "a/b $(c)"
    assert b"s3cret" not in path.read_bytes()


def test_command_repeats_itself(tmp_path):
    """The command line in a trace is one that a shell takes again."""
    path = tmp_path / "it's here.h5"
    assert kit.run("serial", "dot", *SHORT, "-o", path).returncode == 0
    with h5py.File(path, "r") as trace:
        again = text(trace["provenance"].attrs["command_line"])
    assert again.startswith("bindot-serial dot")
    line = f"PATH={kit.BUILD}:$PATH; {again} --force"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0


def test_help_teaches():
    """--help goes to standard output, once, with examples and the exit status."""
    for layout in kit.LAYOUTS:
        how = {"ranks": 2} if layout in ("mpi", "hybrid") else {}
        done = kit.run(layout, "--help", **how)
        assert done.returncode == 0
        assert done.stdout.count("Exit status:") == 1
        assert "Examples:" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("layout", ("serial", "openmp", "mpi"))
@pytest.mark.parametrize("unit", ("alu", "memory"))
def test_units(tmp_path, layout, unit):
    """Other units are counted as exactly as clock reads, and take longer."""
    with measure(tmp_path, layout, "binning", "--unit", unit) as trace:
        assert text(trace.attrs["work_unit"]) == unit
        assert np.array_equal(trace["counts"][:].sum(axis=2), trace["units"][:])
        assert trace["counts"][:].max() < 50_000 / 12  # a bare read takes 20 ns at most


@pytest.mark.parametrize("storage", ("shared", "atomic"))
def test_storage(tmp_path, storage):
    """In a shared table each worker has its column; in one column only the sum is left."""
    with measure(tmp_path, "openmp", "binning", "--storage", storage, how={"threads": 3}) as trace:
        counts, units = trace["counts"][:].astype(np.int64), trace["units"][:]
        assert np.array_equal(counts.sum(axis=(1, 2)), units.sum(axis=1))
        if storage == "shared":
            assert np.array_equal(counts.sum(axis=2), units)
        else:
            assert counts[:, 1:].sum() == 0


def test_waiting_is_no_work(tmp_path):
    """--wait: a unit blocks; its worker uses little CPU time, and many wait at once."""
    how = {"threads": 4}
    with measure(tmp_path, "openmp", "binning", "--wait", "500us", how=how) as trace:
        window = 200 * 50e-6
        assert text(trace.attrs["unit"]) == "wait"
        assert trace["units"][:].max() <= window / 500e-6
        at_once = (trace["units"][:] > 0).sum(axis=1)
        assert np.median(at_once) >= 3
        assert np.median(trace["workers/cpu_time_ns"][:]) < 1e9 * window / 4


@pytest.mark.parametrize("layout", ("openmp", "mpi", "hybrid"))
def test_sync_every(tmp_path, layout):
    """Workers that meet after every few bins all come to the end, and nothing is lost."""
    with measure(tmp_path, layout, "binning", "--sync-every", "7") as trace:
        assert trace.attrs["sync_every"] == 7
        assert np.array_equal(trace["counts"][:].sum(axis=2), trace["units"][:])


def test_first_and_last_stamp(tmp_path):
    """The first unit comes after the start, the last one inside the window."""
    with measure(tmp_path, "openmp", "binning") as trace:
        first, last = trace["workers/first_ns"][:], trace["workers/last_ns"][:]
        done = trace["units"][:] > 0
        assert done.any()
        assert np.all((first >= trace["start_ns"][:])[done])
        assert np.all((last <= trace["end_ns"][:])[done])
        assert np.all((first <= last)[done])


def test_planted_same_core(tmp_path):
    """bind=same-core: found, and named."""
    with measure(tmp_path, "openmp", "dot", "--inject", "bind=same-core") as trace:
        assert trace.attrs["valid"] == 0
        assert "on one CPU" in text(trace.attrs["invalid_reasons"])
        assert text(trace.attrs["inject"]) == "bind=same-core"


def grid_scores(trace):
    """Of each worker: are its detours of about 0.73 ms on a grid of 7.3 ms? Rayleigh's
    statistic of their phases: of random phases it is above 20 once in 5e8 times."""
    worker, start = trace["detours/worker_index"][:], trace["detours/start_ns"][:]
    length = trace["detours/length_ns"][:]
    scores = []
    for who in (0, 1):
        mine = start[(worker == who) & (length > 715_000) & (length < 850_000)]
        phases = np.exp(2j * np.pi * (mine % 7_300_000) / 7_300_000)
        scores.append(abs(phases.sum()) ** 2 / max(1, len(mine)))
    return scores


@pytest.mark.skipif(kit.CORES < 2, reason="needs two cores")
@pytest.mark.parametrize("victim", (0, 1))
def test_planted_steal(tmp_path, victim):
    """A tenth of one worker's CPU is taken, every 7.3 ms: seen on that worker and not on the other.

    Where other programs fill the cores the thief's marks are few: then it is tried again."""
    words = ("--inject", f"steal=10%@worker{victim}", "--bins", "10000", "--force")
    for _ in range(10):
        with measure(tmp_path, "openmp", "binning", *words) as trace:
            scores = grid_scores(trace)
        if scores[victim] > 20 and scores[victim] > 3 * scores[1 - victim]:
            return
    pytest.fail(f"no mark of the thief: {scores}")


@pytest.mark.parametrize("layout", ("serial", "mpi"))
def test_planted_death(tmp_path, layout):
    """A rank that dies leaves no trace, a journal, and nobody waiting."""
    path, how = tmp_path / "x.h5", {"ranks": 2} if layout == "mpi" else {}
    victim = 1 if layout == "mpi" else 0
    done = kit.run(layout, "binning", "--bins", "100", "--warmup", "1ms", "--repeats", "1e6", "--inject",
                   f"kill=after2s@rank{victim}", "--allow-invalid", "-o", path, **how)  # fmt: skip
    assert done.returncode not in (0, 3)
    assert not path.exists()
    assert kit.run("serial", "recover", tmp_path / "x.h5.part").returncode == 0
    with h5py.File(path, "r") as trace:
        assert trace["repetition"].shape[0] >= 1


BAD_FAULTS = ("steal=5%@worker9", "slow=5%@node3", "kill=after1s@rank5", "steal=5%", "steal=5@worker0",
              "kill=after3@rank0", "bind=other", "nodes=2", "skew=1us@node1", "drift=50ppm@node7", "")  # fmt: skip


@pytest.mark.parametrize("fault", BAD_FAULTS)
def test_bad_faults(tmp_path, fault):
    """A fault that would hit nobody, or that is no fault, is refused."""
    line = [kit.program("serial"), "dot", "--inject", fault]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    check_usage(tmp_path, "serial", done)


def test_gil_is_free_while_waiting(tmp_path):
    """Waits overlap although the lock is one: it is dropped around each."""
    def waits(threads):
        words = ("--lock", "gil", "--wait", "1ms", "--bins", "2000", "--force")
        with measure(tmp_path, "openmp", "binning", *words, how={"threads": threads}) as trace:
            return np.median(trace["units"][:].sum(axis=1))

    found = []
    for _ in range(5):  # a busy machine wakes them late, at times one more than the others
        found.append((waits(1), waits(4)))
        if found[-1][1] > 1.5 * found[-1][0]:
            return
    pytest.fail(f"waits of one and of four: {found}")


@pytest.mark.parametrize("words,crowded", [
    ((), True), (("--lock", "gil:1ms"), False), (("--wait", "200us"), False)])  # fmt: skip
def test_who_takes_turns_needs_no_cpu_of_his_own(tmp_path, words, crowded):
    """More workers than CPUs are no fault where one lock or time is what they wait for."""
    how = {"threads": kit.CORES + 2}
    with measure(tmp_path, "openmp", "binning", *words, how=how) as trace:
        seen = int(np.bitwise_or.reduce(trace["workers/findings"][:].ravel()))
        assert (seen & 0b111 > 0) == crowded
        assert crowded or not seen & 32  # nor is anybody late for a lock


@pytest.fixture
def tenth_of_a_cpu():
    """A control group (v1) whose quota pays for a tenth of a CPU, less than a busy machine leaves;
    skipped where none can be made."""
    group = pathlib.Path("/sys/fs/cgroup/cpu") / f"bindot-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text("10000")
    except OSError as error:
        if group.exists():
            group.rmdir()
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


def test_quota(tmp_path, tenth_of_a_cpu):
    """A quota below the workers is found before it bites, and its bite is found too."""
    path = tmp_path / "q.h5"
    run = f"{kit.program('serial')} binning --repeats 6 --quiet -o {path}"
    enter = f"echo $$ > {tenth_of_a_cpu}/cgroup.procs && exec {run}"
    done = subprocess.run(["sh", "-c", enter], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    with h5py.File(path, "r") as trace:
        reasons = text(trace.attrs["invalid_reasons"])
        assert "pays for fewer CPUs than there are workers (1 of 1" in reasons
        assert "throttled" in reasons
        assert trace["nodes/throttled"][:].sum() > 0
