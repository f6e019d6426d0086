"""scaling.py recovers what was planted, and refuses to say what the data cannot carry."""

import itertools
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import nnls

import cells
import curves
import ladder
import models
import plot_scaling
import plot_svg
import scaling
import scaling_text
import traces
import tree
from synthetic import Run, write

SCALING = Path(traces.__file__).parent / "scaling.py"
P7, P5 = 2.0 ** np.arange(7), 2.0 ** np.arange(5)
CLEAN = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BINDOT_PYTHON_TRIED")}


def amdahl(p, f=0.01):
    return f + (1 - f) / p


def with_log(p, f=0.01, c=0.002):
    return amdahl(p, f) + c * np.log2(p)


def usl(p, s=0.02, k=1e-4):
    return (1 + s * (p - 1) + k * p * (p - 1)) / p


def knee(p):
    """Memory that feeds eight cores and no more."""
    return 1 / np.minimum(p, 8)


def launches(rng, times, number=5, noise=0.01):
    return [t * np.exp(noise * rng.standard_normal(number)) for t in times]


def fitted(rng, truth, at=(), strong=True):
    t = models.draws(launches(rng, truth(P7)))
    return {f.name: f for f in models.family(P7, t, np.array([*P7, *at], float), strong)}


# ------------------------------------------------------------------------------------- the models

def test_nonnegative_is_nnls():
    rng = np.random.default_rng(1)
    for k in (1, 2, 3):
        a, y = rng.standard_normal((6, k)), rng.standard_normal((6, 30))
        expected = np.array([nnls(a, column)[0] for column in y.T]).T
        assert models.nonnegative(a, y) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("truth, name, parameters, strong", [
    (amdahl, "Amdahl", {"f": 0.01}, True),
    (with_log, "Amdahl + log", {"f": 0.01, "c/T1": 0.002}, True),
    (usl, "USL", {"s": 0.02, "k": 1e-4}, True),
    (lambda p: p / (p - 0.05 * (p - 1)), "Gustafson", {"s": 0.05}, False),
    (lambda p: 1 + 0.03 * np.log2(p), "constant + log", {"c/T1": 0.03}, False)])
def test_what_was_planted_lies_in_its_band(truth, name, parameters, strong):
    """95 % intervals over ten launches hold in nine of ten cases (a bootstrap of medians)."""
    rng, count, inside = np.random.default_rng(2), 40, 0
    [model] = [m for m in (models.STRONG if strong else models.WEAK) if m.name == name]
    for _ in range(count):
        found = models.fit(model, P7, models.draws(launches(rng, truth(P7), 10)), P7)
        for parameter, true in parameters.items():
            value, low, high = found.values[parameter]
            assert value == pytest.approx(true, rel=0.6)
            inside += low <= true <= high
    assert inside >= 0.85 * count * len(parameters)


def test_exact_data_give_exact_parameters():
    at = np.array([1024.0])
    for truth, model, strong in ((amdahl, models.STRONG[0], True), (usl, models.STRONG[2], True),
                                 (with_log, models.STRONG[1], True)):
        found = models.fit(model, P7, truth(P7)[:, None], at)
        assert found.time[0] == pytest.approx(truth(at)[0], rel=1e-6)
        assert found.forward == pytest.approx(0, abs=1e-6) and found.smape < 1e-6


def test_what_is_not_there_is_not_identified():
    """An Amdahl curve has no k: its interval begins at 0."""
    fits = fitted(np.random.default_rng(3), amdahl)
    assert fits["USL"].values["k"][1] == 0 and fits["Amdahl + log"].values["c/T1"][1] == 0


@pytest.mark.parametrize("truth", [amdahl, with_log, usl])
def test_the_span_of_models_holds_the_truth(truth):
    """At four times the largest of 7 scales: facts/method.md 3 has 73 to 100 %."""
    rng, count, held = np.random.default_rng(4), 10, 0
    for _ in range(count):
        one = curves.study(curve_of(launches(rng, truth(P7)), P7))
        assert one.refusal == "" and [b.scale for b in one.beyond] == [128, 256]
        held += one.beyond[1].low <= 1 / truth(np.array([256.0]))[0] <= one.beyond[1].high
    assert held >= 0.7 * count


