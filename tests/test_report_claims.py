"""The report shows what the training text shows, numbers with intervals, and its verdicts."""

import re

import h5py
import numpy as np
import pytest

import cells
import claim
import claims
import exhibits
import report_claims
import report_gain
import report_pays
import test_analysis_breakeven as breakeven
import test_analysis_coupling as coupling
import traces
import ways
from material import Material
from synthetic import Run, launches, take_turns

MS = 1_000_000
QUIET = {"noise": 0.002, "launch_noise": 0.005}
PYTHON = {"start": "common", "wait_ns": 0, "pinned": 0, "cpus": 2, "blas_threads": 1,
          "work_unit": "clock", "sync_every": 0}
C = {"wait_ns": 0, "lock": "none", "storage": "private", "work_unit": "clock", "sync_every": 0}
LOCKED = {"lock": "gil", "lock_interval_ns": 5 * MS}
PRICES = {  # ns per element: in CPython, in C
    "array-npsum": (0.2, 0.1), "list-sum": (4.0, 2.0), "array-loop": (60.0, 20.0)}


def cell(folder, name, count=3, others=0.0, **run):
    """Launches of one cell; others: cores that other programs used meanwhile."""
    made = launches(folder / name, count, Run(
        repetitions=3, seed=len(list(folder.glob("*"))), **QUIET, **run))
    for path in made:
        with h5py.File(path, "a") as file:
            file["results/cores_of_others"] = np.full(3, others)
    return made


def binning(folder, name, rate, workers=1, **attrs):
    labels = {"role": "threads"} if attrs.get("layout") == "openmp" else {}
    layout = attrs.pop("layout", "python")
    return cell(folder, name, kernel="binning", layout=layout, threads=workers,
                rate=rate, labels=labels, attrs={**(PYTHON if layout == "python" else C), **attrs})


def prices(folder, count=3, others=0.0):
    for method, both in PRICES.items():
        for layout, ns in zip(("python", "serial"), both):
            cell(folder, f"{layout}-{method}", count, others, kernel="dot", layout=layout,
                 rate=1e9 / ns, attrs={**PYTHON, "kernel": "marshal", "method": method,
                                       "way": "single"})


def study(folder):
    """The text's own runs: threads do as much as one worker, two processes twice as much."""
    for language, rate, attrs in (("py", 1e6, {}), ("c", 1e8, C)):
        layouts = ("python",) * 3 if language == "py" else ("serial", "openmp", "mpi")
        steps = (("single", 1, 1, {}), ("threading", 2, 0.5, LOCKED), ("multiprocessing", 2, 1, {}))
        for layout, (way, workers, each, more) in zip(layouts, steps):
            named = {"way": way} if language == "py" else {}
            made = binning(folder, f"{language}-{way}", each * rate, workers, layout=layout,
                           **{**attrs, **named, **more})
            if more:
                for path in made:
                    take_turns(path, 5.1 * MS * np.ones((3, 20)))
    prices(folder)
    for threads, gain in ((1, 1.0), (2, 1.6)):
        made = cell(folder, f"product-{threads}", kernel="matmul", layout="python", rate=1e9 * gain,
                    attrs={**PYTHON, "way": "single", "size": 2000,
                                          "blas_threads": threads})
        look_at_cores(made, threads)
    return folder


def look_at_cores(paths, busy):
    """A monitor's samples: so many of two CPUs busy."""
    for path in paths:
        with h5py.File(path, "a") as file:
            file["cores/time_ns"] = np.arange(31, 41, dtype=np.int64) * 100 * MS
            file["cores/cpu_number"] = np.arange(2, dtype=np.int32)
            shares = np.tile([1.0, float(busy > 1)], (10, 1))
            shares[4, 1] = np.nan  # too short a sample for a clock tick
            file["cores/busy"] = shares


def material(folder):
    found, bad = traces.read_all([folder])
    assert not bad
    return Material(found, bad, cells.Rules())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return material(study(tmp_path_factory.mktemp("study")))


