"""Job scripts under a real Slurm: they run on the nodes asked for, and what interrupts them
loses no finished repetition."""

import os
import re
import shutil
import subprocess
import time
from types import SimpleNamespace

import h5py
import pytest

import kit
from cluster import ENDED, Cluster

SCRIPTS = kit.SOURCE / "slurm"
ENDLESS = ("binning", "--repeats", "100000", "--bins", "50", "--width", "1ms", "--wait", "1ms",
           "--warmup", "1ms", "--allow-invalid")  # mostly asleep  # fmt: skip
FOUR = dict(nodes=4, ntasks_per_node=1)
TWO = dict(nodes=2, ntasks_per_node=1)
SHORT = ("binning", "--repeats", "3", "--bins", "50", "--warmup", "1ms", "--allow-invalid")


def settle(path):
    """Where jobs are submitted from: the kit's scripts, its build, and nothing else yet."""
    shutil.copytree(SCRIPTS, path / "slurm")
    (path / "build").symlink_to(kit.BUILD)
    return path


@pytest.fixture
def folder(tmp_path):
    return settle(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def aside(tmp_path_factory):
    """What takes minutes, on a cluster of its own beside the other tests: by srun and by mpirun
    on two nodes each, jobs of two minutes, and jobs of which a node then dies. Slurm itself
    would notice that after a minute, much later than they do."""
    base = settle(tmp_path_factory.mktemp("aside"))
    own = Cluster(6, share=[tmp_path_factory.getbasetemp()],
                  options=["--conf", "SlurmdTimeout=60"])  # fmt: skip
    short, bereft = (
        [submit(own, base, "mpi", *ENDLESS, launcher=launcher, nodelist=nodes, **TWO, **how)
         for launcher, nodes in where]
        for where, how in (
            ((("srun", "node[1-2]"), ("mpirun", "node[1-2]")), dict(time="00:02:00")),
            ((("srun", "node[3-4]"), ("mpirun", "node[5-6]")), {}),
        )
    )  # fmt: skip
    journals = [begun(own, base, job) for job in bereft]
    before = [so_far(journal) for journal in journals]
    dead = ["node4", "node6"]  # their scripts run on the other two
    for node in dead:
        own.tell("kill", node)
    yield SimpleNamespace(cluster=own, folder=base, short=short, bereft=bereft, dead=dead,
                          journals=journals, before=before)  # fmt: skip
    own.down()


def submit(cluster, folder, script, *words, launcher="srun", **options):
    return cluster.submit(
        f"slurm/{script}.sbatch",
        *words,
        folder=folder,
        env={"BINDOT_LAUNCHER": launcher, "BINDOT_BUILD": "build"},
        **options,
    )


def hosts(path):
    """Host name of every worker, in order."""
    with h5py.File(path) as trace:
        names = trace["nodes/hostname"].asstr()[:]
        return [str(names[node]) for node in trace["workers/node_index"][:]]


def repetitions(path):
    """Those that a trace holds."""
    with h5py.File(path) as trace:
        return len(trace["results/rate"])


def told(cluster, job):
    """The number of repetitions in a run's last words."""
    return [int(n) for n in re.findall(r"median of (\d+) repetitions", cluster.output(job))]


@pytest.mark.parametrize(
    "script,shape,launcher,where",
    [
        ("serial", dict(nodelist="node3"), "srun", ["node3"]),
        ("openmp", dict(nodelist="node2"), "srun", ["node2"] * 2),
        ("mpi", dict(nodes=4, ntasks_per_node=2), "srun", None),
        ("mpi", dict(nodes=4, ntasks_per_node=2), "mpirun", None),
        ("hybrid", dict(nodes=4), "srun", None),
        ("hybrid", dict(nodes=4), "mpirun", None),
    ],
)
def test_every_layout_runs_where_it_was_sent(cluster, folder, script, shape, launcher, where):
    """A job script as it is; over four nodes, two workers on each and each on its own host.
    It asks for cores, not for hardware threads (the last of sockets, cores, threads). The journal
    of a job whose number begins as its own is not its business."""
    job = submit(cluster, folder, script, *SHORT, launcher=launcher, hold=True, **shape)
    (folder / "results").mkdir()
    other = folder / "results" / f"{script}-{job}0.h5.part"
    other.write_text("of a job that is running")
    assert cluster.job(job)["ReqB:S:C:T"].endswith(":1")
    cluster.run("ctl", "scontrol", "release", str(job))
    assert cluster.wait(job)["JobState"] == "COMPLETED", cluster.output(job)
    assert other.name not in cluster.output(job) and other.exists()
    [trace] = (folder / "results").glob("*.h5")
    assert trace.name == f"{script}-{job}.h5"
    assert hosts(trace) == (where or [f"node{k}" for k in (1, 1, 2, 2, 3, 3, 4, 4)])


def test_a_bare_srun_is_told_in_one_sentence(cluster, folder):
    """Without PMIx the tasks would be strangers: no run, no trace, no page of MPI's."""
    command = ["srun", "--mpi=none", "-N2", kit.program("mpi"), "binning", "-o", "none.h5"]
    ended = cluster.run("ctl", *command, cwd=folder, check=False)
    assert ended.returncode == 2
    said = [line for line in ended.stderr.splitlines() if not line.startswith("srun: ")]
    assert said == ["bindot-mpi: srun started 2 tasks that do not know each other: "
                    "srun --mpi=pmix, or mpirun"]  # fmt: skip
    assert not list(folder.glob("none.h5*"))


def begun(cluster, folder, job, again=0):
    """Waits until a job has finished some repetitions, of its first start or of one again;
    returns its journal."""
    assert cluster.until(job, ["RUNNING", *ENDED], 180)["JobState"] == "RUNNING", cluster.output(job)
    journal = folder / f"results/mpi-{job}{f'-{again}' if again else ''}.h5.part"
    end = time.monotonic() + 180
    size, changes = 0, 0
    while changes < 3:
        ended = cluster.job(job)["JobState"] in ENDED
        assert not ended and time.monotonic() < end, cluster.output(job)
        time.sleep(0.1)
        now = journal.stat().st_size if journal.exists() else 0
        changes += now > size > 0
        size = max(size, now)
    return journal


def so_far(journal):
    """The finished repetitions of a run that goes on, as a copy of its journal has them."""
    copy = journal.with_name(f"copy-of-{journal.name}")
    shutil.copy(journal, copy)
    command = [kit.program("serial"), "recover", str(copy)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return repetitions(copy.with_suffix(""))


def queued_again(cluster, job, seconds=180):
    """Waits until a job is, by itself or by Slurm."""
    end = time.monotonic() + seconds
    while (now := cluster.job(job))["Restarts"] == "0":
        assert time.monotonic() < end, (now["JobState"], cluster.output(job))
        time.sleep(0.2)


def start_again(cluster, folder, job):
    """Of a job that was queued again. Returns its new journal. Sooner than Slurm would, so that
    late word of the first start may end the second: then it is sent once more."""
    for _ in range(3):
        cluster.start_again(job)
        try:
            return begun(cluster, folder, job, again=int(cluster.job(job)["Restarts"]))
        except AssertionError:
            if cluster.job(job)["JobState"] not in ENDED:
                raise
        cluster.run("ctl", "scontrol", "requeue", str(job))
    raise AssertionError(cluster.output(job))


def warn(cluster, job):
    """What --signal=B:USR1 sends a minute before the time limit."""
    cluster.run("ctl", "scancel", "--batch", "--signal=USR1", str(job))


def test_a_cancelled_job_loses_no_finished_repetition(cluster, folder):
    """Ranks are asked and soon killed: there is a trace, or a journal to recover."""
    job = submit(cluster, folder, "mpi", *ENDLESS, **FOUR)
    journal = begun(cluster, folder, job)
    before = so_far(journal)
    cluster.run("ctl", "scancel", str(job))
    assert cluster.wait(job)["JobState"] == "CANCELLED"
    cluster.idle()
    trace = journal.with_suffix("")
    saved = repetitions(trace) if trace.exists() else so_far(journal)
    assert saved >= before >= 2
    assert told(cluster, job) in ([], [saved])


def test_a_preempted_job_starts_again_beside_what_it_saved(cluster, folder):
    """A job of more urgency takes its nodes; it is queued again, and its log goes on."""
    job = submit(cluster, folder, "mpi", *ENDLESS, **FOUR)
    journal = begun(cluster, folder, job)
    before = so_far(journal)
    urgent = cluster.submit(wrap="true", nodes=4, ntasks_per_node=2, partition="urgent")
    assert cluster.wait(urgent)["JobState"] == "COMPLETED"
    second = start_again(cluster, folder, job).with_suffix("")
    warn(cluster, job)
    assert int(cluster.wait(job)["Restarts"]) >= 1
    assert "PREEMPTION" in cluster.output(job)
    assert repetitions(journal.with_suffix("")) >= before >= 2
    assert told(cluster, job)[-1] == repetitions(second)


def test_a_dead_node_loses_no_finished_repetition(aside):
    """Power failure under a rank of srun's and one of mpirun's: their jobs are queued again, by
    themselves or, where the launcher does not end, by Slurm. On nodes that live they recover
    first what there was."""
    mine = aside.cluster
    for node, job in zip(aside.dead, aside.bereft):
        queued_again(mine, job)
        why = f"{node} does not answer: this job is queued again (1 of 3)", "node failure"
        said = mine.output(job)
        assert any(words in said or words in said.lower() for words in why), said
    for node in aside.dead:
        mine.tell("kill", node, "--now")  # ends what Slurm still waits for there
    for job in aside.bereft:
        mine.run("ctl", "scontrol", "update", f"jobid={job}", "reqnodelist=")
        start_again(mine, aside.folder, job)
        assert mine.job(job)["NodeList"] in ("node[3,5]", "node[1-2]"), mine.job(job)
    mine.run("ctl", "scancel", *map(str, aside.bereft))
    for journal, least in zip(aside.journals, aside.before):
        assert repetitions(journal.with_suffix("")) >= least >= 2


def test_a_failure_on_nodes_that_live_is_no_reason_to_start_again(cluster, folder):
    """A rank that is killed: the job has failed, once."""
    job = submit(cluster, folder, "mpi", *ENDLESS, "--inject", "kill=after1s@rank1", **TWO)
    ended = cluster.wait(job)
    assert ended["JobState"] == "FAILED" and ended["Restarts"] == "0", cluster.output(job)
    assert "queued again" not in cluster.output(job)


@pytest.mark.parametrize("before", ['"$@"', "pid=$!"])
def test_a_warning_that_comes_while_a_job_begins_is_not_lost(folder, before):
    """Sent just before that command of job_run, to a job that would take an hour."""
    script = """. slurm/job.sh
        trap '[[ $BASH_COMMAND != "$BEFORE" ]] || { trap - DEBUG; kill -USR1 $$; }' DEBUG
        set -T
        job_run sleep 3600"""
    ended = subprocess.run(["bash", "-c", script], cwd=folder, timeout=60, check=False,
                           env={**os.environ, "BINDOT_LAUNCHER": "srun", "BINDOT_BUILD": "build",
                                "SLURM_JOB_NAME": "mpi", "SLURM_JOB_ID": "1", "BEFORE": before})  # fmt: skip
    assert ended.returncode == 4


def test_a_job_whose_time_is_over_saves_what_it_has(aside):
    """Slurm warns a minute before the limit, looks every half minute, and warns our scripts in
    time: exit status 4, and every repetition that the run told of is in the trace."""
    own = aside.cluster
    for job in aside.short:
        assert own.wait(job)["ExitCode"] == "4:0", own.output(job)
        assert told(own, job) == [repetitions(aside.folder / f"results/mpi-{job}.h5")]
        assert repetitions(aside.folder / f"results/mpi-{job}.h5") >= 2
