"""slurm/submit: the jobs that a study needs, its report behind them, and only what is missing."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import h5py
import pytest

import kit
from browser import look_over

SUBMIT = str(kit.SOURCE / "slurm" / "submit")
SMALL = ["--kernels", "dot", "--dot", "1e4", "--launches", "1", "--cores", "1"]


def say(*words):
    return subprocess.run(
        [SUBMIT, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "words,message",
    [
        ([], "name a study"),
        (["fly"], "no study 'fly'"),
        (["strong", "weak"], "one study at a time"),
        (["strong", "--nodes", "0"], "--nodes takes numbers"),
        (["strong", "--nodes"], "--nodes needs a value"),
        (["quick", "--nodes", "2"], "quick runs on one node"),
        (["layouts", "--nodes", "1,2"], "layouts takes one number of nodes"),
        (["strong", "--launches", "x"], "--launches takes a number"),
        (["strong", "--fast", "1"], "unknown option '--fast'"),
        (["strong", "--sbatch", "foo"], "--sbatch takes an option"),
        (["strong", "--time", "soon"], "--time takes a limit"),
        (["strong", "--resume", "/tmp"], "no submission"),
    ],
)
def test_bad_usage_is_one_line(words, message):
    ended = say(*words)
    assert ended.returncode == 2 and ended.stdout == ""
    assert message in ended.stderr and ended.stderr.count("\n") == 1


def test_dry_run_shows_a_job_for_each_number_of_nodes_and_the_report(tmp_path):
    folder = tmp_path / "out"
    ended = say("strong", "--nodes", "4,1", *SMALL, "-o", folder, "--dry-run", "--time", "5")
    assert ended.returncode == 0, ended.stderr
    one, four, report = ended.stdout.splitlines()
    assert f"BINDOT_OUT={folder}/n1 sbatch" in one and "--nodes=1" in one and "--time=5" in one
    assert "--nodes=4" in four and "study.sbatch strong --run-only --nodes 4 --kernels dot" in four
    assert "--dependency=afterany:JOB1:JOB2" in report and f"report.sbatch strong {folder}" in report
    assert not folder.exists()


def test_no_word_is_run_by_a_shell(tmp_path):
    """What --dry-run prints is what a shell takes back as the same words, and runs none of them."""
    hostile = "$(touch owned)`touch owned`'\"; touch owned #"
    folder = tmp_path / "x';touch${IFS}owned;$(touch${IFS}owned)"
    ended = say("strong", *SMALL, "-o", folder, "--dry-run", "--sbatch", f"--comment={hostile}",
                "--", "--label", f"note={hostile}")
    assert ended.returncode == 0, ended.stderr
    study, report = (shlex.split(line) for line in ended.stdout.splitlines())
    assert f"BINDOT_OUT={folder}" in study and f"note={hostile}" in study
    assert f"--comment={hostile}" in study and report[-1] == str(folder)
    assert not list(tmp_path.rglob("owned")) and not (kit.SOURCE / "owned").exists()


def test_several_allocations_are_a_throttled_array(tmp_path):
    words = ["weak", "--nodes", "2", "--allocations", "3", "--at-once", "2", "-o", tmp_path / "out"]
    array, _ = say(*words, "--dry-run").stdout.replace("\\", "").splitlines()
    assert "--array=1,2,3%2" in array and "n2-%a.log" in array


def test_modules_and_python_are_those_of_site_conf(tmp_path):
    """Also where the module system is not written for `set -eu`."""
    for room in ("drivers", "slurm"):
        shutil.copytree(kit.SOURCE / room, tmp_path / room)
    with open(tmp_path / "slurm" / "site.conf", "a") as conf:
        conf.write('module() { touch "loaded$unset"; false; }\nmodule load python\n'
                   "export BINDOT_PYTHON=$PWD/python\n")  # fmt: skip
    own = tmp_path / "python"
    own.write_text(f'#!/bin/sh\ntouch "${{0%/*}}/used"\nexec {sys.executable} "$@"\n')
    own.chmod(0o755)
    command = [tmp_path / "slurm" / "submit", "strong", *SMALL, "--dry-run"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and "study.sbatch strong" in ended.stdout, ended.stderr
    assert (tmp_path / "loaded").exists() and (tmp_path / "used").exists()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A copy of the kit with its build, as a user has it in a home that all nodes see."""
    home = tmp_path_factory.mktemp("kit")
    for room in ("drivers", "slurm", "analysis"):
        shutil.copytree(kit.SOURCE / room, home / room)
    (home / "build").symlink_to(kit.BUILD)
    return home


def submit(cluster, site, *words):
    """On the login node. Returns the numbers of the jobs, the report's last, and the folder."""
    ended = cluster.run("ctl", "slurm/submit", *map(str, words), cwd=site,
                        env={"BINDOT_BUILD": "build"})  # fmt: skip
    jobs = re.findall(r"^  job (\d+)  ", ended.stdout, re.MULTILINE)
    [folder] = re.findall(r", into (\S+)/$", ended.stdout, re.MULTILINE)
    return list(map(int, jobs)), site / folder


