"""Studies of many nodes: the traces are the kit's own, and analysis holds one of them at a time.

At full size, 1,000 nodes of 128 workers: tests/bench/fleet.
"""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import fleet
import fleet_traces
import kit
import peak
import sample
import survey
import traces
import verdicts
from fleet_traces import Fleet

ANALYSIS = Path(traces.__file__).parent
NUMBERS = 21 * 8  # bytes that a dot trace holds of each worker and repetition, at least


def folder_of(folder, paths):
    folder.mkdir()
    for path in paths:
        (folder / path.name).symlink_to(path)
    return folder


def rss(script, folder, *words):
    took = peak.of([sys.executable, ANALYSIS / f"{script}.py", folder, *words],
                   stdout=subprocess.DEVNULL)
    assert took.code == 0
    return took.rss


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """Sixteen traces of 6 MiB of tables of workers, and a folder with four of them."""
    home = tmp_path_factory.mktemp("heavy")
    few = Fleet(nodes=4, workers=2000, launches=4, kernel="dot", repetitions=20)
    made = fleet_traces.alone(home, few)
    size = NUMBERS * few.workers * few.repetitions
    return size, folder_of(home / "few", made[:4]), folder_of(home / "many", made)


@pytest.mark.parametrize("script", ["compare", "scaling"])
def test_memory_does_not_grow_with_the_number_of_traces(heavy, script):
    """Twelve more traces, not even two of them in memory more."""
    size, few, many = heavy
    assert rss(script, many) - rss(script, few) < 2 * size


@pytest.mark.parametrize("script", ["nodes", "noise"])
def test_memory_does_not_grow_with_the_bins_of_a_trace(tmp_path, script):
    small = Fleet(workers=512, launches=1, bins=2000, repetitions=1)
    sizes = []
    for nodes in (2, 18):
        home = tmp_path / str(nodes)
        home.mkdir()
        fleet_traces.together(home, replace(small, nodes=nodes))
        sizes.append(rss(script, home, *["--workers", "2"][:2 * (script == "noise")]))
    assert sizes[1] - sizes[0] < 16 * small.workers * small.bins * 8 / 4  # counts and lost_ns


def test_the_schema_is_the_drivers(tmp_path):
    """Every table and attribute, its axes and its type; and nothing else."""
    [path] = fleet_traces.together(tmp_path, Fleet(nodes=3, workers=2, launches=1, bins=64))
    real = tmp_path / "real.h5"
    assert kit.run("serial", "binning", "--bins", 64, "--repeats", 2, "--allow-invalid", "--quiet",
                   "-o", real).returncode == 0
    assert schema(path) == schema(real)
    read = traces.read(path)
    assert read.bins == (2, 6, 64) and read.knots and len(set(read.nodes["hostname"])) == 3


def schema(path):
    """name -> (axes, type) of each table, or the names of a group's attributes."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = ([dim[0].name for dim in item.dims if len(dim)], item.dtype)
        else:
            found[name] = sorted(item.attrs)

    with h5py.File(path) as file:
        file.visititems(keep)
        found["/"] = sorted(file.attrs)
    return found


@pytest.mark.parametrize("shape", ["alone", "together"])
def test_the_planted_node_is_named(tmp_path, shape):
    many = Fleet(nodes=12, workers=3, bins=64, bad=7)
    fleet_traces.WRITERS[shape](tmp_path, many)
    bad = []
    found = verdicts.judge(fleet.visits(traces.each([str(tmp_path)], bad), bad))
    assert not bad and found.hosts(verdicts.SUSPECTED) == [many.bad_host] == ["node0007"]
    assert found.nodes[0].worst.effect == pytest.approx(-0.05, abs=0.02)


def test_tables_of_the_run_are_not_read_once_for_each_node(tmp_path, monkeypatch):
    """A report of a thousand nodes would take half a minute for each trace."""
    opened, openings = [], traces._opened
    monkeypatch.setattr(traces, "KEPT", 0)
    monkeypatch.setattr(traces, "_opened", lambda path: opened.append(path) or openings(path))
    times = []
    for nodes in (2, 6):
        [path] = fleet_traces.together(tmp_path, Fleet(nodes, workers=2, launches=1, bins=64))
        trace = traces.read(path).slim()
        opened.clear()
        assert len(fleet.visit(trace)) == nodes
        times.append(len(opened))
    assert times[0] == times[1] > 0


def test_the_largest_and_some_others_are_looked_at():
    value = np.zeros(1000)
    value[[17, 400, 401]] = 3, 5, 4
    looked = sample.chosen(value, 6)
    assert {17, 400, 401} < set(looked) and len(looked) == 6 and looked == sorted(looked)
    assert max(looked) == 999 and sample.chosen(value[:6], 6) == list(range(6))


def test_noise_says_how_much_it_looked_at(tmp_path):
    fleet_traces.together(tmp_path, Fleet(nodes=2, workers=8, launches=3, bins=2000))
    done = subprocess.run([sys.executable, ANALYSIS / "noise.py", tmp_path, "--workers", "4",
                           "--traces", "2"], capture_output=True, text=True, check=True)
    assert "looked at 2 of 3 traces" in done.stdout
    assert done.stdout.count("looked at 4 of 16 workers") == 2
    path, name = min(tmp_path.glob("*.h5")), tmp_path / "some.svg"
    subprocess.run([sys.executable, ANALYSIS / "noise.py", path, "--workers", "3", "--plot", name],
                   capture_output=True, check=True)
    looked = sample.chosen(survey.losses(traces.read(path)), 3)
    assert set(re.findall(r"worker (\d+)", name.read_text(encoding="utf-8"))) == {
        str(worker) for worker in looked} != {"0", "1", "2"}  # their numbers, not their rows
