"""compare.py --baseline: a change that is there is found, one that is not is not, and it says
how small a change it would have seen."""

import json
from dataclasses import replace

import numpy as np
import pytest

import cells
import change
import stats
import traces
from synthetic import Run, launches
from test_analysis_compare import run

NOISE = {"noise": 0.005, "launch_noise": 0.01}
CELLS = [("serial", 1, 1), ("openmp", 1, 2), ("mpi", 2, 1), ("hybrid", 2, 2)]


def study(folder, seed, launches_=8, slower=(), kernels=("dot", "matmul")):
    """All cells of both kernels; slower: {(kernel, layout): factor of the rate}."""
    slower = dict(slower)
    for k, kernel in enumerate(kernels):
        for i, (layout, ranks, threads) in enumerate(CELLS):
            rate = 1e9 * slower.get((kernel, layout), 1)
            launches(folder, launches_, Run(kernel=kernel, layout=layout, ranks=ranks, rate=rate,
                                            threads=threads, seed=seed + 10 * k + i, **NOISE))
    return folder


def changed(before, after, *words):
    done = run("--baseline", before, after, "--json", "-", *words)
    return done.returncode, json.loads(done.stdout)


def test_what_became_slower_is_named_and_nothing_else(tmp_path):
    before = study(tmp_path / "a", 100)
    after = study(tmp_path / "b", 200, slower={("dot", "mpi"): 0.9, ("matmul", "serial"): 1.1})
    status, found = changed(before, after)
    verdicts = {(c["work"].split(",")[0], c["cell"].split()[0]): c for c in found["changes"]}
    assert verdicts["dot", "mpi"]["verdict"] == "slower"
    assert verdicts["matmul", "serial"]["verdict"] == "faster"
    others = [c for key, c in verdicts.items() if key not in {("dot", "mpi"), ("matmul", "serial")}]
    assert len(others) == 6 and {c["verdict"] for c in others} == {"no change shown"}
    low, high = verdicts["dot", "mpi"]["ratio_interval"]
    assert low < 0.9 < high < 0.95
    assert status == 3
    assert found["answer"].startswith("1 slower and 1 faster of 8 cells")


def test_nothing_changed_exits_0_and_says_what_would_have_shown(tmp_path):
    before, after = study(tmp_path / "a", 100), study(tmp_path / "b", 200)
    done = run("--baseline", before, after)
    assert done.returncode == 0, done.stdout
    assert "no change shown of 8 cells" in done.stdout
    assert "smallest change that would have shown" in done.stdout


def test_faster_only_is_no_alarm(tmp_path):
    before = study(tmp_path / "a", 100, kernels=("dot",))
    after = study(tmp_path / "b", 200, slower={("dot", "mpi"): 1.2}, kernels=("dot",))
    assert changed(before, after)[0] == 0


def test_two_launches_cannot_tell(tmp_path):
    before = study(tmp_path / "a", 100, launches_=2, kernels=("dot",))
    after = study(tmp_path / "b", 200, launches_=2, slower={("dot", "mpi"): 0.5}, kernels=("dot",))
    status, found = changed(before, after)
    assert status == 4
    assert all(c["verdict"] == "cannot tell" and "at least 3" in c["why"] for c in found["changes"])


def test_a_change_below_the_threshold_is_none(tmp_path):
    before = study(tmp_path / "a", 100, launches_=30, kernels=("dot",))
    after = study(tmp_path / "b", 200, launches_=30, slower={("dot", "mpi"): 0.97}, kernels=("dot",))
    assert changed(before, after)[0] == 3
    assert changed(before, after, "--threshold", "10%")[0] == 0


def test_what_else_differs_and_what_is_missing_is_told(tmp_path):
    before = study(tmp_path / "a", 100, launches_=3)
    after = study(tmp_path / "b", 200, launches_=3, kernels=("dot",))
    launches(after, 3, Run(layout="openmp", threads=4, seed=9,
                           provenance={"kernel_release": "6.9.9"}, **NOISE))
    status, found = changed(before, after)
    assert len(found["missing"]) == 4 and all("matmul" in name for name in found["missing"])
    assert found["new"] == [name for name in found["new"] if "openmp 1×4" in name] != []
    assert not any("6.9.9" in line for line in found["differences"]), "not of a common cell"
    other = study(tmp_path / "c", 300, launches_=3)
    launches(other, 3, Run(layout="mpi", ranks=2, seed=5, provenance={"governor": "powersave"},
                           **NOISE))
    assert "governor: performance -> performance, powersave" in changed(before, other)[1]["differences"]


