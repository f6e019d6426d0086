"""oversubscribe.py: a planted loss holds, none is undecided, and the best is of the right size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import traces
from synthetic import Run, launches

SCRIPT = Path(traces.__file__).parent / "oversubscribe.py"
WAYS = [  # layout, ranks, BLAS threads, rate of all, valid
    ("mpi", 1, 1, 50e9, 1),
    ("mpi", 1, 2, 90e9, 1),
    ("mpi", 2, 1, 100e9, 1),
    ("mpi", 2, 2, 80e9, 0),  # a fifth is lost
    ("mpi", 4, 1, 100e9, 0),  # nothing is
    ("mpi", 4, 2, 150e9, 0),  # faster than possible: does not hold
]
INVALID = {"valid": 0, "invalid_reasons": "more workers and library threads than CPUs"}


@pytest.fixture
def study(tmp_path):
    for i, (layout, ranks, blas, rate, valid) in enumerate(WAYS):
        attrs = {"blas_threads": blas, **({} if valid else INVALID)}
        launches(tmp_path / str(i), 5, Run(
            "matmul", layout, ranks, rate=rate / ranks, launch_noise=0.01, seed=i, attrs=attrs))
    return tmp_path


def rows(*words):
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words), "--json", "-"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [work] = json.loads(done.stdout)["works"]
    return {(row["ranks"], row["blas_threads"]): row for row in work["rows"]}


def test_verdicts_are_those_of_the_planted_losses(study):
    found = rows(study)
    assert found[2, 1]["is_best"] and found[2, 1]["asks_for"] == 1
    assert found[2, 2]["verdict"] == "holds" and found[2, 2]["asks_for"] == 2
    low, high = found[2, 2]["of_best_interval"]
    assert low < 0.8 < high and high - low < 0.1
    assert found[4, 1]["verdict"] == "undecided"
    assert found[4, 2]["verdict"] == "does not hold"
    assert found[1, 1]["verdict"] == "leaves cores idle"
    assert found[1, 2]["verdict"] == "fills the cores"
    assert not found[2, 2]["valid"] and "more workers" in found[2, 2]["invalid_reasons"][0]


def test_the_page_keeps_the_mark_and_names_the_worst(study):
    done = subprocess.run([sys.executable, SCRIPT, study], capture_output=True, text=True,
                          timeout=120)
    assert done.stdout.count("INVALID") == 3
    assert "A loss is certain in 1 of 3 ways" in done.stdout
    assert "the worst, mpi 2×1×2, keeps 8" in done.stdout


def test_an_invalid_launch_of_a_valid_cell_does_not_count(study):
    """Two throttled launches of the base would make every loss look smaller."""
    launches(study / "throttled", 2, Run("matmul", "mpi", 2, rate=10e9, seed=9, attrs={
        "blas_threads": 1, "valid": 0, "invalid_reasons": "throttled"}))
    done = subprocess.run([sys.executable, SCRIPT, study, "--json", study / "out.json"],
                          capture_output=True, text=True, timeout=120)
    [work] = json.loads((study / "out.json").read_text())["works"]
    [best] = [row for row in work["rows"] if row["is_best"]]
    assert (best["launches"], best["launches_used"]) == (7, 5) and " 5/7 " in done.stdout
    assert min(best["launch_rates"]) > 90e9


def test_the_cores_can_be_told(study):
    """On 4 cores the best of 4 is the one with 4 ranks; but it is INVALID, so there is none."""
    done = subprocess.run([sys.executable, SCRIPT, study, "--cores", "4"], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 1 and "fills the cores" in done.stderr
