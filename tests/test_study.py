"""A study runs every launch of its plan once, in a random order, and tells what failed."""

import ast
import errno
import fcntl
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import traces

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "drivers"))

from studies import account, breakeven, cores, coupling, design, ladder, manual  # noqa: E402
from studies import main, nodes, quick, run  # noqa: E402
from studies import launch as launching  # noqa: E402

STUDY = ROOT / "drivers" / "study"
BUILD = Path(os.environ.get("BINDOT_BUILD", ROOT / "build"))


HOSTS = ("node1", "node2", "node3", "node4")
STUDIES = (
    "quick", "layouts", "strong", "weak", "ladder", "nodes", "breakeven", "oversubscribe", "coupling",
    "python",
)  # fmt: skip


def plan_of(launches=5, seed=1, cores=2, kernels=("binning", "dot", "matmul"), more=()):
    asked = dict(launches=launches, seed=seed, cores=cores, kernels=kernels, more=more)
    place = design.Place(cores, ("here",))
    return design.plan("quick", asked, place, quick.cells(SimpleNamespace(**asked), place))


def cells_of(name, cores=2, nodes=1, hosts=("here",), **given):
    """The cells of a study with its own defaults."""
    module = importlib.import_module(f"studies.{name}")
    asked = {key: option.default for key, option in manual.options(module.__doc__).items()}
    asked.update(cores=cores, seed=1, more=(), **{"nodes": nodes, **given})
    return module.cells(SimpleNamespace(**asked), design.Place(cores, hosts))


def study(*words, cwd=ROOT, build=BUILD, **options):
    environ = dict(os.environ, BINDOT_BUILD=str(build), BINDOT_PYTHON=sys.executable)
    return subprocess.run(
        [STUDY, *map(str, words)],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


def records(folder):
    return [json.loads(line) for line in (folder / run.RECORD).read_text().splitlines()]


def test_studies_need_nothing_but_python():
    """They run before an interpreter with NumPy was found, and know no analysis."""
    for path in (ROOT / "drivers" / "studies").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                [node.module] if isinstance(node, ast.ImportFrom) else [])  # fmt: skip
            for name in names:
                top = name.split(".")[0]
                assert top == "studies" or top in sys.stdlib_module_names, f"{path}: {name}"


# --- the plan ------------------------------------------------------------------


def test_every_round_holds_every_cell_once():
    plan = plan_of(launches=5)
    size = len(plan.cells)
    assert len(plan.order) == 5 * size
    for number in range(5):
        block = plan.order[number * size : (number + 1) * size]
        assert {launch.cell for launch in block} == set(plan.cells)
        assert {launch.number for launch in block} == {number + 1}


def test_order_is_random_and_the_seed_repeats_it():
    first, second = plan_of(seed=7).order, plan_of(seed=8).order
    assert first == plan_of(seed=7).order
    assert first != second
    rounds = [[x.cell for x in first if x.number == n] for n in (1, 2, 3, 4, 5)]
    assert len({tuple(cell.name for cell in block) for block in rounds}) == 5
    assert rounds[0] != list(plan_of().cells), "the first round is not shuffled"


def test_plan_survives_the_file(tmp_path):
    plan = plan_of()
    design.write(plan, tmp_path)
    assert design.read(tmp_path) == plan
    assert not list(tmp_path.glob("*.part"))


def test_a_plan_is_never_overwritten(tmp_path):
    design.write(plan_of(seed=1), tmp_path)
    with pytest.raises(FileExistsError):
        design.write(plan_of(seed=2), tmp_path)
    assert design.read(tmp_path).asked["seed"] == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}'])
def test_what_is_no_plan_is_refused_with_its_name(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError, match="plan.json is no plan"):
        design.read(tmp_path)


def test_a_plan_of_another_version_is_refused(tmp_path):
    design.write(plan_of(), tmp_path)
    path = tmp_path / "plan.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 1'))
    with pytest.raises(ValueError, match="version 1 instead of 2"):
        design.read(tmp_path)


def test_only_the_missing_launches_are_left_in_their_order():
    plan = plan_of(launches=2)
    done = {launch.name for launch in plan.order[::3]}
    left = design.missing(plan, done)
    assert [x for x in plan.order if x.name not in done] == list(left)


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 96])
def test_parallel_layouts_use_the_same_cores(cores):
    found = {name: (ranks, threads) for name, ranks, threads in design.layouts(cores)}
    assert list(found) == ["serial", "openmp", "mpi", "hybrid"]
    assert found["serial"] == (1, 1)
    assert {ranks * threads for name, (ranks, threads) in found.items() if name != "serial"} == {
        cores
    }
    assert found["hybrid"][1] >= min(cores, 2), "a hybrid rank has threads"
    assert cores < 4 or cores % 2 or found["hybrid"][0] == 2


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 6, 8, 12, 96])
def test_splits_are_all_that_use_the_same_cores(cores):
    serial, *found = design.splits(cores)
    assert serial == ("serial", 1, 1)
    assert all(ranks * threads == cores for _, ranks, threads in found)
    divisors = {n for n in range(1, cores + 1) if cores % n == 0}
    assert {ranks for _, ranks, _ in found} == divisors
    assert [layout for layout, *_ in found].count("openmp") == 1
    assert all(threads > 1 for layout, _, threads in found if layout == "hybrid")