def test_a_knee_ends_every_model():
    """Nothing that fits 1 .. 32 predicts 64 where the memory was full at 8: no word beyond."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        one = curves.study(curve_of(launches(rng, knee(P7)), P7))
        assert one.knee and not one.beyond and "another regime begins" in one.refusal
        for fit in one.fits:
            assert not fit.forward_band[0] <= 1 <= fit.forward_band[1]


def test_a_smooth_curve_is_no_knee():
    rng = np.random.default_rng(6)
    for truth in (amdahl, with_log, usl):
        assert sum(curves.study(curve_of(launches(rng, truth(P7)), P7)).knee
                   for _ in range(5)) == 0


def test_pmnf_finds_a_growing_term():
    def truth(p):
        return 1 + 0.2 * np.log2(p)
    fits = fitted(np.random.default_rng(7), truth, at=[128], strong=False)
    assert "log2 P" in fits["PMNF"].formula
    assert fits["PMNF"].time[-1] == pytest.approx(2.4, rel=0.05)
    flat = fitted(np.random.default_rng(8), lambda p: np.ones(len(p)), strong=False)
    assert flat["PMNF"].formula == "T = constant"


def test_karp_flatt():
    exact = models.karp_flatt(P7, np.repeat(amdahl(P7)[:, None], 5, axis=1))
    assert np.isnan(exact[0, 0]) and exact[1:, 0] == pytest.approx(0.01)
    rising = models.karp_flatt(P7, with_log(P7, 0.01, 0.01)[:, None])
    assert (np.diff(rising[2:, 0]) > 0).all()
    rng = np.random.default_rng(9)
    assert "a constant serial part explains" in scaling_text.trend(
        curves.study(curve_of(launches(rng, amdahl(P7, 0.05)), P7)))
    assert "e rises" in scaling_text.trend(
        curves.study(curve_of(launches(rng, with_log(P7, 0.01, 0.02)), P7)))


# ------------------------------------------------------------------------------------ the refusals

def curve_of(times, p, kind="strong"):
    """A curve without traces: what study() needs of it."""
    tree_ = tree.Tree(*[1.0] * 6)
    points = tuple(curves.Point(int(scale), None, np.asarray(t), tree_)
                   for scale, t in zip(p, times))
    return curves.Curve("dot", "mpi", curves.INSIDE, kind, True, points, ())


def test_fewer_than_five_scales_say_nothing_beyond():
    rng = np.random.default_rng(10)
    four = curves.study(curve_of(launches(rng, amdahl(P5[:4])), P5[:4]))
    assert not four.beyond and "fewer than 5" in four.refusal
    assert {f.name for f in four.fits} >= {"Amdahl", "USL"} and not four.knee
    two = curves.study(curve_of(launches(rng, amdahl(P5[:2])), P5[:2]))
    assert not two.fits and not two.knee and "2 distinct scales" in two.refusal
    five = curves.study(curve_of(launches(rng, amdahl(P5)), P5))
    assert [b.scale for b in five.beyond] == [32, 64]
    assert {e[0] for e in five.beyond[0].each} <= {"Amdahl", "PMNF"}  # 3 parameters need 7 scales


def test_nothing_is_said_beyond_four_times_the_largest():
    rng = np.random.default_rng(11)
    one = curves.study(curve_of(launches(rng, amdahl(P7)), P7), at=(100, 256, 257, 1000))
    assert [b.scale for b in one.beyond] == [100, 256]


def test_one_launch_has_no_band():
    rng = np.random.default_rng(12)
    one = curves.study(curve_of(launches(rng, amdahl(P7), number=2), P7))
    assert "fewer than 3 launches" in one.refusal and np.isnan(one.speedup[:, 1]).all()
    assert np.isnan(one.fits[0].low).all() and not np.isnan(one.fits[0].time).any()
    assert "(interval unknown), " in scaling_text.measured(one)


def test_rivals_that_overlap_are_told():
    rng = np.random.default_rng(13)
    one = curves.study(curve_of(launches(rng, amdahl(P7)), P7))
    assert not one.beyond[0].apart
    assert "do not tell them apart" in scaling_text.beyond(one.beyond[0], one)
    odd = curves.Beyond(128.0, (("A", 50.0, 49.0, 51.0), ("B", 60.0, 59.0, 61.0)), 49, 61, True)
    assert "these data cannot say which is right" in scaling_text.beyond(odd, one)


# ---------------------------------------------------------------------------- scale and node apart

HOSTS = [f"n{i}" for i in range(8)]
SUBSETS = [[h] for h in HOSTS] + [HOSTS[:2], HOSTS[2:4], HOSTS[4:6], HOSTS[6:], HOSTS[:4],
                                  HOSTS[4:], HOSTS]
SCALE = {1: 1.0, 2: 0.52, 4: 0.28, 8: 0.16}


def runs(rng, effects, link, rounds=5, noise=0.005):
    together = max if link == "slowest" else np.mean
    subsets = SUBSETS * rounds
    return subsets, [SCALE[len(s)] * math.exp(together([effects.get(h, 0) for h in s])
                                              + noise * rng.standard_normal()) for s in subsets]


@pytest.mark.parametrize("link", ladder.LINKS)
def test_the_ladder_tells_node_from_scale(link):
    rng = np.random.default_rng(14)
    found = ladder.fit(*runs(rng, {"n5": 0.06}, link))
    assert found.link == link and found.residual < 0.8 * found.other
    assert found.residual == pytest.approx(0.005, rel=0.4)
    slow = dict(zip(found.hosts, found.node))["n5"]
    assert slow[0] == pytest.approx(math.expm1(0.06), abs=0.006) and slow[1] > 0.04
    assert found.scale[:, 0] == pytest.approx([SCALE[s] for s in found.scales], rel=0.01)
    expected = math.exp(-0.06 if link == "slowest" else -0.06 / 8)
    assert found.without(HOSTS, ["n5"]) == pytest.approx(expected, abs=0.008)


def test_equal_nodes_have_no_effect():
    found = ladder.fit(*runs(np.random.default_rng(15), {}, "mean"))
    assert np.abs(found.node[:, 0]).max() < 0.015


def test_the_scatter_of_too_few_launches_is_not_known():
    """Of all subsets, then of one pair: the nodes in it and its scale; what is left has bounds."""
    rng = np.random.default_rng(17)
    found = ladder.fit(*runs(rng, {"n5": 0.06}, "slowest", rounds=2))
    assert np.isnan(found.node[:, 1:]).all() and np.isnan(found.scale[1:, 1:]).all()
    assert not np.isnan(found.node[:, 0]).any() and not np.isnan(found.scale[:, 0]).any()
    many, times = runs(rng, {"n5": 0.06}, "slowest")
    kept = [i for i, subset in enumerate(many) if subset != HOSTS[:2] or i < len(SUBSETS)]
    found = ladder.fit([many[i] for i in kept], [times[i] for i in kept])
    assert np.isnan(found.node[:, 1]).tolist() == [h in HOSTS[:2] for h in found.hosts]
    assert np.isnan(found.scale[:, 1]).tolist() == [False, True, False, False]
    one = curves.study(curve_of(launches(rng, amdahl(P7)), P7))
    text = " ".join(scaling_text.apart(replace(one, ladder=found)))
    assert re.search(r"n1 [+-][\d.]+% \(interval unknown\)", text)
    assert re.search(r"n5 \+[\d.]+% \[\+", text) and "has fewer than 3 launches" in text
    assert re.search(r"2: 0\.\d+ \(interval unknown\), 4: 0\.\d+ \[", text)


def test_nested_subsets_alone_cannot_tell():
    rng = np.random.default_rng(16)
    nested = [HOSTS[:1], HOSTS[:2], HOSTS[:4], HOSTS] * 5
    found = ladder.fit(nested, np.exp(0.01 * rng.standard_normal(20)))
    assert np.isnan(found.node).all()
    assert ladder.fit([HOSTS] * 9, np.ones(9)) is None
    some = ladder.fit([["a"], ["b"], ["c"], ["a", "b"], ["a", "b", "c", "d"]] * 3, np.ones(15))
    assert np.isnan(some.node[:, 0]).tolist() == [False] * 3 + [True]
    for order in itertools.permutations("abd"):  # d is not known, wherever it stands
        assert math.isnan(some.without(order, ["a"])) and math.isnan(some.without(order, ["d"]))
    assert some.without("abc", ["a"]) == pytest.approx(1)


# -------------------------------------------------------------------------------- efficiency tree

def test_the_tree_multiplies():
    """Two nodes x two ranks x two threads; one thread, one rank and one node are slower."""
    compute = np.array([[4.0, 8, 6, 6, 10, 10, 10, 10]] * 3)
    wait = 11.0 - compute
    found = tree.tree(compute, wait, np.full(3, 12.0), np.arange(8) // 2, np.arange(8) // 4)
    assert found.threads == pytest.approx(8 / 8.5)
    assert found.ranks == pytest.approx(8.5 / 9)
    assert found.nodes == pytest.approx(9 / 10)
    assert found.meeting == pytest.approx(10 / 11)
    assert found.combining == pytest.approx(11 / 12)
    assert found.parallel == pytest.approx(8 / 12) == pytest.approx(
        found.balance * found.meeting * found.combining)
    for layout in ("serial", "openmp", "mpi", "hybrid"):
        openmp, mpi = found.parts(layout)
        assert openmp * mpi == pytest.approx(found.parallel)
    assert found.parts("hybrid")[0] == found.threads


def test_taking_turns_at_being_slow_is_serialisation():
    """Equal sums, but in every step somebody waits: balance cannot see it, meeting does."""
    found = tree.tree(np.full((4, 2), 5.0), np.full((4, 2), 3.0), np.full(4, 8.0), np.arange(2),
                      np.zeros(2, int))
    assert found.balance == 1 and found.meeting == pytest.approx(5 / 8) and found.combining == 1
    nothing = tree.tree(np.zeros((2, 2)), np.zeros((2, 2)), np.ones(2), np.arange(2), np.arange(2))
    assert math.isnan(nothing.parallel)


# -------------------------------------------------------------------------------- from the traces

def study(folder, scales, truth, layout="mpi", number=5, seed=0, **more):
    folder.mkdir(parents=True, exist_ok=True)
    for launch in range(number):
        for p in scales:
            time = truth(float(p))
            write(folder / f"{layout}-{p}-{launch}-{seed}.h5", Run(
                layout=layout, ranks=p, rate=1e9 / time / p, launch_noise=0.005, noise=0.005,
                repetitions=3, seed=10_000 * seed + 100 * launch + p, begin=launch, **more))
    return folder


def whole(*arguments):
    options = scaling.parse(list(map(str, arguments)))
    found, bad = traces.read_all(options.paths)
    result = scaling.analyse(found, bad, options)[1]
    assert not bad
    return result, " ".join(scaling_text.text(result).split())


def test_strong_scaling_inside_a_node(tmp_path):
    found, text = whole(study(tmp_path, (1, 2, 4, 8, 16), amdahl, compute=0.9))
    [one] = found.studies
    assert one.curve.title.endswith("strong scaling: mpi, inside a node")
    assert one.speedup[-1, 0] == pytest.approx(1 / amdahl(16), rel=0.02)
    assert one.curve.points[0].median == pytest.approx(1e-3, rel=0.02)  # 1e6 units at 1e9 per s
    assert one.curve.points[-1].tree.meeting == pytest.approx(0.9, abs=1e-3)
    assert "at 32 workers: speed-up" in text and "only if no new regime begins" in text


def test_a_layout_without_one_worker_starts_at_serial(tmp_path):
    study(tmp_path, (2, 4), amdahl)
    study(tmp_path, (1,), amdahl, layout="serial", seed=1)
    found, text = whole(tmp_path)
    [one] = found.studies
    assert one.curve.scales.tolist() == [1, 2, 4] and "1 worker: the serial layout" in text
    assert "beyond 4: nothing. 3 distinct scales" in text


def test_curves_of_two_builds_are_kept_apart(tmp_path):
    """Neither takes the other's serial run, and each stands beside its own without the bad node."""
    study(tmp_path, (1,), amdahl, layout="serial", attrs={"kernel_hash": "first"})
    for i, build in enumerate(("first", "second")):
        for hosts, scales in ((("n1",), (2, 4)), (("n2",), (2, 4, 8))):
            study(tmp_path / hosts[0], scales, lambda p: (1 + i) * amdahl(p), number=3, seed=1 + i,
                  hostnames=hosts, attrs={"kernel_hash": build})
    found, text = whole(tmp_path, "--exclude", "n2")
    first, second = found.studies
    assert first.curve.scales.tolist() == [1, 2, 4, 8]
    assert second.curve.scales.tolist() == [2, 4, 8]
    assert "mpi, kernels second, inside a node" in text
    assert "serial ran other kernels (hash differs)" in text
    gains = re.findall(r"([+-]\d+\.\d+)%", str(scaling_text.bad_nodes(found)))
    assert len(gains) == 5 and max(abs(float(gain)) for gain in gains) < 5, "not the twin build's"


