"""The statistics give known answers, and "95 %" intervals hold in 95 % of the cases."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

import stats

ANALYSIS = Path(stats.__file__).parent


@pytest.mark.parametrize("n, ranks", [
    (6, (1, 6)), (10, (2, 9)), (15, (4, 12)), (20, (6, 15)), (30, (10, 21)), (50, (18, 33)),
    (100, (40, 61)), (5, None), (1, None), (0, None)])
def test_median_ranks_are_the_binomial_ones(n, ranks):
    assert stats.median_ranks(n) == ranks


def test_median_interval_is_two_of_the_values():
    found = stats.median_interval(np.array([3, 1, 10, 2, 5, 4, 8, 7, 6, 9]))
    assert (found.low, found.high) == (2, 9)
    assert found.confidence == pytest.approx(1 - 2 * 11 / 1024)
    assert stats.median_interval(np.arange(5)) is None


def test_geometric_interval_of_known_numbers():
    found = stats.geometric_interval(np.exp([1.0, 2.0, 3.0]))
    half = 4.302653 / math.sqrt(3)  # t(0.975, 2) x sd 1 / sqrt 3
    assert math.log(found.low) == pytest.approx(2 - half)
    assert math.log(found.high) == pytest.approx(2 + half)
    assert stats.geometric_interval(np.array([1.0, 2.0])) is None
    assert stats.geometric_interval(np.array([1.0, 2.0, 0.0])) is None


def test_ratio_interval_agrees_with_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    x, base = rng.lognormal(1, 0.2, 8), rng.lognormal(0, 0.05, 5)
    found = stats.ratio_interval(x, base)
    lx, lb = np.log(x), np.log(base)
    p = scipy_stats.ttest_ind(lx - math.log(found.low), lb, equal_var=False).pvalue
    assert p == pytest.approx(0.05)  # the end of the interval is where the test turns
    assert found.ratio == pytest.approx(math.exp(lx.mean() - lb.mean()))


def test_ratio_interval_edges():
    same = stats.ratio_interval(np.full(3, 4.0), np.full(3, 2.0))
    assert (same.low, same.ratio, same.high) == pytest.approx((2, 2, 2))
    assert stats.ratio_interval(np.ones(2), np.ones(9)) is None
    assert stats.ratio_interval(np.ones(9), np.ones(2)) is None


def coverage(trial, count=4000, seed=20250131):
    rng = np.random.default_rng(seed)
    return sum(trial(rng) for _ in range(count)) / count


def test_launch_intervals_cover_the_median():
    def trial(n):
        def one(rng):
            found = stats.launch_interval(rng.lognormal(0, 0.05, n))
            return found.low <= 1 <= found.high
        return one
    assert 0.94 <= coverage(trial(5)) <= 0.96  # log t
    assert 0.97 <= coverage(trial(10)) <= 0.985  # exact: 97.9 %


def test_ratio_interval_covers_when_launches_differ():
    """True ratio 1.03; launch sd 1 %, repetition sd 2 %, 30 repetitions, 5 launches."""
    def medians(rng, level):
        launch = level * np.exp(0.01 * rng.standard_normal((5, 1)))
        return np.median(launch * np.exp(0.02 * rng.standard_normal((5, 30))), axis=1)

    def over_launches(rng):
        found = stats.ratio_interval(medians(rng, 1.03), medians(rng, 1.0))
        return found.low <= 1.03 <= found.high
    assert 0.94 <= coverage(over_launches) <= 0.965


def test_efficiency_is_a_product():
    compute = np.array([[90.0, 60.0], [90.0, 60.0], [900.0, 600.0]])  # the last one is disturbed
    found = stats.efficiency(compute, np.array([100.0, 100.0, 1000.0]))
    assert found == pytest.approx((75 / 90, 0.9, 0.75))
    assert found.balance * found.communication == pytest.approx(found.parallel)
    assert stats.imbalance(compute) == pytest.approx(0.2)
    assert math.isnan(stats.efficiency(np.zeros((3, 2)), np.ones(3)).parallel)


def test_lost_share_of_a_worker_that_was_away():
    counts = np.full((3, 100), 1000)
    counts[1, :25] = 0
    counts[2] = 0
    assert stats.lost_share(counts) == pytest.approx([0, 0.25, 1])
    assert stats.empty_share(counts) == pytest.approx([0, 0.25, 1])
    assert stats.busy_share(counts) == pytest.approx([1, 0.75, 0])


def test_a_worker_in_few_bins_is_measured_by_its_best():
    counts = np.zeros((1, 100), int)
    counts[0, :2] = 500
    assert stats.best_counts(counts) == 500
    assert stats.busy_share(counts) == pytest.approx([0.02])


def test_running_counts_ignore_interruptions_but_not_absence():
    counts = np.full((2, 100), 1000)
    counts[0, :10] = 3  # ten interrupted bins
    counts[1, ::2] = 0  # takes turns with somebody
    assert stats.running_counts(counts) == pytest.approx([1000, 500])
    assert stats.running_counts(np.zeros((1, 5), int)) == [0]


def test_rank_autocorrelation_and_what_a_value_is_worth():
    rng = np.random.default_rng(11)
    noise = rng.standard_normal(4000)
    drift = np.zeros(4000)
    for i in range(1, 4000):
        drift[i] = 0.8 * drift[i - 1] + noise[i]
    assert stats.rank_autocorrelation(noise) == pytest.approx(0, abs=0.04)
    assert stats.rank_autocorrelation(drift) == pytest.approx(0.8, abs=0.04)
    assert stats.effective_share(0.8) == pytest.approx(1 / 9) and stats.effective_share(-0.5) == 1
    worth = stats.effective_share(stats.rank_autocorrelation(drift)) * 4000
    assert worth == pytest.approx(4000 / 9, rel=0.25)
    true = np.var([np.mean(stretch) for stretch in drift.reshape(20, 200)], ddof=1)
    assert 0.3 < drift.var() / true / (worth / 20) < 3, "means scatter as those of so few values"
    assert stats.are_autocorrelated([drift[:100]] * 2)
    assert not stats.are_autocorrelated([noise[:100], noise[100:200]])
    assert not stats.are_autocorrelated([np.ones(10)])


def test_chance_alone_is_rarely_called_autocorrelation():
    rng = np.random.default_rng(5)
    for launches in (1, 5):
        calls = [stats.are_autocorrelated([rng.standard_normal(10) for _ in range(launches)])
                 for _ in range(500)]
        assert np.mean(calls) < 0.03


def test_outliers_are_counted():
    assert stats.outliers(np.array([1.0, 1.1, 0.9, 1.0, 1.05, 5.0])) == 1
    assert stats.outliers(np.array([1.0] * 9 + [2.0])) == 1  # MAD is 0
    assert stats.outliers(np.ones(5)) == 0


def test_no_argument_is_changed():
    x, counts = np.array([3.0, 1, 2, 9, 7, 5, 4]), np.array([[3, 0, 5], [1, 1, 0]])
    before = x.copy(), counts.copy()
    for function in (stats.median_interval, stats.geometric_interval, stats.outliers,
                     stats.rank_autocorrelation):
        function(x)
    for function in (stats.running_counts, stats.lost_share, stats.best_counts):
        function(counts)
    assert np.array_equal(x, before[0]) and np.array_equal(counts, before[1])


def imports(path: Path) -> set:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def test_arrows():
    """h5py in traces.py only; stats.py and the plots never touch files."""
    for path in ANALYSIS.glob("*.py"):
        assert ("h5py" in imports(path)) == (path.name == "traces.py"), path
        if path.name.startswith(("stats", "plot_")):
            assert not imports(path) & {"os", "pathlib", "io", "traces", "h5py"} - {"io"}, path
            assert "open(" not in path.read_text(encoding="utf-8"), path


def test_benjamini_hochberg_by_hand():
    p = np.array([0.001, 0.012, 0.04, 0.03, 0.9])
    assert stats.benjamini_hochberg(p, 0.05).tolist() == [True, True, True, True, False]
    assert stats.benjamini_hochberg(p, 0.03).tolist() == [True, True, False, False, False]
    assert stats.benjamini_hochberg(np.array([0.04, 0.04]), 0.05).all()
    assert not stats.benjamini_hochberg(np.array([0.04, 0.06]), 0.05).any()
    assert not stats.benjamini_hochberg(np.array([]), 0.05).size