def test_workers_double_up_to_all_of_them():
    assert design.doubling(1) == (1,)
    assert design.doubling(8) == (1, 2, 4, 8)
    assert design.doubling(6) == (1, 2, 4, 6)


def test_scaling_goes_over_workers_and_then_over_whole_nodes():
    found = cells_of("strong", cores=4, nodes=(1, 2, 3), hosts=HOSTS)
    workers = {(c.nodes, c.ranks * c.threads) for c in found}
    assert workers == {(1, 1), (1, 2), (1, 4), (2, 8), (3, 12)}
    assert {c.layout for c in found if c.nodes > 1} == {"mpi", "hybrid"}
    assert all(c.ranks % c.nodes == 0 for c in found)
    assert {dict(zip(c.options[::2], c.options[1::2]))["--scaling"] for c in found} == {"strong"}
    assert len({c.name for c in found}) == len(found)


def test_scaling_over_some_numbers_of_nodes_leaves_out_the_others():
    found = cells_of("weak", cores=4, nodes=(2, 4), hosts=HOSTS)
    assert {(c.nodes, c.ranks * c.threads) for c in found} == {(2, 8), (4, 16)}


def test_later_stages_are_files_of_their_own_and_count_on(tmp_path):
    first = plan_of(launches=2, kernels=("dot",))
    design.write(first, tmp_path)
    again = design.next_stage([first], first.cells[:2])
    design.write(again, tmp_path)
    assert design.read_all(tmp_path) == [first, again]
    assert {launch.number for launch in again.order} == {3, 4}
    names = [launch.name for plan in (first, again) for launch in plan.order]
    assert len(set(names)) == len(names) == 12


@pytest.mark.parametrize("n", [1, 2, 4, 5, 8])
def test_a_ladder_has_every_node_alone_and_disjoint_sets_that_nest(n):
    hosts = tuple(f"node{i}" for i in range(n))
    found = ladder.subsets(hosts, seed=3)
    assert sorted(s for kind, _, (s, *_) in found if kind == "alone") == sorted(hosts)
    assert len({name for _, name, _ in found}) == len(found)
    by = {}
    for kind, _, chosen in found:
        by.setdefault(len(chosen), []).append(set(chosen))
    assert max(by) == n
    for size, sets in by.items():
        assert len(set.union(*sets)) == size * len(sets), "they share a node"
    nested = [set(chosen) for kind, _, chosen in found if kind == "nested"]
    assert all(a < b for a, b in zip(nested, nested[1:]))
    assert found != ladder.subsets(hosts, seed=4) or n < 4


def test_ladder_cells_name_their_hosts_and_kind():
    found = cells_of("ladder", nodes=4, hosts=HOSTS)
    assert all(len(c.hosts) == c.nodes and c.ranks == 2 * c.nodes for c in found)
    assert {dict(c.labels)["subset"] for c in found} == {"alone", "nested", "disjoint"}
    hybrid = cells_of("ladder", nodes=2, hosts=HOSTS, layout="hybrid")
    assert {(c.ranks, c.threads) for c in hybrid} == {(1, 2), (2, 2)}


def test_suspected_nodes_run_again_beside_healthy_ones():
    asked = SimpleNamespace(cores=2, seed=1, launches=5, more=(), nodes=4, kernels=("dot",),
                            dot=(1000,), controls=2)  # fmt: skip
    first = design.plan("nodes", vars(asked), design.Place(2, HOSTS),
                        nodes.cells(asked, design.Place(2, HOSTS)))  # fmt: skip
    again = nodes.following(asked, [first], lambda _: {"suspected": ["node2"], "exclude": []})
    names = [c.where for c in again]
    assert "node2" in names and len(names) == 3 and {c.folder for c in again} == {nodes.SECOND}
    clean = {"suspected": [], "exclude": []}
    assert nodes.following(asked, [first], lambda _: clean) == []
    assert nodes.following(asked, [first, first], None) == [], "a third stage"


def test_nodes_of_an_allocation_are_measured_one_by_one_and_together(cluster, tmp_path):
    """Real sruns: a trace is from the nodes that its cell names."""
    environ = {"BINDOT_BUILD": str(BUILD), "BINDOT_PYTHON": sys.executable}
    short = "--dot 1e4 --kernels dot --launches 1 --nodes 2 -- --repeats 1 --warmup 1ms"
    study = f"drivers/study ladder -o {tmp_path}/ladder {short}; "
    study += f"drivers/study nodes --together 2 -o {tmp_path}/nodes {short}"
    ended = cluster.run("ctl", "salloc", "-N3", "--ntasks-per-node=2", "bash", "-c", study,
                        env=environ, cwd=ROOT, check=False)  # fmt: skip
    seen = {}
    for path in tmp_path.rglob("*.h5"):
        trace = traces.read(path)
        assert trace.labels["cell"] in path.name
        seen.setdefault(trace.labels["subset"], []).append(sorted(trace.hostnames))
    assert sorted(seen["alone"]) == 2 * [["node1"]] + 2 * [["node2"]], ended.stdout
    assert seen["nested"] == [["node1", "node2"]]
    begins = [record["begin"] for record in records(tmp_path / "nodes")]
    assert len(begins) == 2 and "on 2 cores of 2 nodes" in ended.stdout