def test_weak_scaling(tmp_path):
    found, _ = whole(study(tmp_path, (1, 2, 4, 8, 16), lambda p: (1 + 0.05 * math.log2(p)) / p,
                           attrs={"scaling": "weak"}))
    [one] = found.studies
    assert one.efficiency[-1, 0] == pytest.approx(1 / 1.2, rel=0.02)
    assert {f.name for f in one.fits} == {"Gustafson", "constant + log", "USL", "PMNF"}
    assert np.isnan(one.karp_flatt).all()


def test_binning_is_work_in_a_fixed_time(tmp_path):
    found, text = whole(study(tmp_path, (1, 2, 4), lambda p: 1 / p, kernel="binning"))
    [one] = found.studies
    assert one.curve.kind == "fixed time" and one.efficiency[-1, 0] == pytest.approx(1, rel=0.02)
    assert "there is nothing that they wait for" in text


def test_over_nodes_only_full_ones_count(tmp_path):
    for nodes in (1, 2, 4):
        hosts = tuple(f"n{i}" for i in range(nodes))
        study(tmp_path / str(nodes), (2 * nodes,), lambda p: 2 / p, hostnames=hosts)
    study(tmp_path / "half", (4,), lambda p: 2 / p, hostnames=HOSTS[:4], seed=1)
    found, text = whole(tmp_path, "--exclude", "")
    across = [s for s in found.studies if s.curve.regime == curves.ACROSS]
    assert [s.curve.scales.tolist() for s in across] == [[1, 2, 4]]
    assert "1 cells that do not fill their nodes are left out" in text