def test_kernels_that_one_study_has_two_of_are_told(tmp_path):
    """One of them is compared; that the others are not is said."""
    before = study(tmp_path / "a", 100, launches_=3, kernels=("dot",))
    after = study(tmp_path / "b", 200, launches_=3, kernels=("dot",))
    assert not any("left out" in line for line in changed(before, after)[1]["differences"])
    launches(after / "old", 3, Run(layout="mpi", ranks=2, seed=5, attrs={"kernel_hash": "0ld"},
                                   **NOISE))
    [line] = [x for x in changed(before, after)[1]["differences"] if "left out" in x]
    assert line.startswith("after: ") and "those of 0ld are left out of 1 cell" in line


def test_an_invalid_launch_is_not_compared(tmp_path):
    before = study(tmp_path / "a", 100, kernels=("dot",))
    after = tmp_path / "b"
    launches(after, 6, Run(rate=1e8, attrs={"valid": 0, "invalid_reasons": "shared core"}, **NOISE))
    status, found = changed(before, after)
    assert (status, found["changes"][0]["verdict"]) == (4, "cannot tell")
    assert changed(before, after, "--allow-invalid")[0] == 3


@pytest.mark.parametrize("words, message", [
    (("--baseline", "nowhere"), "nowhere"),
    (("--baseline", "{folder}", "--threshold", "3"), "--threshold"),
])
def test_bad_baseline_is_one_line(tmp_path, words, message):
    folder = study(tmp_path / "a", 1, launches_=1, kernels=("dot",))
    done = run(folder, *(word.format(folder=folder) for word in words))
    assert done.returncode in (1, 2)
    assert message in done.stderr and "Traceback" not in done.stderr


def test_false_alarms_are_rare(tmp_path):
    """Null studies of 8 cells, 6 launches: far fewer than the 1 in 3 that would show at least
    one change if each cell were judged alone."""
    read, _ = traces.read_all([study(tmp_path, 1, launches_=6)])
    groups = cells.compare(read, cells.Rules())
    rng = np.random.default_rng(7)

    def drawn(factor=1.0):
        return [replace(group, cells=tuple(
            replace(cell, used=tuple(replace(x, rates=np.array([factor * rng.lognormal(0, 0.02)]))
                                     for x in cell.used)) for cell in group.cells))
            for group in groups]
    alarms = [sum(c.verdict in (change.SLOWER, change.FASTER)
                  for c in change.compare(drawn(), drawn(), 0).changes) for _ in range(300)]
    assert np.mean(np.array(alarms) > 0) < 0.09
    power = [change.compare(drawn(), drawn(0.9), 0).count(change.SLOWER) for _ in range(40)]
    assert np.mean(power) > 7.5


def test_what_would_have_shown_is_what_is_called(tmp_path):
    """A cell whose ratio lies just beyond `seen` is called among all others, just below it not."""
    groups = cells.compare(traces.read_all([study(tmp_path, 1, launches_=6)])[0], cells.Rules())
    own = [cell for group in groups for cell in group.cells][3]

    def moved(factor):
        return [replace(group, cells=tuple(cell if cell is not own else replace(
            cell, used=tuple(replace(x, rates=factor * x.rates) for x in cell.used))
            for cell in group.cells)) for group in groups]
    [seen] = [c.seen for c in change.compare(groups, groups, 0).changes if c.before is own]
    single = stats.ratio_interval(own.rates, own.rates)
    assert seen > np.sqrt(single.high / single.low) - 1, "8 cells are looked at, not one"
    for part, verdict in ((0.98, change.SAME), (1.02, change.FASTER)):
        found = change.compare(groups, moved((1 + seen) ** part), 0).changes
        assert [c.verdict for c in found if c.before is own] == [verdict]
        assert sum(c.verdict != change.SAME for c in found) == (verdict != change.SAME)


def test_p_and_interval_agree():
    """p < 0.05 exactly where the 95 % interval excludes 1."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        x, base = rng.lognormal(0.02, 0.03, 6), rng.lognormal(0, 0.02, 5)
        ratio = stats.ratio_interval(x, base)
        assert (stats.ratio_p(x, base) < 0.05) == (not ratio.low <= 1 <= ratio.high)