def test_breakeven_goes_on_where_its_results_ask(tmp_path):
    asked = dict(cores=2, seed=1, launches=3, more=(), kernels=("dot",), dot=(4096, 65536),
                 layouts=("openmp", "mpi"), stages=3, wait="passive")  # fmt: skip
    asked = SimpleNamespace(**asked)
    first = design.plan("breakeven", vars(asked), design.Place(2, ("here",)),
                        breakeven.cells(asked, None))  # fmt: skip
    assert {c.environment for c in first.cells} == {(("OMP_WAIT_POLICY", "passive"),)}

    def ask(script):
        searches = [{"next": [16384, 2**40]}, {"next": [16384]}]
        assert script == "breakeven"
        return {"curves": [{"kernel": "dot", "layout": "mpi", "searches": searches}]}

    wanted = breakeven.following(asked, [first], ask)
    assert [c.name for c in wanted] == ["dot-16384-serial-1x1", "dot-16384-mpi-2x1"]
    second = design.next_stage([first], wanted)
    assert breakeven.following(asked, [first, second], ask) == [], "asked again for what it has"
    assert breakeven.following(asked, [first] * 3, ask) == [], "more stages than allowed"


def test_oversubscribe_fills_the_cores_in_every_way_and_goes_beyond():
    for ncores in (1, 2, 6, 64):
        found = cells_of("oversubscribe", cores=ncores)
        full = [c for c in found if c.per_node == ncores]
        assert {c.control for c in full} == {False}
        assert all(c.control == (c.per_node > ncores) for c in found)
        assert {c.per_node / ncores for c in found} >= {1, 2, 4}
        assert len({c.name for c in found}) == len(found)


def test_python_runs_the_texts_programs_beside_the_c_layouts():
    found = cells_of("python")
    assert len({c.name for c in found}) == len(found)
    assert {c.layout for c in found} >= {"python", "serial", "openmp", "mpi"}
    assert {c.variant for c in found if c.control} >= {"own-start", "serial-loop", "one-core"}
    locked = [c for c in found if ("role", "threads") in c.labels]
    assert ["--lock" in c.options for c in locked] == [True]
    for interval in ("1ms", "20ms"):  # the lock's slices, in both languages
        c, python = ([x for x in found if x.variant == f"{name}-{interval}"]
                     for name in ("lock", "threads"))  # fmt: skip
        assert c[0].options[-1] == f"gil:{interval}" and interval in python[0].options
        assert c[0].threads == python[0].threads == 2
    free = [c for c in cells_of("python", lock="none") if ("role", "threads") in c.labels]
    assert ["--lock" in c.options for c in free] == [False]


def test_a_program_in_cpython_has_its_own_words_and_its_mask():
    site = launching.Site("mpirun", (3, 5), HOSTS)
    one = {c.variant: c for c in cells_of("python")}["one-core"]
    found = line_of(one, site)
    assert found.startswith("taskset -c 3 ") and "drivers/python binning --way multi" in found
    assert "--threads" not in found and "--workers 4" in found


def test_coupling_meets_from_every_bin_to_never():
    found = cells_of("coupling", cores=4)
    every = {int(c.options[c.options.index("--sync-every") + 1]) for c in found}
    assert min(every) == 1 and max(every) == coupling.WINDOW_US
    crowded = {(c.layout, c.ranks * c.threads) for c in found if c.control}
    assert crowded == {("openmp", 8), ("mpi", 8)}
    with pytest.raises(ValueError, match="whole microseconds"):
        cells_of("coupling", every=(1500,))


# --- the machine and the command line --------------------------------------------


def test_hardware_threads_of_a_core_count_once():
    siblings = {0: "0,4", 4: "0,4", 1: "1,5", 5: "1,5", 2: "2,6", 6: "2,6"}.get
    assert cores.one_per_core({0, 1, 4, 5}, siblings) == [0, 1]
    assert cores.one_per_core({4, 5, 6}, siblings) == [4, 5, 6]