def test_threads_and_ranks_are_different_ways(tmp_path):
    for p in (1, 2, 4):
        for ranks, threads in ((1, p), (p, 1)):
            for launch in range(3):
                write(tmp_path / f"{ranks}-{threads}-{launch}.h5", Run(
                    layout="hybrid", ranks=ranks, threads=threads, noise=0.01, seed=launch,
                    repetitions=3))
    found, _ = whole(tmp_path)
    assert {s.curve.way for s in found.studies} >= {"hybrid, one rank a node"}


def test_invalid_launches_are_no_points(tmp_path):
    study(tmp_path, (1, 2), amdahl)
    study(tmp_path, (4,), amdahl, seed=1, attrs={"valid": 0, "invalid_reasons": "quota"})
    assert whole(tmp_path)[0].studies[0].curve.scales.tolist() == [1, 2]
    allowed = whole("--allow-invalid", tmp_path)[0]
    assert allowed.studies[0].curve.scales.tolist() == [1, 2, 4]


def ladder_study(folder, slow, rounds=5):
    """Runs on SUBSETS, two ranks a node; nodes wait for the slowest one."""
    for launch in range(rounds):
        for at, subset in enumerate(SUBSETS):
            own = np.repeat([1 + slow.get(h, 0) for h in subset], 2)
            time = (0.02 + 0.98 / len(subset)) * own.max()
            write(folder / f"{at}-{launch}.h5", Run(
                layout="mpi", ranks=2 * len(subset), rate=1e9 / time / (2 * len(subset)),
                launch_noise=0.004, noise=0.004, repetitions=3, seed=100 * launch + at,
                begin=100 * launch + at, hostnames=tuple(subset),
                compute=own / own.max() * 0.98 / len(subset) / (0.02 + 0.98 / len(subset))))
    return folder