def plain(parts):
    """The words of a section, without its pictures."""
    text = re.sub(r"<svg.*?</svg>", " PLOT ", "".join(map(str, parts)), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


# ----------------------------------------------------------------------------------- exhibits

def test_operations_of_both_languages_are_told_over_one_worker(whole):
    panels = exhibits.operations(claim.Runs(whole.traces))
    assert [(p.language, p.what) for p in panels] == list(exhibits.WAYS)
    totals = {(p.language, p.what): p.total for p in panels}
    for language in (ways.PYTHON, ways.C):
        assert totals[language, exhibits.ONE] is None
        for what, right in ((exhibits.THREADS, 1), (exhibits.PROCESSES, 2)):
            total = totals[language, what]
            assert total.low < total.value < total.high and total.n == 3
            assert total.value == pytest.approx(right, rel=0.03)
    assert [len(p.work) for p in panels] == [1, 2, 2, 1, 2, 2] and all(p.quiet for p in panels)


def test_prices_are_over_the_base_of_their_own_language(whole):
    found = {(p.language, p.method): p for p in exhibits.prices(claim.Runs(whole.traces))}
    assert len(found) == 2 * len(PRICES)
    for method, both in PRICES.items():
        for i, language in enumerate((ways.PYTHON, ways.C)):
            one = found[language, method]
            assert one.each.value == pytest.approx(both[i], rel=0.03)
            assert one.times.value == pytest.approx(both[i] / PRICES[exhibits.BASE][i], rel=0.03)
            assert one.each.low < one.each.high and one.times.low <= one.times.high


def test_the_view_of_cores_says_what_the_product_gained(whole):
    one, both = exhibits.views(claim.Runs(whole.traces))
    assert (one.threads, both.threads) == (1, 2) and one.gain is None
    assert both.gain.value == pytest.approx(1.6, rel=0.03)
    assert np.nanmean(both.busy) == 1 and np.nanmin(one.busy) == 0
    assert both.seconds[-1] == pytest.approx(1)


def test_slices_of_both_languages_lie_on_one_curve(whole):
    found = exhibits.turns(claim.Runs(whole.traces))
    assert {(x.language, x.interval_ns) for x in found} == {(x, 5 * MS) for x in exhibits.LANGUAGES}
    for one in found:
        assert one.median_ms.value == pytest.approx(5.1, abs=1e-3)
        assert one.shares[exhibits.GRID < 1.01].max() == 0 and one.shares[-1] == 1


@pytest.mark.parametrize("count, others, said", [
    (1, 0.0, "(n = 1, no interval)"), (3, 1.5, report_claims.BUSY.strip())])
def test_what_a_number_is_worth_stands_beside_it(tmp_path, count, others, said):
    """One launch has no interval; launches that others disturbed are shown, and said to be."""
    prices(tmp_path, count, others)
    text = plain(report_claims.section(material(tmp_path)))
    assert said in text and (said == report_claims.BUSY.strip()) == ("others used 1.5" in text)


# ------------------------------------------------------------------------------------ sections

def test_the_section_has_every_plot_and_every_statement(whole):
    parts = report_claims.section(whole)
    text = plain(parts)
    assert text.count("PLOT") == 4
    for one, _ in claims.BOOK:
        assert plain([report_claims.two(one.statement, "")]) in text, one.key
    for word in ("Work of all over that of one: Python threads", "C processes 2.0",
                 "over np.sum over the array (pairwise)", "pairwise sum in C",
                 "2 library threads: CPUs 100 % busy in the launch shown, speed-up over one thread 1.6",
                 "Median slice: 5 ms, 2 workers: C 5.10"):
        assert word in text.replace("times as much as np.sum", "over np.sum"), word
    told = [one for one in claims.judge(whole.traces) if one.verdict == claim.HOLDS]
    assert len(told) > 3 and all(report_claims.effect(one.effect) in text for one in told)


def test_c_and_python_share_one_plot_of_what_each_layout_gained(whole):
    """Each over its own language's base, and no rate of one is held against the other's."""
    [plot] = [part for part in report_gain.section(whole)
              if "threading" in part and "<svg" in part]
    for name in ("serial 1×1", "openmp gil 5 ms", "mpi 1×2", "python single", "python threading"):
        assert name in plot, name
    best = max((cell for group in whole.groups for cell in group.cells
                if group.work["kernel"] == "binning"), key=lambda cell: cell.speedup)
    group = next(group for group in whole.groups if best in group.cells)
    assert {cell.language for cell in report_gain.rivals(best, group.cells)} <= {best.language}


def test_without_cpython_there_is_no_section(tmp_path):
    launches(tmp_path / "c", 3, Run(kernel="binning", layout="serial", attrs=C))
    assert report_claims.section(material(tmp_path)) == []
    assert report_pays.section(material(tmp_path)) == []


def test_break_even_and_coupling_are_shown_with_what_was_planted(tmp_path):
    breakeven.study(tmp_path / "sizes", (2_500, 10_000, 40_000))
    (tmp_path / "met").mkdir()
    coupling.study(tmp_path / "met", 5_000.0, rounds=3)
    text = plain(report_pays.section(material(tmp_path)))
    assert text.count("PLOT") == 2
    assert "slower than serial up to 10000, faster from 40000 on" in text
    assert "10 000 .. 40 000" in text and "half lost at" in text
    tenth, half = re.search(r"openmp 1×2 ([\d.]+) us \[.*?\] ([\d.]+) us \[", text).groups()
    assert float(half) == pytest.approx(5, rel=0.05) and float(tenth) == pytest.approx(45, rel=0.15)