@pytest.fixture(autouse=True)
def outside_of_slurm(monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


def command(layout, launcher="mpirun", usable=(0, 1), ncores=2, **more):
    plan = plan_of(cores=ncores, kernels=("dot",))
    cell = next(x for x in plan.cells if x.layout == layout)
    return line_of(replace(cell, **more), launching.Site(launcher, tuple(usable), HOSTS))


def line_of(cell, site):
    launch = design.Launch(cell, 1)
    return " ".join(launching.command(launch, site=site, build="b", trace="t.h5", study="quick"))


def test_one_machine_needs_mpirun_only_for_ranks():
    assert command("serial").startswith("b/bindot-serial dot --size")
    assert "--threads" not in command("serial")
    assert command("openmp").startswith("b/bindot-openmp dot") and "--threads 2" in command("openmp")
    assert command("hybrid").startswith("mpirun -n 1 --bind-to none b/bindot-hybrid dot")


def test_ranks_are_bound_to_the_cores_that_we_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(cores, "online", lambda: 2)
    assert command("mpi").startswith("mpirun -n 2 --bind-to core b/bindot-mpi dot")
    monkeypatch.setattr(cores, "online", lambda: 8)
    assert "--cpu-list 5,7 --bind-to cpu-list:ordered" in command("mpi", usable=[5, 7])


def test_oversubscribed_only_where_ranks_exceed_cores():
    assert "--oversubscribe" not in command("mpi")
    assert "--oversubscribe --bind-to none" in command("mpi", ncores=3)


def test_a_slurm_allocation_is_entered_by_srun(monkeypatch):
    monkeypatch.setattr(launching.shutil, "which", lambda name: f"/bin/{name}")
    assert launching.choose({"SLURM_JOB_ID": "1"}) == "srun"
    assert launching.choose({"SLURM_JOB_ID": "1", "BINDOT_LAUNCHER": "mpirun"}) == "mpirun"
    assert launching.choose({}) == "mpirun"
    with pytest.raises(launching.NoLauncher, match="aprun"):
        launching.choose({"BINDOT_LAUNCHER": "aprun"})
    ranks = "srun --mpi=pmix -K -N1 -n2 --ntasks-per-node=2 -c1 --hint=nomultithread b/bindot-mpi dot"
    assert command("mpi", "srun").startswith(ranks)
    threads = "srun --mpi=none -K -N1 -n1 --ntasks-per-node=1 -c2 --hint=nomultithread b/bindot-openmp"
    assert command("openmp", "srun").startswith(threads)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert f"--host {os.uname().nodename}:2 --oversubscribe --bind-to none" in command("mpi")


def test_named_nodes_are_asked_for_by_name():
    two = dict(ranks=4, nodes=2, hosts=("node3", "node1"), where="pair")
    found = command("mpi", "srun", **two)
    assert found.startswith("srun --mpi=pmix -K -N2 -n4 --ntasks-per-node=2 -w node3,node1 -c1 --hint")
    assert "--label cell=dot-mpi-4x1-pair" in found
    alone = command("openmp", "srun", hosts=("node4",), where="node4")
    assert alone.startswith("srun --mpi=none -K -N1 -n1 --ntasks-per-node=1 -w node4 -c2 --hint")


def test_mpirun_in_an_allocation_goes_to_the_nodes(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    two = dict(ranks=4, nodes=2)
    assert "mpirun -n 4 --host node1:2,node2:2 --oversubscribe" in command("mpi", **two)
    assert "--host node4:2,node2:2" in command("mpi", hosts=("node4", "node2"), **two)
    assert command("serial", hosts=("node4",)).startswith("mpirun -n 1 --host node4 b/bindot-serial")
    assert command("serial").startswith("b/bindot-serial")


def test_more_threads_than_cores_on_purpose():
    crowd = dict(ranks=2, blas=2)
    found = command("mpi", **crowd)
    assert "--bind-to none" in found and "--blas-threads 2" in found
    found = command("mpi", "srun", **crowd)
    assert "-n2 --ntasks-per-node=2 -c1 --overcommit --cpu-bind=none b/bindot-mpi" in found


def test_a_cell_brings_its_environment_and_its_labels():
    found = command(
        "openmp", environment=(("OMP_WAIT_POLICY", "passive"),), labels=(("subset", "alone"),)
    )
    assert found.startswith("env OMP_WAIT_POLICY=passive b/bindot-openmp dot")
    assert "--label subset=alone" in found


def test_the_trace_tells_its_cell_and_launch():
    assert "--label cell=dot-mpi-2x1 --label launch=1 -o t.h5" in command("mpi")


# --- one launch ------------------------------------------------------------------


def attempt(tmp_path, *command, limit_s=10):
    with run.Watch() as watch:
        started = run.Attempt(command, tmp_path / "log")
        run.together([started], limit_s, watch)
    return started


@pytest.mark.parametrize(
    ("code", "status"), [(0, "done"), (3, "invalid"), (1, "failed"), (2, "failed"), (4, "failed")]
)
def test_exit_status_of_a_driver_is_its_outcome(tmp_path, code, status):
    ended = attempt(tmp_path, "sh", "-c", f"exit {code}")
    assert (ended.status, ended.code) == (status, code)


def test_a_program_that_is_not_there_is_a_failure(tmp_path):
    assert attempt(tmp_path, str(tmp_path / "no")).status == "failed"
    assert "No such file" in (tmp_path / "log").read_text()


def test_a_crash_is_named(tmp_path):
    assert attempt(tmp_path, "sh", "-c", "kill -SEGV $$").status == "failed"
    assert (tmp_path / "log").read_text() == "ended by SIGSEGV\n"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no message"),
        (["first", "bindot-mpi: no memory", 80 * "-", "mpirun says", 80 * "-"], "bindot-mpi: no memory"),
        ([75 * "-", "not enough", "slots", 75 * "-", ""], "not enough slots"),
        (["dot, mpi: 2 workers", "  INVALID: late (in 2 of 4)", "  t.h5"], "late (in 2 of 4)"),
        (["Killed", "srun: error: node1: task 0: Exited"], "Killed"),
    ],
)
def test_the_reason_is_the_drivers_or_else_mpiruns(tmp_path, lines, told):
    (tmp_path / "logs").mkdir()
    launch = plan_of().order[0]
    run.log_of(launch, tmp_path).write_text("\n".join(lines))
    assert run.reason(launch, tmp_path) == told


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_launch_that_hangs_is_ended_with_all_its_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PATIENCE_S", 0.3)
    script = "trap '' TERM; (trap '' TERM; set -m; sleep 60 & echo $!; wait) & wait"
    ended = attempt(tmp_path, "bash", "-c", script, limit_s=3)
    assert ended.status == "failed"
    child, *_, last = (tmp_path / "log").read_text().splitlines()
    assert last == "no end after 3 s"
    end = time.monotonic() + 10
    while alive(int(child)):
        assert time.monotonic() < end, "a rank outlived its launch"
        time.sleep(0.02)