def test_the_curve_without_the_bad_node(tmp_path):
    """Named by its peers; where it always took part, the ladder says what the curve would be."""
    found, text = whole(ladder_study(tmp_path, {"n5": 0.06}))
    assert found.bad == ("n5",) and "without n5 (nodes.py's verdict on these traces)" in text
    [one] = [s for s in found.studies if s.curve.regime == curves.ACROSS]
    assert one.ladder.link == "slowest"
    ideal = 1 / (0.02 + 0.98 / 8)
    assert one.speedup[-1, 0] < 0.96 * ideal
    assert curves.corrected(one, found.bad)[-1] == pytest.approx(ideal, rel=0.015)
    assert one.curve.points[-1].tree.nodes == pytest.approx((7 / 1.06 + 1) / 8, abs=0.005)
    [rest] = [s for s in found.without if s.curve.regime == curves.ACROSS]
    assert rest.curve.scales.tolist() == [1, 2, 4] and "always in" in text
    kept, text = whole(tmp_path, "--exclude", "")
    assert kept.bad == () and not kept.without and "without" not in text


def test_a_clean_ladder_excludes_nobody(tmp_path):
    found, text = whole(ladder_study(tmp_path, {}))
    assert found.bad == () and "scale and node, told apart" in text


# ------------------------------------------------------------------------------------ command line

