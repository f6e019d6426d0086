"""The development cluster (tests/cluster/cluster --help) for tests. Its fixtures:

    def test_ranks_are_spread(cluster, tmp_path):       # one for all tests: 4 nodes of 2 CPUs
        job = cluster.submit("slurm/mpi.sbatch", "dot", "--size", "1e5", nodes=4, folder=tmp_path)
        ended = cluster.wait(job)
        assert ended["JobState"] == "COMPLETED", cluster.output(job)

    def test_a_node_is_slow(own_cluster):               # own ones, taken down with the test
        mine = own_cluster(2, skew={"node2": "7.25"})
        mine.tell("slow", "node2", 50)
        mine.run("ctl", "srun", "-N2", "hostname")

Where a cluster cannot run, such tests are skipped with the reason.

All nodes share the cores of this machine. Nothing measured here is fast or valid, two nodes
may bind to one core without any gate seeing it, and busy ranks on one core take turns: keep
sizes small, give --allow-invalid, assert facts. MPI yields where it waits (kit.py sets that).
Put a node that you broke right again: start NODE, link NODE up, slow NODE 0.
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import kit

COMMAND = str(kit.SOURCE / "tests" / "cluster" / "cluster")
CANNOT = 77  # its exit status where no cluster can run
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY")


class Cluster:
    """nodes: their number. folder: its state, removed by down."""

    def __init__(self, nodes=4, cpus=2, *, skew=None, share=(), options=()):
        self.nodes = nodes
        self.base = tempfile.mkdtemp(prefix="bindot-")  # short: sockets are in it
        self.folder = Path(self.base) / "cluster"
        words = [nodes, cpus, "--watch", os.getpid(), *options]
        for node, seconds in (skew or {}).items():
            words += ["--skew", f"{node}={seconds}"]
        for path in (kit.SOURCE, kit.BUILD, *share):
            words += ["--share", path]
        try:
            self.tell("up", *words)
        except BaseException:
            os.rmdir(self.base)
            raise

    def down(self):
        self.tell("down")
        os.rmdir(self.base)

    def tell(self, *words, check=True, timeout=180, **how):
        """Runs tests/cluster/cluster with these words; returns the finished process."""
        ended = subprocess.run(
            [COMMAND, *map(str, words)],
            env={**os.environ, "BINDOT_CLUSTER": str(self.folder), **how.pop("env", {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            **how,
        )
        if ended.returncode == CANNOT:
            pytest.skip(ended.stderr.strip())
        assert not check or ended.returncode == 0, (words, ended.stdout, ended.stderr)
        return ended

    def run(self, host, *words, **how):
        """Runs a command on a host."""
        return self.tell("run-on", host, *words, **how)

    def submit(self, *script, folder=None, env=None, **options):
        """sbatch from `folder`, a job script and its words. options: nodes=4 is --nodes=4,
        no_requeue=True is --no-requeue. Without a folder, the cluster keeps the output.
        Returns the job's number."""
        asked = [] if folder else [f"--output={self.folder}/log/job-%j"]
        for key, value in options.items():
            word = "--" + key.replace("_", "-")
            asked.append(word if value is True else f"{word}={value}")
        command = ["sbatch", "--parsable", *asked, *map(str, script)]
        return int(self.run("ctl", *command, cwd=folder, env=env or {}).stdout)

    def job(self, number):
        """What Slurm knows of a job: {"JobState": "RUNNING", "NodeList": "node[1-4]", …}."""
        shown = self.run("ctl", "scontrol", "-o", "show", "job", str(number)).stdout
        return dict(word.partition("=")[::2] for word in shown.split() if "=" in word)

    def until(self, number, states, seconds):
        """Waits until a job is in one of these states; returns what Slurm knows then."""
        end = time.monotonic() + seconds
        while (now := self.job(number))["JobState"] not in states:
            assert time.monotonic() < end, (now["JobState"], states, self.output(number))
            time.sleep(0.1)
        return now

    @staticmethod
    def true(condition, seconds):
        """Waits until a condition is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.1)

    def wait(self, number, seconds=180):
        """Waits for the end of a job."""
        return self.until(number, ENDED, seconds)

    def start_again(self, number, seconds=180):
        """Starts a job that was queued again. Slurm lets it wait for two minutes, so that what
        concerned its first start cannot end the second. Here for that only: until nothing more
        is to be sent, but to nodes that are dead, and a later second has begun, as credentials
        are revoked by the second."""
        if self.until(number, ["PENDING", "RUNNING"], seconds)["JobState"] == "PENDING":
            end = time.monotonic() + 10  # a dead node is sent to for ever
            while not self.has_nothing_to_send() and time.monotonic() < end:
                time.sleep(0.1)
            now = ["scontrol", "update", f"jobid={number}", "starttime=now+2"]
            self.run("ctl", *now, check=False)  # it may have started meanwhile
        self.until(number, ["RUNNING", *ENDED], seconds)

    def has_nothing_to_send(self):
        """slurmctld's messages to the nodes, those that it tries again too."""
        said = self.run("ctl", "sdiag").stdout
        return re.findall(r"^Agent (?:queue size|count): +(\d+)$", said, re.MULTILINE) == ["0", "0"]

    def idle(self, seconds=120):
        """Waits until nothing runs: a job's last processes may outlive it."""
        end = time.monotonic() + seconds
        while left := self.run("ctl", "squeue", "-h", "-t", "R,CG", "-o", "%i %T").stdout:
            assert time.monotonic() < end, left
            time.sleep(0.1)

    def output(self, number):
        """What a job has printed so far."""
        path = Path(self.job(number)["StdOut"])
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests, 4 nodes of 2 CPUs."""
    up = Cluster(share=[tmp_path_factory.getbasetemp()])
    yield up
    up.down()


@pytest.fixture
def own_cluster(tmp_path):
    """Makes clusters for one test: own_cluster(nodes, cpus, skew={"node2": "-0.5"})."""
    up = []

    def make(*size, **how):
        up.append(Cluster(*size, share=[tmp_path], **how))
        return up[-1]

    yield make
    for each in up:
        each.down()