def one(tmp_path, script):
    (tmp_path / "logs").mkdir(exist_ok=True)
    launch = plan_of().order[0]
    trace = run.trace_of(launch, tmp_path)
    with run.Watch() as watch:
        line = ["sh", "-c", script, "-", str(trace)]
        [record] = run.several([launch], lambda _: line, tmp_path, limit_s=10, watch=watch)
    return launch, record["status"]


def on(host, number=1, kernel="dot"):
    cell = design.Cell("openmp", 1, 2, kernel, hosts=(host,), where=host, folder="first")
    return design.Launch(cell, number)


def test_launches_on_different_nodes_may_run_side_by_side():
    turns = [on("a"), on("b"), on("a", kernel="matmul"), on("c"), on("b", 2), on("a", 2)]
    found = list(design.batches(turns, 3))
    names = [[f"{x.cell.where}{x.number}" for x in batch] for batch in found]
    assert names == [["a1", "b1", "c1"], ["a1"], ["b2", "a2"]]
    assert sorted(x.name for batch in found for x in batch) == sorted(x.name for x in turns)
    assert [len(batch) for batch in design.batches(turns, 1)] == [1] * 6
    here = plan_of(launches=1).order
    assert [len(batch) for batch in design.batches(here, 9)] == [1] * len(here), "no node is named"


def test_side_by_side_none_waits_for_another(tmp_path):
    turns = [on("a"), on("b"), on("c")]
    meet = 'touch "$2/$0"; until [ -e "$2/a" ] && [ -e "$2/b" ] && [ -e "$2/c" ]; do sleep 0.05; done; '
    with run.Watch() as watch:
        found = run.several(
            turns,
            lambda turn: ["sh", "-c", meet + '[ "$0" != b ] && echo > "$1"', turn.cell.where,
                          str(run.trace_of(turn, tmp_path)), str(tmp_path)],
            tmp_path, limit_s=30, watch=watch,
        )  # fmt: skip
    assert [record["status"] for record in found] == ["done", "failed", "done"]
    assert len(list((tmp_path / "first").glob("*.h5"))) == 2
    assert set(run.records(tmp_path)) == {turn.name for turn in turns}


def test_no_trace_is_a_failure_whatever_the_exit_status(tmp_path):
    launch, status = one(tmp_path, "exit 0")
    assert status == "failed"
    assert run.reason(launch, tmp_path) == "exit status 0, but no trace"
    assert run.done(plan_of(), tmp_path) == set()


def test_a_failed_launch_leaves_no_trace_for_the_analysis(tmp_path):
    launch, status = one(tmp_path, 'echo first > "$1"; exit 1')
    assert status == "failed" and not list(tmp_path.glob("*.h5"))
    launch, status = one(tmp_path, 'echo again > "$1"; exit 1')
    kept = sorted(tmp_path.glob("*.h5.failed-*"))
    assert [path.read_text() for path in kept] == ["first\n", "again\n"]
    launch, status = one(tmp_path, 'echo good > "$1"')
    assert run.done(plan_of(), tmp_path) == {launch.name}


def test_an_invalid_launch_is_done(tmp_path):
    launch, status = one(tmp_path, 'echo some > "$1"; exit 3')
    assert status == "invalid" and run.done(plan_of(), tmp_path) == {launch.name}


def test_what_is_invalid_on_purpose_is_no_failure_of_the_study(tmp_path, capsys):
    one(tmp_path, "exit 0")
    (tmp_path / run.RECORD).unlink()
    plan = plan_of(launches=1)
    meant = tuple(replace(cell, control=cell.layout == "mpi") for cell in plan.cells)
    plan = replace(plan, cells=meant, order=design.order(meant, 1, seed=1))

    def account_for(invalid):
        rows = [{"launch": x.name, "status": "invalid" if x.cell.layout in invalid else "done"}
                for x in plan.order]  # fmt: skip
        (tmp_path / run.RECORD).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return account.account([plan], tmp_path)

    assert account_for({"mpi"}) == 0
    assert "12 valid launches of 16, 4 marked INVALID (4 of them on purpose)" in capsys.readouterr().out
    assert account_for({"mpi", "openmp"}) == account.INVALID


def test_done_means_recorded_and_there(tmp_path):
    launch, _ = one(tmp_path, 'echo some > "$1"')
    with open(tmp_path / run.RECORD, "a") as out:
        out.write('{"launch": "torn by a cra')
    assert run.done(plan_of(), tmp_path) == {launch.name}
    record = run.records(tmp_path)[launch.name]
    run.write_down([record], tmp_path)  # the next is not torn with it
    assert (tmp_path / run.RECORD).read_text().count("\n") == 3
    assert json.loads((tmp_path / run.RECORD).read_text().splitlines()[-1]) == record
    run.trace_of(launch, tmp_path).unlink()
    assert run.done(plan_of(), tmp_path) == set()
    (run.trace_of(plan_of().order[1], tmp_path)).write_text("not recorded: who knows what it is")
    assert run.done(plan_of(), tmp_path) == set()


