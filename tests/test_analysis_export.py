"""What compare.py exports says what the traces say, in the form that others read."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import export
import traces
from synthetic import Run, launches

COMPARE = Path(traces.__file__).parent / "compare.py"
NOISE = {"noise": 0.01, "launch_noise": 0.01}


def run(*arguments):
    return subprocess.run([sys.executable, COMPARE, *map(str, arguments)], capture_output=True,
                          text=True, encoding="utf-8", timeout=300)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def own(path, name):
    """A dataset as h5py reads it, and the iterations of the run."""
    with h5py.File(path) as file:
        return file[name][()], file.attrs["iterations"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Traces by layout and ranks: mpi on 1, 2, 4 of each size; a kernel with bins; one INVALID."""
    folder = tmp_path_factory.mktemp("traces")
    made = {("serial", 1, 10**6): launches(folder, 6, Run(**NOISE))}
    for ranks in (1, 2, 4):
        for size in (10**6, 10**7):
            made["mpi", ranks, size] = launches(folder, 3, Run(
                layout="mpi", ranks=ranks, compute=0.9, seed=ranks + size,
                attrs={"size": size, "iterations": 3},
                **NOISE))
    made["binning"] = launches(folder, 3, Run(kernel="binning", rate=2e7, **NOISE))
    launches(folder, 3, Run(layout="mpi", ranks=8, seed=9, attrs={
        "valid": 0, "invalid_reasons": "two workers on one core"}))
    return folder, made


@pytest.fixture(scope="module")
def exported(study):
    """(CSV rows, JSON, folder for Extra-P)."""
    folder = study[0]
    done = run(folder, "--csv", folder / "a.csv", "--json", folder / "a.json", "--extra-p",
               folder / "models")
    assert done.returncode == 0 and done.stderr == ""
    return (rows((folder / "a.csv").read_text(encoding="utf-8")),
            json.loads((folder / "a.json").read_text(encoding="utf-8")), folder / "models")


def test_csv_says_what_the_traces_say(study, exported):
    """Median over launches of the launch's median, with all digits; n; the unit."""
    _, made = study
    for (layout, ranks, size), paths in ((k, v) for k, v in made.items() if k != "binning"):
        [row] = [r for r in exported[0] if (r["layout"], r["ranks"], r["size"], r["measure"]) == (
            layout, str(ranks), str(size), "rate")]
        rates = [np.median(own(path, "results/rate")[0]) for path in paths]
        assert float(row["value"]) == np.median(rates)
        assert row["unit"] == "multiply-add/s" and int(row["n"]) == len(paths)
        assert float(row["low"]) < np.median(rates) < float(row["high"])
        assert row["valid"] == "1"
    [lost] = [r for r in exported[0] if r["measure"] == "lost_share"]
    assert lost["kernel"] == "binning" and lost["unit"] == "" and lost["size"] == ""


def test_intervals_of_shares_end_at_one(tmp_path):
    """However wide a disturbed launch makes them."""
    for seed, compute in enumerate((0.7, 0.9, 0.99)):
        launches(tmp_path, 1, Run(layout="mpi", ranks=2, compute=compute, seed=seed))
    [one] = [row for row in rows(run(tmp_path, "--csv", "-").stdout)
             if row["measure"] == "parallel_efficiency"]
    assert float(one["low"]) < 0.7 and float(one["high"]) == 1


def test_records_are_tidy(exported):
    """One for each cell and measure, the same in CSV and in JSON, every field in each."""
    flat, numbers, _ = exported
    records = numbers["records"]
    assert len(flat) == len(records) > 40
    for row, record in zip(flat, records):
        assert set(record) == set(row) == set(export.FIELDS)
        assert {k: "" if v is None else str(int(v)) if isinstance(v, bool) else str(v)
                for k, v in record.items()} == row
    of = {tuple(row[k] for k in ("work", "layout", "ranks", "threads_per_rank", "measure"))
          for row in flat}
    assert len(of) == len(flat)
    invalid = [row for row in flat if row["ranks"] == "8"]
    assert invalid and {row["valid"] for row in invalid} == {"0"}
    assert "speedup" not in {row["measure"] for row in invalid}


def test_extra_p_reads_every_launch(study, exported):
    """Its JSON input: parameters, call path -> metric -> points with a value for each launch."""
    [path] = list(exported[2].iterdir())  # serial and binning are one point each
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["parameters"] == ["ranks", "size"]
    [(callpath, metrics)] = content["measurements"].items()
    assert callpath == "dot->mpi"
    assert {"time_s", "computing_s", "waiting_s", "combining_s", "units_per_s"} == set(metrics)
    points = [[ranks, size] for ranks in (1, 2, 4) for size in (10**6, 10**7)]
    for measured in metrics.values():  # Extra-P wants every metric at every point
        assert [m["point"] for m in measured] == points
    for m in metrics["time_s"]:
        each = [own(p, "results/seconds") for p in study[1]["mpi", *m["point"]]]
        assert sorted(m["values"]) == pytest.approx(
            sorted(np.median(seconds) / calls for seconds, calls in each), rel=1e-12)
    for m in metrics["computing_s"]:
        each = [own(p, "compute_ns") for p in study[1]["mpi", *m["point"]]]
        assert sorted(m["values"]) == pytest.approx(
            sorted(np.median(ns.mean(axis=1)) * 1e-9 / calls for ns, calls in each), rel=1e-12)


def test_what_follows_from_the_others_is_no_parameter(tmp_path):
    """Two ranks on each node are one dimension."""
    for nodes in (1, 2, 4):
        launches(tmp_path, 1, Run(layout="mpi", ranks=2 * nodes, seed=nodes,
                                  hostnames=tuple(f"node{i}" for i in range(nodes))))
    assert run(tmp_path, "--extra-p", tmp_path / "models").returncode == 0
    [path] = (tmp_path / "models").iterdir()
    content = json.loads(path.read_text())
    assert content["parameters"] == ["ranks"]
    [metrics] = content["measurements"].values()
    assert [m["point"] for m in metrics["time_s"]] == [[2], [4], [8]]


def test_standard_output_is_the_table_or_the_records(tmp_path):
    launches(tmp_path, 3, Run(**NOISE))
    done = run(tmp_path, "--csv", "-")
    assert done.returncode == 0 and len(rows(done.stdout)) > 3


def test_exit_statuses(tmp_path):
    launches(tmp_path / "t", 3, Run(**NOISE))
    points = run(tmp_path / "t", "--extra-p", tmp_path / "models")
    assert points.returncode == 1 and "at two points" in points.stderr
    assert not (tmp_path / "models").exists()
    assert run(tmp_path / "t", "--csv", tmp_path / "no" / "a.csv").returncode == 1
    for words in (["--csv", "-", "--json", "-"], ["--csv", "a", "--baseline", tmp_path / "t"]):
        usage = run(tmp_path / "t", *words)
        assert usage.returncode == 2 and usage.stderr.count("\n") == 1
    assert "a" not in os.listdir(tmp_path)