def test_the_command(tmp_path):
    study(tmp_path / "s", (1, 2, 4, 8, 16), amdahl)
    plot = tmp_path / "s.svg"
    done = subprocess.run(
        [sys.executable, SCALING, tmp_path / "s", "--json", "-", "--plot", plot, "--at", "20"],
        capture_output=True, text=True, env={**CLEAN, "PYTHONIOENCODING": "utf-8"}, timeout=120)
    assert done.returncode == 0 and not done.stderr and "NaN" not in done.stdout
    [one] = json.loads(done.stdout)["curves"]
    assert [b["scale"] for b in one["beyond"]] == [20] and one["knee"] is False
    assert one["points"][0]["karp_flatt"][0] is None
    assert plot.read_text().startswith("<?xml")


def test_bad_input_is_one_line(tmp_path, capsys):
    for arguments, words_ in (([], "required"), (["--at", "x", "y"], "no list of scales"),
                              (["--at", "0", "y"], "no list of scales"),
                              (["--plot", "a.pdf", "x"], "must end in")):
        with pytest.raises(SystemExit) as stopped:
            scaling.parse(arguments)
        told = capsys.readouterr().err
        assert stopped.value.code == 2 and told.count("\n") == 1 and words_ in told
    write(tmp_path / "a.h5", Run())
    assert "every layout was run at one scale only" in whole(tmp_path)[1]


def test_the_plot_says_which_model_fails():
    rng = np.random.default_rng(17)
    good = curves.study(curve_of(launches(rng, amdahl(P7)), P7))
    bad = curves.study(curve_of(launches(rng, knee(P7)), P7))
    text = plot_svg.svg(plot_scaling.of([good, bad]), "x")
    assert ">Amdahl<" in text and ">Amdahl, fails<" in text and ">measured<" in text


def test_the_report_needs_no_command_line(tmp_path):
    """curves and studies from cells alone: plain data, ready to be shown."""
    study(tmp_path, (1, 2, 4), amdahl)
    groups = cells.compare(traces.read_all([str(tmp_path)])[0], cells.Rules())
    [one] = [curves.study(c) for c in curves.curves(groups)]
    assert one.curve.unit == "workers" and len(one.fits) == 1