# --- the command -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a study"),
        (["nope"], "no study 'nope'"),
        (["quick", "nodes"], "one study at a time"),
        (["quick", "--launches", "0"], "--launches takes a number"),
        (["quick", "--launches=many"], "--launches takes a number"),
        (["quick", "--launches", "2,3"], "--launches takes one value, not '2,3'"),
        (["quick", "--launches"], "--launches needs a value"),
        (["quick", "--cores", "-1"], "--cores takes a number"),
        (["quick", "--seed", "x"], "--seed takes a number"),
        (["quick", "--kernels", "dot,fft"], "no kernels 'fft'"),
        (["quick", "--kernels", ","], "--kernels takes some of"),
        (["quick", "--fast"], "unknown option '--fast'"),
        (["quick", "--dot", "1e6"], "quick takes no --dot (see drivers/study quick --help)"),
        (["layouts", "--dot", "1e6,big"], "--dot takes sizes such as 4000,1e6, not '1e6,big'"),
        (["coupling", "--wait", "angrily"], "no wait 'angrily' (there are: default, active,"),
        (["coupling", "--every", "50"], "--every takes times such as 50us,2ms, not '50'"),
        (["strong", "--kernels", "binning"], "no kernels 'binning' (there are: dot,"),
        (["quick", "--resume", "nowhere"], "nothing to resume in 'nowhere'"),
        (["quick", "-o", "full"], "is not a study: nothing is overwritten"),
        (["quick", "-o", "a", "--out", "b"], "one folder, please"),
        (["coupling", "--wait", "all"], "no wait 'all'"),
    ],
)
def test_bad_usage_is_one_line_before_any_work(tmp_path, words, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    copy = tmp_path / "kit"
    copy.mkdir()
    subprocess.run(["cp", "-r", ROOT / "drivers", copy], check=True)
    ended = subprocess.run(
        [copy / "drivers" / "study", *words],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "BINDOT_PYTHON": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert message in ended.stderr and ended.stderr.count("\n") == 1 and not ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"full", "kit"}, "something was done"


@pytest.mark.parametrize("amount", ["0", "1e99", "4000,0.5"])
def test_a_size_of_nothing_or_beyond_everything_is_refused(amount):
    ended = study("layouts", "--dot", amount, "--dry-run")
    assert ended.returncode == 2 and not ended.stdout
    wrong = amount.split(",")[-1]
    assert ended.stderr == f"drivers/study: --dot takes numbers from 1 to 2^53, not '{wrong}'\n"


def test_what_is_named_twice_is_run_once_and_all_is_a_word():
    words = ("--dot", "1e4,10000,10k", "--kernels", "all", "--marshal", "8", "--matmul", "8,8")
    ended = study("layouts", *words, "--cores", 1, "--launches", 1, "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("# layouts: 12 cells"), ended.stdout  # 4 kernels x 3 layouts
    for option in ("--times 2,2", "--every 1us,1000ns", "--nodes 1,1"):
        name, text = option.split()
        kind = {"--times": "COUNTS", "--every": "TIMES", "--nodes": "COUNTS"}[name]
        assert len(manual.value(manual.Option(name[2:], kind, ""), text)) == 1


def test_help_names_every_study_with_its_question():
    ended = study("--help")
    assert ended.returncode == 0
    for name in STUDIES:
        question = importlib.import_module(f"studies.{name}").__doc__.splitlines()[0]
        assert re.search(rf"^  {name} +{re.escape(question.split(': ')[1])}$", ended.stdout, re.M)
    for option in ("--launches", "--cores", "--seed", "--out", "--resume", "--dry-run"):
        assert option in ended.stdout


@pytest.mark.parametrize("name", STUDIES)
def test_each_study_has_a_page_that_is_what_it_takes(name):
    ended = study(name, "--help")
    assert ended.returncode == 0
    page = importlib.import_module(f"studies.{name}").__doc__
    assert page in ended.stdout
    assert all(part in page for part in ("look for\n", "it cannot say\n", "minute"))
    options = manual.options(page)
    assert options["launches"].default >= 5
    for option in options.values():
        assert option.default is not None or "(" in option.text, f"--{option.name}: no default told"


def test_an_option_is_read_as_its_line_tells():
    page = """
  --sizes SIZES   some sizes
                  of it [1e3,64Ki]
  --waits TIMES   how long [50us,2ms]
  --kernels LIST  some of: a,b,c [all]
  --policy WORD   one of: active,passive [active]
  --nodes N       as many as there are (all)
"""
    found = manual.options(page)
    assert found["sizes"].default == (1000, 65536)
    assert found["waits"].default == (50_000, 2_000_000)
    assert found["kernels"].default == ("a", "b", "c")
    assert manual.value(found["kernels"], "c,a") == ("a", "c")
    assert found["policy"].default == "active" and found["policy"].choices == ("active", "passive")
    assert found["nodes"].default is None


def test_dry_run_prints_the_commands_and_writes_nothing(tmp_path):
    ended = study("quick", "--dry-run", "--launches", 3, "-o", "here", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    head, *lines = ended.stdout.splitlines()
    assert head.startswith("# quick: 16 cells x 3 launches")
    assert len(lines) == 48 == len(set(lines))
    assert all("bindot-" in line and "here/" in line for line in lines)
    assert not list(tmp_path.iterdir())


def test_a_reader_that_stops_reading_is_no_error(tmp_path):
    line = f"{STUDY} python --dry-run | head -n 1"
    ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
                           env=dict(os.environ, BINDOT_PYTHON=sys.executable), timeout=60)  # fmt: skip
    assert ended.stdout.startswith("# python:") and not ended.stderr


def test_a_seed_gives_the_same_order_again(tmp_path):
    words = ("quick", "--dry-run", "-o", "x", "--seed", 5)
    assert study(*words, cwd=tmp_path).stdout == study(*words, cwd=tmp_path).stdout


SMALL = {  # a run of each study in seconds: words, and the number of its traces
    "layouts": ("--kernels dot --dot 1e5 --launches 1 -- --warmup 1ms", 4),
    "weak": ("--kernels matmul --matmul 64 --launches 1 -- --warmup 1ms", 7),
    "breakeven": ("--kernels dot --dot 4Ki,8Ki --layouts openmp --launches 3 --stages 1"
                  " -- --warmup 1ms", 12),
    "oversubscribe": ("--matmul 64 --times 2 --launches 1 -- --warmup 1ms", 9),
    "coupling": ("--every 100us --layouts openmp --launches 1 -- --repeats 1", 4),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_each_study_runs_and_shows_what_came_out(name, tmp_path):
    words, traces = SMALL[name]
    own, more = words.split(" -- ")
    ended = study(name, *own.split(), "--cores", 2, "-o", "small", "--", *more.split(), cwd=tmp_path)
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    small = tmp_path / "small"
    assert len(list(small.glob("*.h5"))) == traces == len(records(small))
    assert all(more in " ".join(record["command"]) for record in records(small))
    assert (small / "report.html").stat().st_size > 1000
    assert f"of {traces}" in ended.stdout and re.search(r"\d×\d", ended.stdout)
    assert design.is_settled(design.read_all(small), small)


FEW = ("quick", "--kernels", "dot", "--launches", 1, "-o", "few")


def test_a_study_runs_and_resumes_only_what_is_missing(tmp_path):
    ended = study(*FEW, cwd=tmp_path)
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    few = tmp_path / "few"
    assert len(list(few.glob("*.h5"))) == 4 == len(records(few))
    assert (few / "report.html").stat().st_size > 1000
    assert "report: few/report.html" in ended.stdout

    next(few.glob("dot-mpi-*.h5")).unlink()
    before = {path: path.stat().st_mtime_ns for path in few.glob("*.h5")}
    ended = study(*FEW, cwd=tmp_path)
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    assert [record["launch"].split("-")[1] for record in records(few)[4:]] == ["mpi"]
    assert {path: path.stat().st_mtime_ns for path in before} == before

    ended = study("quick", "--resume", "few", "--launches", 9, cwd=tmp_path)
    assert ended.returncode == 2 and "another --launches: 1" in ended.stderr


def test_a_failing_launch_is_told_and_the_rest_runs(tmp_path):
    build = tmp_path / "build"
    build.mkdir()
    for driver in ("serial", "mpi", "hybrid"):
        (build / f"bindot-{driver}").symlink_to(BUILD / f"bindot-{driver}")
    ended = study(*FEW, cwd=tmp_path, build=build)
    assert ended.returncode == 1
    assert "FAILED dot-openmp-" in ended.stdout and "No such file" in ended.stdout
    status = {record["launch"].split("-")[1]: record["status"] for record in records(tmp_path / "few")}
    assert status.pop("openmp") == "failed"
    assert len(status) == 3 and "failed" not in status.values()
    assert (tmp_path / "few" / "report.html").exists(), "what did run is not shown"

    (build / "bindot-openmp").symlink_to(BUILD / "bindot-openmp")
    assert study(*FEW, cwd=tmp_path, build=build).returncode in (0, 3)
    assert len(records(tmp_path / "few")) == 5


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(
        [STUDY, "quick", "--kernels", "binning", "--launches", "1", "-o", "cut", "--", "--repeats", "40"],
        cwd=tmp_path,
        env=dict(os.environ, BINDOT_BUILD=str(BUILD), BINDOT_PYTHON=sys.executable),
        stdout=subprocess.PIPE,
        text=True,
    )
    told = [process.stdout.readline(), process.stdout.readline()]
    assert told[1].startswith("[1/4]")
    end = time.monotonic() + 60
    while not list((tmp_path / "cut").glob("*.h5.part")):  # in the midst of a launch
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 4
    assert "stopped by SIGINT" in rest
    assert "to go on: drivers/study quick --resume cut" in rest
    last = records(tmp_path / "cut")[-1]
    assert last["status"] == "stopped" and len(records(tmp_path / "cut")) < 4
    ended = study("quick", "--resume", "cut", cwd=tmp_path)
    assert ended.returncode in (0, 3), ended.stdout + ended.stderr
    assert len(list((tmp_path / "cut").glob("*.h5"))) == 4


@pytest.fixture
def kit_with_endless_analyses(tmp_path):
    """The drivers' folder of a kit whose analysis scripts tell that they run, and never end."""
    shutil.copytree(ROOT / "drivers", tmp_path / "drivers")
    (tmp_path / "analysis").mkdir()
    script = "import os, time\nprint(os.getpid(), file=open('begun', 'w'))\ntime.sleep(600)\n"
    for name in ("breakeven", "compare"):
        (tmp_path / "analysis" / f"{name}.py").write_text(script)
    shutil.copy(ROOT / "analysis" / "interpreter.py", tmp_path / "analysis")
    return tmp_path / "drivers"


def ran(name, folder, **given):
    """A study all of whose launches have run."""
    site = launching.look()
    asked = dict(launches=5, seed=1, cores=site.place.cores, more=(), **given)
    module = importlib.import_module(f"studies.{name}")
    asked = {key: option.default for key, option in manual.options(module.__doc__).items()} | asked
    cells = module.cells(SimpleNamespace(**asked), site.place)
    plan = design.plan(name, asked, site.place, cells)
    folder.mkdir()
    design.write(plan, folder)
    for launch in plan.order:
        run.trace_of(launch, folder).touch()
    run.write_down([{"launch": launch.name, "status": "done"} for launch in plan.order], folder)
    return plan


@pytest.mark.parametrize(("name", "number"), [("breakeven", signal.SIGTERM), ("quick", signal.SIGINT)])
def test_a_signal_during_an_analysis_ends_both_and_says_how_to_go_on(
    kit_with_endless_analyses, tmp_path, name, number
):
    """breakeven: while its results are asked for a next stage, which then is still to be done."""
    if name == "breakeven" and launching.look().place.cores == 1:
        pytest.skip("nothing breaks even on one core")
    plan = ran(name, tmp_path / "all", kernels=("dot",))
    process = subprocess.Popen(
        [kit_with_endless_analyses / "study", name, "--resume", "all"],
        cwd=tmp_path,
        env=dict(os.environ, BINDOT_BUILD=str(BUILD), BINDOT_PYTHON=sys.executable),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = tmp_path / "begun"
    end = time.monotonic() + 60
    while not (begun.exists() and begun.read_text().endswith("\n")):
        assert time.monotonic() < end and process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    told, wrong = process.communicate(timeout=60)
    assert process.returncode == 4, told + wrong
    assert f"stopped by {number.name}, 0 of {len(plan.order)} to run" in told and not wrong
    assert f"to go on: drivers/study {name} --resume all" in told
    assert not alive(int(begun.read_text())), "the analysis goes on"
    assert design.is_settled([plan], tmp_path / "all") == (name == "quick")


def test_an_analysis_that_fails_when_asked_is_told_in_one_line(kit_with_endless_analyses, tmp_path):
    if launching.look().place.cores == 1:
        pytest.skip("nothing breaks even on one core")
    ran("breakeven", tmp_path / "all", kernels=("dot",))
    (tmp_path / "analysis" / "breakeven.py").write_text("import sys\nsys.exit(7)\n")
    ended = subprocess.run(
        [kit_with_endless_analyses / "study", "breakeven", "--resume", "all"],
        cwd=tmp_path,
        env=dict(os.environ, BINDOT_BUILD=str(BUILD), BINDOT_PYTHON=sys.executable),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1 and "breakeven.py all --json - ended with" in ended.stderr


def test_what_was_not_asked_for_a_next_stage_is_not_complete(tmp_path):
    """It is sent again, and a report says so."""
    if launching.look().place.cores == 1:
        pytest.skip("nothing breaks even on one core")
    plan = ran("breakeven", tmp_path / "all", kernels=("dot",))
    (tmp_path / "all" / "submission").write_text("breakeven\n1\n1\n")
    line = [ROOT / "slurm" / "submit", "breakeven", "--resume", tmp_path / "all", "--dry-run"]
    session = main.Session(breakeven, [plan], tmp_path / "all", None, None)

    def jobs():
        told = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
        return [re.search(r"slurm/(\w+).sbatch", job)[1] for job in told.splitlines()]

    assert session.is_open() and jobs() == ["study", "report"]
    design.settle([plan], tmp_path / "all")
    assert not session.is_open() and jobs() == ["report"]


def test_a_lock_is_respected_where_there_are_locks(tmp_path, monkeypatch, capsys):
    with main.own(tmp_path):
        with pytest.raises(SystemExit) as refused:
            main.own(tmp_path)
    assert refused.value.code == 2
    assert "is being run by another process" in capsys.readouterr().err

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    main.own(tmp_path).close()


# --- tests/run ------------------------------------------------------------------

CTEST = '<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"><failure/></testcase></testsuite>'
PYTEST = '<testsuites><testsuite><testcase name="c"/><testcase name="d"><skipped/></testcase></testsuite></testsuites>'
GOOD = '<testsuite><testcase name="a" status="run"/></testsuite>'


@pytest.mark.parametrize(
    ("suites", "code", "last"),
    [
        ([CTEST, PYTEST], 1, "2 passed, 1 failed, 1 skipped"),
        ([GOOD, GOOD], 0, "2 passed, 0 failed"),
        ([GOOD, "<testsuite/>"], 1, "1 passed, 1 failed"),
        ([GOOD, None], 1, "1 passed, 1 failed"),
        ([GOOD, "<testsuite>"], 1, "1 passed, 1 failed"),
        ([GOOD, GOOD.replace("/></", "><error/></testcase></")], 1, "1 passed, 1 failed"),
        ([PYTEST.replace('<testcase name="c"/>', "")], 1, "0 passed, 0 failed, 1 skipped"),
    ],
)
def test_the_last_line_of_tests_run_adds_what_really_ran(tmp_path, suites, code, last):
    words = []
    for number, text in enumerate(suites):
        words.append(f"suite{number}={tmp_path / str(number)}")
        if text is not None:
            (tmp_path / str(number)).write_text(text)
    ended = subprocess.run(
        [ROOT / "tests" / "run", "--summary", *words], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (code, last), ended.stderr
