"""The development cluster is one: hosts of their own, a Slurm that works, and no trace left."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from cluster import CANNOT, COMMAND


def refuse(*words):
    ended = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["up", "0"],
        ["up", "201"],
        ["up", "4", "2", "1"],
        ["up", "--skew"],
        ["up", "2", "--skew", "node3=1"],
        ["up", "--skew", "node1=soon"],
        ["up", "--share", "/tmp/no/such/folder"],
        ["up", "--watch", "0"],
        ["up", "--", "true"],
        ["with", "2"],
    ],
)
def test_bad_usage_is_one_line(words):
    assert refuse(*words).startswith("cluster: ")


def test_a_host_has_its_own_name_address_and_processes(cluster):
    """What a program may look at to know where it runs differs from host to host."""
    ask = "hostname; ip -4 -o addr show eth0; ls /sys/class/net; ls -d /proc/[0-9]* | wc -l"
    seen = [cluster.run(f"node{k}", "sh", "-c", ask).stdout.split() for k in range(1, 5)]
    assert [words[0] for words in seen] == ["node1", "node2", "node3", "node4"]
    assert len({words[4] for words in seen}) == 4
    for words in seen:
        assert "eth0" in words and "br0" not in words
        assert int(words[-1]) < 20


def test_tmp_and_shared_memory_are_a_hosts_own(cluster, tmp_path):
    """A file in /tmp or /dev/shm is seen on one host, one in a shared folder on all."""
    own = [f"{place}/own-{os.getpid()}" for place in ("/tmp", "/dev/shm")]
    look = ["ls", *own, str(tmp_path / "ours")]
    cluster.run("node1", "touch", *look[1:])
    assert len(cluster.run("node1", *look).stdout.split()) == 3
    assert cluster.run("node2", *look, check=False).stdout.split() == [str(tmp_path / "ours")]
    assert not any(Path(path).exists() for path in own) and (tmp_path / "ours").exists()


def test_a_command_passes_through(cluster, tmp_path):
    """run-on: folder, environment, standard input and exit status are the caller's."""
    ended = subprocess.run(
        [COMMAND, "run-on", "node3", "sh", "-c", "pwd; echo $WORD; cat; exit 7"],
        env={**os.environ, "BINDOT_CLUSTER": str(cluster.folder), "WORD": "a word"},
        cwd=tmp_path,
        input="from here\n",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.stdout == f"{tmp_path}\na word\nfrom here\n"
    assert ended.returncode == 7


def uptime(cluster, node):
    return float(cluster.run(node, "cat", "/proc/uptime").stdout.split()[0])


def test_clocks_are_skewed_as_asked(own_cluster):
    """Ahead, behind and by fractions; the others keep this machine's clock."""
    asked = {"node2": "1000.25", "node3": "-0.75"}
    mine = own_cluster(4, skew=asked)
    for node in ("node1", "node2", "node3", "node4"):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        there = uptime(mine, node) - float(asked.get(node, 0))
        assert before - 0.02 <= there <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_a_dead_node_fails_its_job_and_comes_back(own_cluster):
    mine = own_cluster(2)
    job = mine.submit(wrap="srun sleep 60", nodes=2, no_requeue=True)
    mine.until(job, ["RUNNING"], 60)
    mine.tell("kill", "node2", "--now")
    assert mine.wait(job)["JobState"] == "NODE_FAIL"
    assert mine.tell("status", check=False).returncode == 1
    mine.tell("start", "node2")
    job = mine.submit(wrap="srun hostname", nodes=2)
    assert mine.wait(job)["JobState"] == "COMPLETED"


def test_a_cut_link_is_silence(cluster):
    """No answer while it is cut, an answer afterwards."""
    reach = ["bash", "-c", "exec 3<>/dev/tcp/node2/6818"]
    cluster.run("ctl", *reach)
    cluster.tell("link", "node2", "down")
    assert cluster.run("ctl", "timeout", "1", *reach, check=False).returncode != 0
    cluster.tell("link", "node2", "up")
    cluster.run("ctl", *reach)


def longest_gap(lines):
    """Seconds between lines that are seconds themselves."""
    at = [float(line) for line in lines.split()]
    return max(b - a for a, b in zip(at, at[1:]))


def test_a_slowed_node_stops_and_goes(cluster, tmp_path):
    """Of every second its jobs and run-on's processes sleep for 75 %, its neighbour's do not, but
    when other programs take the cores from them."""
    script = tmp_path / "stamps"
    script.write_text(
        "#!/usr/bin/python3\nimport time\n"
        "end = time.monotonic() + 2\n"
        "while (now := time.monotonic()) < end:\n"
        "    print(now)\n    time.sleep(0.01)\n"
    )
    script.chmod(0o755)
    def gap_on(node):
        return longest_gap(cluster.run("ctl", "srun", "-N1", "-w", node, str(script)).stdout)

    cluster.tell("slow", "node2", 75, 1000)
    try:
        assert gap_on("node2") >= 0.6 * 0.75
        assert longest_gap(cluster.run("node2", str(script)).stdout) >= 0.6 * 0.75
        assert any(gap_on("node1") < 0.6 * 0.75 for _ in range(5))
    finally:
        cluster.tell("slow", "node2", 0)
    assert any(gap_on("node2") < 0.6 * 0.75 for _ in range(5))


def traces_of(folder):
    """Processes that belong to a cluster: all of them have its folder in the environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"BINDOT_CLUSTER={folder}\0".encode() in file.read_bytes() + b"\0":
                found.append(int(file.parent.name))
        except OSError:
            pass
    return found


def machine():
    """What a cluster must leave as it is."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    return links, Path("/proc/self/mounts").read_text()


def start_with(folder):
    """`with` and its command, on their way; returns when the command has said a word."""
    started = subprocess.Popen(
        [COMMAND, "with", "2", "--", "sh", "-c", "echo up; sleep 100"],
        env={**os.environ, "BINDOT_CLUSTER": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert started.stdout.readline() == b"up\n"
    assert traces_of(folder)
    return started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_caller_leaves_nothing(cluster, tmp_path_factory, number):
    """No process, folder, mount or interface: at once, or soon after a SIGKILL."""
    folder = Path(f"/tmp/bindot-test-{os.getpid()}-{number}")
    before = machine()
    started = start_with(folder)
    started.send_signal(number)
    started.wait(timeout=60)
    end = time.monotonic() + 60
    while (folder.exists() or traces_of(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists() and traces_of(folder) == []
    assert machine() == before
    assert cluster.tell("status").returncode == 0  # the one beside it lives on


def test_a_user_without_privileges_can_have_one(tmp_path):
    """By a user namespace; jobs run as that user and hold no capability."""
    if os.geteuid() != 0:
        pytest.skip("all tests here are run by such a user")
    with tempfile.TemporaryDirectory(prefix="bindot-") as base:
        os.chmod(base, 0o777)
        shutil.copytree(Path(COMMAND).parent, f"{base}/kit")
        ask = "id -u; hostname; grep CapEff /proc/self/status"
        ended = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{base}/kit/cluster",
             "with", "2", "--skew", "node2=0.5", "--", "srun", "-N2", "-l", "sh", "-c", ask],
            env={**os.environ, "BINDOT_CLUSTER": f"{base}/cluster"},
            cwd=base,
            capture_output=True,
            text=True,
            timeout=180,
        )  # fmt: skip
    if ended.returncode == CANNOT:
        pytest.skip(ended.stderr.strip())
    seen = {line.split(": ", 1)[0]: [] for line in ended.stdout.splitlines()}
    for line in ended.stdout.splitlines():
        rank, word = line.split(": ", 1)
        seen[rank].append(word.split()[-1])
    assert seen == {
        "0": ["65534", "node1", "0000000000000000"],
        "1": ["65534", "node2", "0000000000000000"],
    }, ended.stderr


def test_where_it_cannot_run_it_says_why():
    """Root without the right to make namespaces, as in most containers."""
    if os.geteuid() != 0:
        pytest.skip("takes a right away that only root has")
    folder = Path(f"/tmp/bindot-test-{os.getpid()}")
    ended = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", COMMAND, "up"],
        env={**os.environ, "BINDOT_CLUSTER": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == CANNOT
    assert "the kernel refuses namespaces" in ended.stderr and ended.stderr.count("\n") == 1
    assert not folder.exists()


def test_mpirun_without_slurm_reaches_the_hosts(own_cluster, tmp_path):
    """--no-slurm: run-on in the place of ssh."""
    if os.geteuid() != 0:
        pytest.skip("from ctl, only root enters a node")
    mine = own_cluster(3, options=["--no-slurm"])
    agent = tmp_path / "agent"
    agent.write_text(
        "#!/bin/bash\n# as ssh: [OPTION]... HOST COMMAND...\n"
        "while [[ $1 == -* ]]; do shift; done\n"
        f'host=$1; shift; exec {COMMAND} run-on "$host" bash -c "$*"\n'
    )
    agent.chmod(0o755)
    command = ["mpirun", "--mca", "plm_rsh_agent", str(agent), "--host", "node1:2,node2:2,node3:1",
               "hostname"]  # fmt: skip
    ended = mine.run("ctl", *command)
    assert sorted(ended.stdout.split()) == ["node1", "node1", "node2", "node2", "node3"]
