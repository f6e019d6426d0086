"""JUBE runs the kit by slurm/jube.xml; what slurm/reframe_bindot.py runs and reads fits the kit.

ReFrame is in no Debian package: its file is read, never run under ReFrame itself.
"""

import ast
import csv
import io
import os
import re
import shutil
import subprocess

import h5py
import numpy as np
import pytest

import kit

REFRAME = kit.SOURCE / "slurm" / "reframe_bindot.py"


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The kit's folders that JUBE's file refers to; the build is the tests'."""
    folder = tmp_path_factory.mktemp("kit")
    for name in ("slurm", "analysis"):
        shutil.copytree(kit.SOURCE / name, folder / name)
    (folder / "build").symlink_to(kit.BUILD)
    return folder


def changed(path, *pairs):
    """The file with what takes long made short; what is to be changed must be there."""
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def jube(folder, *words):
    return subprocess.run(["jube", *words], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not shutil.which("jube"), reason="JUBE is not installed")
def test_jube_runs_and_reads_the_kit(copied):
    """Serial and mpi, two launches each; its table has the figures of the traces."""
    changed(copied / "slurm" / "jube.xml", ('iterations="3"', 'iterations="2"'),
            (">0,1,2,3<", ">0,2<"), ("--repeats 5", "--repeats 3 --bins 200 --warmup 1ms"))
    ran = jube(copied, "run", "slurm/jube.xml")
    assert ran.returncode == 0 and re.search(r"run \|\s+4 \|.* 0 \|\s+4 \|", ran.stdout), ran.stdout
    table = jube(copied, "result", "-a", "results/jube")
    rows = list(csv.DictReader(io.StringIO(table.stdout[table.stdout.index("kernel,"):])))
    assert [row["layout"] for row in rows] == ["serial"] * 2 + ["mpi"] * 2
    traces = [own(path) for path in (copied / "results" / "jube").rglob("run.h5")]
    assert sorted(traces) == sorted(
        (row["layout"], round(float(row["rate"])), int(row["valid"])) for row in rows)
    for row in rows:
        assert row["unit"] == "clock read/s"
        assert row["status"] == ("0" if row["valid"] == "1" else "3")
        assert 0 < float(row["parallel"]) <= 1


def own(path):
    """(layout, rate of the launch as compare.py defines it, valid), by h5py."""
    with h5py.File(path) as file:
        counts, seconds = file["counts"][()], file.attrs["bin_width_ns"] * 1e-9
        busy = np.array([[np.median(row[row > 0]) * np.mean(row > 0) if row.any() else 0
                          for row in rep]
                         for rep in counts])
        return (file.attrs["layout"].decode(), round(float(np.median(busy.sum(axis=1) / seconds))),
                int(file.attrs["valid"]))


def constants():
    """What the ReFrame file runs and reads: its module's literals."""
    tree = ast.parse(REFRAME.read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                pass
    return found


def job(folder, launch, name):
    """The job script that ReFrame would write of it, run; (standard output, cells.csv)."""
    words = constants()
    lines = [" ".join([*launch, kit.program(name), "binning", *words["OPTIONS"],
                       "--bins", "200", "--warmup", "1ms"]),
             *(line.format(kit=kit.SOURCE) for line in words["AFTER"])]
    (folder / "job.sh").write_text("\n".join(["#!/bin/bash", *lines, ""]))
    done = subprocess.run(["bash", "job.sh"], cwd=folder, capture_output=True, text=True,
                          timeout=120)
    return done.stdout, (folder / "cells.csv").read_text(encoding="utf-8")


def test_what_reframe_reads_of_a_valid_run(tmp_path):
    """A disturbed launch is honestly INVALID: then another."""
    words = constants()
    for i in range(10):
        (folder := tmp_path / str(i)).mkdir()
        said, cells = job(folder, [], "serial")
        if re.search(words["DONE"], said, re.MULTILINE):
            break
        assert re.search(words["INVALID"], said, re.MULTILINE)
    else:
        pytest.skip("every launch was disturbed")
    assert not re.search(words["INVALID"], said, re.MULTILINE)
    _, rate, valid = own(folder / "run.h5")
    assert valid == 1 and round(float(re.search(words["RATE"], cells)[1])) == rate
    assert 0 < float(re.search(words["PARALLEL"], cells)[1]) <= 1


def test_reframe_sees_an_invalid_run(tmp_path):
    """Two threads on one core: found by the line and by the exit status; no rate is read."""
    words = constants()
    said, cells = job(tmp_path, ["OMP_NUM_THREADS=2", *kit.MPIRUN, "-n", "1", "--bind-to", "core"],
                      "hybrid")
    assert re.search(words["INVALID"], said, re.MULTILINE)[1]
    assert not re.search(words["DONE"], said, re.MULTILINE)
    assert "exit status: 3" in said and not re.search(words["RATE"], cells)


def test_the_reframe_file_is_python_and_names_what_it_uses():
    tree = ast.parse(REFRAME.read_text(encoding="utf-8"))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert classes == {"bindot_build", "bindot_run"}
    code = REFRAME.read_text(encoding="utf-8")
    for layout in kit.LAYOUTS:
        assert f'"{layout}"' in code and os.access(kit.program(layout), os.X_OK)