def launches(part):
    """(name, status) of every launch that was begun, in order."""
    lines = (part / "launches.jsonl").read_text().splitlines()
    return [(row["launch"], row["status"]) for row in map(json.loads, lines)]


def test_a_study_ends_by_itself_with_a_report_and_runs_again_what_is_missing(cluster, site):
    """strong on 1, 2 and 4 nodes. All nodes share two cores here: INVALID (3) is no failure."""
    jobs, folder = submit(cluster, site, "strong", "--nodes", "1,2,4", *SMALL)
    assert len(jobs) == 4
    report = cluster.wait(jobs[-1], 300)
    assert report["ExitCode"] in ("0:0", "3:0"), cluster.output(jobs[-1])
    said = cluster.output(jobs[-1])
    for part, number in (("n1", 4), ("n2", 1), ("n4", 1)):
        assert len(launches(folder / part)) == len(list((folder / part).glob("*.h5"))) == number
        assert f"{part}: " in said
    assert (folder / "report.html").stat().st_size > 10000

    lost = next((folder / "n2").glob("*.h5"))
    lost.unlink()
    jobs, again = submit(cluster, site, "strong", "--resume", folder)
    assert again == folder and len(jobs) == 2
    cluster.wait(jobs[-1])
    assert [name for name, _ in launches(folder / "n2")].count(lost.stem) == 2
    assert len(launches(folder / "n2")) == 2 and lost.exists()


def test_a_study_queued_again_goes_on_where_it_was(cluster, site):
    """After a requeue the same job runs what is missing, and nothing twice; the report waits
    until all is there."""
    jobs, folder = submit(cluster, site, "strong", *SMALL)
    cluster.until(jobs[0], ["RUNNING"], 180)
    cluster.true(lambda: (folder / "launches.jsonl").exists() and len(launches(folder)) >= 2, 180)
    cluster.run("ctl", "scontrol", "requeue", str(jobs[0]))
    cluster.start_again(jobs[0])
    study = cluster.wait(jobs[0])
    report = cluster.wait(jobs[-1])
    ran = [name for name, status in launches(folder) if status in ("done", "invalid")]
    assert len(ran) == len(set(ran)) == 4, cluster.output(jobs[0])
    assert study["Restarts"] == "1" and report["Restarts"] == "0"
    assert report["StartTime"] >= study["EndTime"]
    assert "not run" not in cluster.output(jobs[-1]) and (folder / "report.html").exists()


def test_a_study_whose_time_is_over_stops_cleanly_and_says_what_is_left(cluster, site):
    """TERM, as --signal sends it: exit status 4, no launch half done, a report of the rest."""
    jobs, folder = submit(cluster, site, "strong", *SMALL, "--", "--repeats", "100000",
                          "--iterations", "1", "--allow-invalid")  # fmt: skip
    cluster.until(jobs[0], ["RUNNING"], 180)
    cluster.true(lambda: list(folder.glob("*.h5.part")), 180)
    cluster.run("ctl", "scancel", "--batch", "--signal=TERM", str(jobs[0]))
    assert cluster.wait(jobs[0])["ExitCode"] == "4:0", cluster.output(jobs[0])
    assert cluster.wait(jobs[-1])["ExitCode"] == "4:0", cluster.output(jobs[-1])
    assert "4 not run" in cluster.output(jobs[-1])
    assert [status for _, status in launches(folder)] == ["stopped"]
    assert len(list(folder.glob("*.h5.failed-1"))) == 1  # whole: it was asked, not killed


def where(path):
    """Names of the hosts of a run."""
    with h5py.File(path) as trace:
        return set(trace["nodes/hostname"].asstr()[:])


def test_studies_of_nodes_run_inside_one_allocation(cluster, site):
    """By their own scripts, on two nodes: every node alone, and for ladder the pair; a page.
    Side by side, on nodes of their own."""
    options = ["--kernels", "dot", "--dot", "1e5", "--launches", "1", "--cores", "1"]
    alone, pair = [{"node1"}, {"node2"}], [{"node3"}, {"node3", "node4"}, {"node4"}]
    plans = {"nodes": ("node[1-2]", alone), "ladder": ("node[3-4]", pair)}
    jobs = {
        study: cluster.submit(f"slurm/{study}.sbatch", *options, folder=site, nodes=2,
                              nodelist=nodes, env={"BINDOT_BUILD": "build"})
        for study, (nodes, _) in plans.items()
    }  # fmt: skip
    for study, job in jobs.items():
        cluster.wait(job)
        folder = site / "results" / f"{study}-{job}"
        hosts = sorted(map(where, folder.rglob("*.h5")), key=sorted)
        assert hosts == plans[study][1], cluster.output(job)
        assert (folder / "report.html").stat().st_size > 10000, cluster.output(job)


def test_pages_of_studies_on_the_cluster_open_in_a_browser(browser, site):
    """Those that the tests above left: strong, ladder and nodes, real runs of several hosts."""
    pages = sorted((site / "results").glob("*/report.html"))
    if not pages:
        pytest.skip("no study was run")
    for page in pages:
        look_over(browser, page)
