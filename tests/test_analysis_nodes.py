"""nodes.py accuses who is slow and nobody else: known fleets, stated rates, reasons in words."""

import itertools
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import blame
import clock_fault
import console
import fleet
import node_cost
import node_look
import nodes
import nodes_text
import noisy
import peers
import plot_nodes
import plot_svg
import report_nodes
import traces
import verdicts
from synthetic import Run, write

NODES = Path(traces.__file__).parent / "nodes.py"
RULE = peers.Rule()
CLEAN = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BINDOT_PYTHON_TRIED")}


def run(*arguments):
    return subprocess.run(
        [sys.executable, NODES, *map(str, arguments)], capture_output=True, text=True,
        encoding="utf-8", env={**CLEAN, "PYTHONIOENCODING": "utf-8"}, timeout=120)


def judge(folder, second=None, **wishes):
    """(the verdict, its text with single blanks), in this process."""
    bad = []
    seen, again = (fleet.visits(traces.each([str(f)] if f else [], bad), bad)
                   for f in (folder, second))
    assert not bad
    found = verdicts.judge(seen, verdicts.Wishes(**wishes), again, node_look.look)
    return found, " ".join(nodes_text.text(found).split())


# --------------------------------------------------------------------------- stated rates, many

def fleet_of(rng, nodes, launches=5, between=0.01, within=0.005, slow=0, effect=0.05):
    """(node, launch) logs; the first `slow` nodes are slower."""
    node = between * rng.standard_normal(nodes)
    node[:slow] += math.log1p(-effect)
    return node[:, None] + within * rng.standard_normal((nodes, launches))


@pytest.mark.parametrize("slow, effect, found, false", [
    (10, 0.05, 8.5, 1.2), (100, 0.05, 90, 3), (0, 0.0, 0, 0.5), (10, 0.03, 0.5, 0.8)])
def test_a_thousand_nodes(slow, effect, found, false):
    """The table of facts/method.md 2.5, row "BH q=.05 on robust z, and > 3 %": 9.4/0.5, 96/0.8,
    0/0.1, 2.0/0.2. A second run of the flagged ones confirms nearly all slow ones."""
    rng, count = np.random.default_rng(20250131), 12
    hits = wrong = kept = 0
    for _ in range(count):
        node = 0.01 * rng.standard_normal(1000)
        node[:slow] += math.log1p(-effect)
        first, second = (node[:, None] + 0.005 * rng.standard_normal((1000, 5)) for _ in range(2))
        flagged = peers.decide(first, RULE)[1]
        confirmed = peers.confirm(second, flagged, RULE)[1]
        assert not (confirmed & ~flagged).any()
        hits, wrong = hits + flagged[:slow].sum(), wrong + flagged[slow:].sum()
        kept += confirmed[:slow].sum()
    assert hits / count >= found and wrong / count <= false
    assert kept >= 0.9 * hits


@pytest.mark.parametrize("nodes, launches", [(3, 5), (4, 5), (4, 10), (7, 5), (8, 5), (16, 5),
                                             (64, 5)])
def test_healthy_fleets_are_left_alone(nodes, launches):
    """Launches that wander by 3 %, nodes by 1 %: one study in 20 suspects anybody, few as q says,

    and a second run confirms it in none of 200.
    """
    rng, count = np.random.default_rng(nodes), 200
    suspected = confirmed = 0
    for _ in range(count):
        x = fleet_of(rng, nodes, 2 * launches, 0.0 if nodes < 8 else 0.01, 0.03)
        flagged = peers.decide(x[:, :launches], RULE)[1]
        suspected += flagged.any()
        confirmed += peers.confirm(x[:, launches:], flagged, RULE)[1].any()
    assert suspected <= (0.05 if nodes < 8 else 0.09) * count and confirmed <= 0.01 * count


@pytest.mark.parametrize("nodes, launches, between, within, rate", [
    (4, 5, 0.0, 0.01, 0.95), (4, 5, 0.005, 0.005, 0.95), (4, 10, 0.0, 0.02, 0.9),
    (5, 5, 0.005, 0.01, 0.9), (16, 5, 0.005, 0.005, 0.95), (16, 5, 0.008, 0.005, 0.8)])
def test_five_percent_is_named(nodes, launches, between, within, rate):
    rng, count = np.random.default_rng(nodes), 150
    found = sum(peers.decide(fleet_of(rng, nodes, launches, between, within, slow=1), RULE)[1][0]
                for _ in range(count))
    assert found >= rate * count


def test_few_nodes_that_differ_anyway_accuse_nobody_for_certain():
    """Four nodes with a spread of 2 %: one is often 3 % below the others. It is told as alike."""
    rng, count, alike = np.random.default_rng(1), 300, 0
    flagged = 0
    for _ in range(count):
        p, bad, usual = peers.decide(fleet_of(rng, 4, 10, 0.02, 0.005), RULE)
        flagged, alike = flagged + bad.any(), alike + usual.any()
    assert flagged <= 0.25 * count and alike > 0.05 * count


@pytest.mark.parametrize("nodes", [4, 20])
def test_what_does_not_matter_is_not_flagged(nodes):
    """2 % below nodes that are alike within 0.1 %: as sure as can be, and below the threshold."""
    x = fleet_of(np.random.default_rng(12), nodes, 5, 0.001, 0.001, slow=1, effect=0.02)
    assert not peers.decide(x, RULE)[1].any()
    assert peers.decide(x, peers.Rule(threshold=0.01))[1].tolist() == [True] + [False] * (nodes - 1)


def test_a_common_slow_hour_is_nobodys_fault():
    rng = np.random.default_rng(2)
    x = fleet_of(rng, 6, 8) + np.linspace(0, -0.3, 8)
    assert not peers.decide(x, RULE)[1].any()
    x[2] -= 0.06
    assert peers.decide(x, RULE)[1].tolist() == [i == 2 for i in range(6)]


def test_one_bad_launch_is_no_bad_node():
    rng = np.random.default_rng(3)
    for count in (4, 20):
        x = fleet_of(rng, count)
        x[1, 2] -= 1.0
        assert not peers.decide(x, RULE)[1].any()


# -------------------------------------------------------------------------------- exact numbers

def test_rank_p_is_exact():
    """All orders of 3 nodes in 4 rounds, by brute force."""
    orders = list(itertools.permutations(range(3)))
    sums = [sum(order[0] + 1 for order in rounds) for rounds in itertools.product(orders, repeat=4)]
    for rank_sum in range(4, 13):
        expected = np.mean([s <= rank_sum for s in sums])
        assert peers._rank_sums(3, 4)[rank_sum - 4] == pytest.approx(expected)
    x = np.array([[0.0] * 5, [1.0] * 5, [2.0] * 5, [3.0] * 5])
    assert peers.rank_p(x, 5)[0] == pytest.approx(4 * 4.0**-5)
    assert peers.rank_p(np.zeros((4, 5)), 5).min() == 1  # ties accuse nobody


def test_z_p_holds_what_it_says():
    """P(p <= a) = a among healthy nodes of a small fleet; a normal's would be four times that."""
    rng = np.random.default_rng(4)
    p = np.concatenate([peers.z_p(rng.standard_normal(16)) for _ in range(4000)])
    for a in (0.05, 0.003):
        assert np.mean(p <= a) == pytest.approx(a, rel=0.25)
    assert peers.z_p(np.zeros(8)).min() > 0.4  # no spread at all: nobody is outside


def test_medians_of_the_others():
    rng = np.random.default_rng(5)
    for n in (2, 3, 6, 7):
        x = rng.standard_normal(n)
        expected = [np.median(np.delete(x, i)) for i in range(n)]
        assert peers.others_median(x) == pytest.approx(expected)
    holes = peers.others_median(np.array([1.0, math.nan, 3.0, 5.0]))
    assert holes.tolist() == [4, 3, 3, 2]
    assert np.isnan(peers.others_median(np.array([1.0]))).all()


def test_effects_and_intervals():
    """-5 % of one of four, its interval over launches; the effect of the others is not its own."""
    rng, inside = np.random.default_rng(6), 0
    for _ in range(200):
        x = fleet_of(rng, 4, 10, 0.0, 0.01, slow=1)
        standing = peers.stand(x, RULE)
        inside += standing.low[0] <= -0.05 <= standing.high[0]
    assert 0.9 * 200 <= inside
    assert abs(standing.effect[0] + 0.05) < 0.02 and abs(standing.effect[1:]).max() < 0.03


def test_not_judged():
    """Too few launches, two nodes, one node: no p, no verdict, but the effect."""
    rng = np.random.default_rng(7)
    few = fleet_of(rng, 4, 4, slow=1, effect=0.5)
    assert not peers.stand(few, RULE).judged.any() and peers.stand(few, RULE).effect[0] < -0.4
    two = fleet_of(rng, 2, 10, slow=1, effect=0.5)
    assert not peers.stand(two, RULE).judged.any() and peers.stand(two, RULE).effect[0] < -0.4
    assert np.isnan(peers.stand(fleet_of(rng, 1, 10), RULE).effect).all()
    gaps = fleet_of(rng, 5, 6, slow=1)
    gaps[4, 2:] = math.nan  # this node has two launches only; the others are judged
    assert peers.stand(gaps, RULE).judged.tolist() == [True] * 4 + [False]
    assert peers.decide(gaps, RULE)[1].tolist() == [True] + [False] * 4


@pytest.mark.parametrize("nodes", [4, 12])
def test_the_smallest_effect_seen_is_seen(nodes):
    """Planted in fresh fleets of the same kind, it is flagged in most; half of it hardly ever."""
    rng, seen, missed, small = np.random.default_rng(8), 0, 0, []
    for _ in range(20):
        between = 0.0 if nodes == 4 else 0.01
        x = fleet_of(rng, nodes, 5, between, 0.01)
        small.append(peers.smallest_seen(x, RULE))
        plant = fleet_of(rng, nodes, 5, between, 0.01)
        plant[0] += math.log1p(-np.median(small))
        seen += peers.decide(plant, RULE)[1][0]
        plant[0] -= 0.6 * math.log1p(-np.median(small))
        missed += not peers.decide(plant, RULE)[1][0]
    assert seen >= 0.6 * 20 and missed >= 0.8 * 20
    wide = peers.smallest_seen(fleet_of(rng, nodes, 5, 0.05 * (nodes > 4), 0.05), RULE)
    assert wide > 1.5 * np.median(small) > 0.03


def test_smallest_effect_is_unknown_where_nothing_is_judged():
    rng = np.random.default_rng(9)
    assert math.isnan(peers.smallest_seen(fleet_of(rng, 2, 10), RULE))
    assert math.isnan(peers.smallest_seen(fleet_of(rng, 9, 4), RULE))


def test_a_rack_is_found_as_a_rack():
    rng = np.random.default_rng(10)
    score, group = 0.01 * rng.standard_normal(40), np.arange(40) // 8
    effect, p = peers.groups_p(score - 0.05 * (group == 2), group, 5)
    assert p.argmin() == 2 and p[2] < 1e-4 and effect[2] == pytest.approx(-0.05, abs=0.01)
    assert np.isnan(peers.groups_p(score[:4], np.array([0, 0, 1, 1]), 2)[1]).all()


def test_what_a_slow_node_costs():
    """One of four at half the pace: all run at half of it if they wait, 7/8 if not."""
    x = np.log(np.array([[1.0] * 5, [1.0] * 5, [1.0] * 5, [0.5] * 5]))
    found = node_cost.cost("dot", x, [False, False, False, True])
    assert found.coupled_replaced == pytest.approx(2)
    assert found.coupled_without == pytest.approx(1.5)
    assert found.summed_replaced == pytest.approx(8 / 7)
    assert found.summed_without == pytest.approx(6 / 7)
    assert found.low <= 2 <= found.high
    assert node_cost.cost("dot", x, [False] * 4) is None
    assert node_cost.cost("dot", x, [True] * 4) is None


# ------------------------------------------------------------------------------- from the traces

def study(folder, nodes=4, rounds=5, slow=(), seed=0, kernels=("dot", "matmul", "binning"),
          effects=None, launch_noise=0.005, stem="node", **more):
    """Every node alone, `rounds` launches of each kernel. effects: kernel -> rate of slow ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for turn in range(rounds):
        for node in range(nodes):
            for at, kernel in enumerate(kernels):
                factor = (effects or {}).get(kernel, 0.95) if node in slow else 1.0
                write(folder / f"{kernel}-{node}-{turn}.h5", Run(
                    kernel=kernel, layout="openmp", threads=2, rate=1e8 * factor, noise=0.005,
                    launch_noise=launch_noise, repetitions=3, begin=100 * turn + node,
                    hostnames=(f"{stem}{node}",), seed=1000 * (1000 * seed + turn) + 10 * node + at,
                    **more))
    return folder


def test_one_of_four_is_suspected_and_a_second_run_decides(tmp_path):
    first = study(tmp_path / "1", slow={2})
    found, text = judge(first)
    assert found.hosts("suspected") == ["node2"] and not found.exclude
    assert "node2: SUSPECTED" in text and "all kernels are slower by about the same share" in text
    assert text.endswith("--exclude=node2") and "--confirm" in text
    again, text = judge(first, study(tmp_path / "2", slow={2}, seed=1))
    assert again.exclude == ["node2"] and again.hosts("bad") == ["node2"]
    assert text.endswith("leave out (confirmed by a second run): --exclude=node2")
    gone, text = judge(first, study(tmp_path / "3", seed=2))
    assert not gone.exclude and gone.hosts("not again") == ["node2"] and "--exclude" not in text


def test_a_second_run_of_few_launches_acquits_nobody_whom_it_sees_slow_again(tmp_path):
    first = study(tmp_path / "1", slow={2}, kernels=("dot",))
    for rounds, slow, verdict in (4, {2}, "suspected"), (3, (), "not again"), (2, (), "suspected"):
        second = study(tmp_path / f"{rounds}", rounds=rounds, slow=slow, seed=1, kernels=("dot",))
        found, text = judge(first, second)
        assert found.hosts(verdict) == ["node2"] and not found.exclude
        assert ("in too few launches to be sure" in text) == (verdict == "suspected")


def test_ten_launches_confirm_themselves(tmp_path):
    found, text = judge(study(tmp_path, nodes=16, rounds=10, slow={3, 11}, kernels=("dot",)))
    assert text.endswith("leave out (confirmed by the second half of the launches): "
                         "--exclude=node3,node11")
    assert "the only kernel that tells: the cause stays open" in text
    assert found.costs[0].slow == 2 and found.costs[0].nodes == 16


def test_a_clean_study_accuses_nobody_and_says_how_well_it_looked(tmp_path):
    found, text = judge(study(tmp_path))
    assert "no evidence against any node. smallest effect that would have been seen" in text
    assert {n.verdict for n in found.nodes} == {"no evidence"} and not found.costs
    assert "--exclude" not in text
    for one in found.measures:
        assert one.rule.threshold < one.smallest < 0.06


def test_few_data_cannot_tell(tmp_path):
    _, few = judge(study(tmp_path / "few", rounds=3, slow={1}, effects={"dot": 0.5},
                         kernels=("dot",)))
    assert "cannot tell: no node could be judged" in few and "-50." in few
    assert "fewer than 5 launches" in few and "--exclude" not in few
    _, two = judge(study(tmp_path / "two", nodes=2, rounds=6, slow={1}, kernels=("dot",)))
    assert "nobody can say which is the odd one" in two and "--exclude" not in two
    _, one = judge(study(tmp_path / "one", nodes=1, kernels=("dot",)))
    assert "nobody to compare it with" in one


def test_nodes_of_one_run_are_told_apart_by_their_own_computing(tmp_path):
    """Five launches over four nodes: all end together, but one node's workers compute longer."""
    for turn in range(5):
        write(tmp_path / f"{turn}.h5", Run(
            layout="mpi", ranks=8, noise=0.01, launch_noise=0.01, seed=turn, begin=turn,
            compute=[0.9, 0.9, 0.9, 0.9, 0.95, 0.95, 0.9, 0.9],
            hostnames=("a1", "a2", "a3", "a4")))
    found, _ = judge(tmp_path)
    assert found.hosts("suspected") == ["a3"]
    assert found.nodes[0].worst.effect == pytest.approx(0.9 / 0.95 - 1, abs=1e-4)


def test_the_slowest_worker_is_the_nodes_pace(tmp_path):
    """One slow core of four: the node is slow, and the reason says which worker."""
    for turn in range(5):
        write(tmp_path / f"{turn}.h5", Run(
            layout="mpi", ranks=12, noise=0.01, seed=turn, begin=turn,
            compute=[0.8] * 6 + [1.0] + [0.8] * 5, hostnames=("a1", "a2", "a3")))
    found, text = judge(tmp_path)
    assert found.hosts("suspected") == ["a2"]
    assert found.nodes[0].worst.effect == pytest.approx(-0.2, abs=1e-3)
    assert "not the whole node: worker 2 is 20.0 % below the middle one" in text


@pytest.mark.parametrize("effects, sentence", [
    ({"dot": 0.95, "matmul": 0.945, "binning": 0.95}, "a slower clock or chip"),
    ({"dot": 0.6, "matmul": 0.9, "binning": 0.95}, "by unlike shares"),
    ({"dot": 0.875, "matmul": 1, "binning": 1}, "one of 8 channels missing would be -12.5 %"),
    ({"dot": 1, "matmul": 0.9, "binning": 1}, "slow in arithmetic only"),
    ({"dot": 1, "matmul": 1, "binning": 0.1}, "another clock source"),
    ({"dot": 0.9, "matmul": 0.9, "binning": 1}, "no pattern of the catalogue")])
def test_reasons_from_the_kernels(tmp_path, effects, sentence):
    found, text = judge(study(tmp_path, slow={1}, effects=effects))
    assert found.hosts("suspected") == ["node1"] and sentence in text


def test_a_fact_in_which_the_node_differs_is_told(tmp_path):
    folder = study(tmp_path, slow={1}, kernels=("dot",))
    for path in folder.glob("dot-1-*.h5"):
        with h5py.File(path, "a") as file:
            file["provenance"].attrs["governor"] = "powersave"
    assert "governor powersave, its peers performance" in judge(folder)[1]


def stolen(folder, nodes=4, rounds=5, thief=2, share=0.02):
    """Binning of one worker, 5 x 0.5 s; on one node a thief takes 2 % in 146 us every 7.3 ms."""
    folder.mkdir(exist_ok=True)
    for turn in range(rounds):
        for node in range(nodes):
            plan = [noisy.every(0.0073, share * 7.3e6, 0.5, phase=0.003)] if node == thief else []
            repetitions = [noisy.clean(100 * turn + 10 * node + r, 0.5, plan) for r in range(5)]
            path = noisy.trace(folder / f"{node}-{turn}.h5", [repetitions])
            with h5py.File(path, "a") as file:
                file["nodes/hostname"][0] = f"n{node}"
                file["wall_start"][:] += 10**9 * (10 * turn + node)
    return folder


def test_a_late_start_is_lost_time(tmp_path):
    """The driver cannot see a detour before the first unit; on the common axis it is one."""
    worker = noisy.bins([], 0.1)
    worker[0][:200] = 0  # of 2000 bins
    [seen] = fleet.visit(traces.read(noisy.trace(tmp_path / "a.h5", [[worker]])))
    assert seen.values["lost"] == pytest.approx(0.1) and seen.values["rate"] == pytest.approx(1e8)


def test_stolen_time_is_named_as_such(tmp_path):
    found, text = judge(stolen(tmp_path))
    assert found.hosts("suspected") == ["n2"]
    assert "n2: SUSPECTED. binning: time lost -1.99%" in text
    assert "time is taken from it: 2.0 % more" in text
    assert "when it runs, it is as fast as they are" in text
    assert "what it loses comes back at" in text and "every 7.3" in text
    assert text.endswith("--exclude=n2")


@pytest.mark.parametrize("late, verdict", [(2, "suspected"), (4, "INVALID")])
def test_a_node_that_starts_late_is_accused_of_the_time_it_loses(tmp_path, late, verdict):
    """Its INVALID launches tell no pace and are the evidence all the same, often or now and then."""
    stolen(tmp_path)
    for turn in range(late):
        with h5py.File(tmp_path / f"2-{turn}.h5", "a") as file:
            file.attrs.update({"valid": 0, "invalid_reasons": f"{fleet.LATE} (in 4 of 5 "
                                                              "worker-repetitions)"})
    found, text = judge(tmp_path)
    assert found.hosts(verdict) == ["n2"] and len(found.hosts("no evidence")) == 3
    assert f"{late} of 20 visits (a node in a launch) are INVALID" in text
    assert f"n2: {verdict.upper()}. binning: time lost -1.99%" in text
    assert "why: time is taken from it" in text and text.endswith("--exclude=n2")
    assert (f"its runs are INVALID ({late} of 5), its peers' are not" in text) == (late == 4)


def knots_of(rng, nodes=4, knots=6, drift=0.0, jump=0.0):
    """Knots, one a second, over paths of 20 us; clocks are days apart, drift by tens of ppm and
    wander. Node 2 drifts by so much more, or jumps by so many ns."""
    true = np.arange(knots)[:, None] * 1e9 + rng.uniform(0, 1e6, (knots, 1))
    rate = 20e-6 * rng.standard_normal(nodes)
    rate[2] += drift
    wander = np.cumsum(1e-8 * rng.standard_normal((knots, nodes)), axis=0) * 1e9
    own = true * rate + wander
    own[rng.integers(1, knots):, 2] += jump
    days = rng.integers(0, 30 * 86_400 * 10**9, nodes)
    rtt = 20_000 * (1 + rng.exponential(0.3, (knots, nodes))) * (np.arange(nodes) > 0)
    offset = np.rint(own - own[:, :1] + rng.uniform(-0.25, 0.25, rtt.shape) * rtt).astype(np.int64)
    half = np.rint(rtt / 2).astype(np.int64)
    offset += days - days[0]
    return {"local_ns": np.rint(true + own).astype(np.int64) + days, "offset_ns": offset,
            "rtt_min_ns": 2 * half, "lo_ns": offset - half, "hi_ns": offset + half}


KIND = fleet.Kind(("binning", *[None] * (len(fleet.WORK) - 1)), "mpi", "", 4, 2, 1, "hash")
BOUND = "two or more workers on one CPU"


def visits_of(rng, fault):
    """A study: five launches over four nodes that wander by 1 %. fault: of n2."""
    pace = fleet_of(rng, 4, 5, 0.002, 0.01)
    lost = np.abs(0.005 + 0.002 * rng.standard_normal((4, 5)))
    pace[2] += {"slow": math.log1p(-0.05), "binding": math.log(0.5)}.get(fault, 0.0)
    lost[2] += 0.02 * (fault == "stolen")
    seen = []
    for launch in range(5):
        clocks = clock_fault.looks(knots_of(
            rng, drift=250e-6 * (fault == "drift"), jump=3e5 * (fault == "jump" and launch < 2)))
        for node in range(4):
            wrong = fault == "binding" and node == 2
            seen.append(fleet.Visit(
                f"{launch}.h5", f"n{node}", "CPU", KIND, (2 * node, 2 * node + 1), launch,
                {"rate": 1e8 * math.exp(pace[node, launch]), "lost": lost[node, launch]}, 2 * node,
                0.0, not wrong, (BOUND,) if wrong else (), clock=clocks[node]))
    return seen


@pytest.mark.parametrize("fault, verdict, reason", [
    ("slow", "suspected", "slow in clock reads"), ("stolen", "suspected", "time is taken from it"),
    ("binding", "INVALID", "binding: "), ("drift", "clock", "clock: it drifts by +2"),
    ("jump", "clock", "clock: it jumped by"), ("", "", "")])
def test_planted_faults_are_named_and_clean_studies_are_not(fault, verdict, reason):
    """The issue's rates, in 20 studies of each kind: >= 19 named and rightly so, <= 1 accused."""
    rng, right, accused = np.random.default_rng(11), 0, 0
    for _ in range(20):
        found = verdicts.judge(visits_of(rng, fault))
        named = [node for node in found.nodes if node.reason]
        right += [n.host for n in named] == ["n2"] and named[0].verdict == verdict and (
            named[0].reason.why.startswith(reason))
        accused += bool(named)
        assert ("n2" in found.exclude) == (fault == "binding" and bool(named))
    assert right >= 19 if fault else accused <= 1


def test_wrong_binding_tells_the_rate_all_the_same():
    found = verdicts.judge(visits_of(np.random.default_rng(3), "binding"))
    text = " ".join(nodes_text.text(found).split())
    assert f"why: binding: its runs are INVALID (5 of 5), its peers' are not: {BOUND}" in text
    assert "known: counted all the same, binning: pace is -50" in text
    assert text.endswith("--exclude=n2")


def kinds(knots):
    return [[fault.kind for fault in look.faults] for look in clock_fault.looks(knots)]


def test_where_everybody_starts_late_wrong_binding_is_still_one_nodes():
    """A busy machine: most launches of all nodes are INVALID, for another reason."""
    rng = np.random.default_rng(6)
    seen = [replace(v, valid=False, reasons=(*v.reasons, fleet.LATE)) if rng.random() < 0.8 else v
            for v in visits_of(rng, "binding")]
    found = verdicts.judge(seen)
    [named] = [node for node in found.nodes if node.reason]
    assert named.host == "n2" and named.verdict == verdicts.MISPLACED
    assert named.reason.why.startswith("binding: ") and fleet.LATE not in named.reason.why


def test_whose_clock_it_is():
    """Node 0 is what the others are compared with: its own fault shows in all of them. Of two
    nodes nobody can say, and a slow message is no jump."""
    rng = np.random.default_rng(5)
    knots = knots_of(rng)
    turned = {name: table.copy() for name, table in knots.items()}
    turned["offset_ns"][:, 1:] += np.rint(3e-4 * turned["local_ns"][:, :1]).astype(np.int64)
    assert kinds(turned) == [["drift"], [], [], []]
    assert kinds({name: t[:, :2] for name, t in turned.items()}) == []
    held = {name: table.copy() for name, table in knots.items()}
    held["offset_ns"][3, 1] += 900_000
    assert kinds(held)[1] == ["jump"]
    held["rtt_min_ns"][3, 1] += 1_900_000
    assert kinds(held) == [[]] * 4


def test_a_clock_is_named_beside_another_fault_and_left_in_the_job(tmp_path):
    text = " ".join(nodes_text.text(verdicts.judge(
        visits_of(np.random.default_rng(3), "drift"))).split())
    assert "n2: CLOCK. why: clock: it drifts by +2" in text and "--exclude" not in text
    assert "is not affected: no reason to leave it out" in text
    both = [replace(v, values={**v.values, "rate": 0.9 * v.values["rate"]}) if v.host == "n2" else v
            for v in visits_of(np.random.default_rng(3), "drift")]
    [slow] = [n for n in verdicts.judge(both).nodes if n.reason]
    assert slow.verdict == "suspected" and slow.reason.known[0].startswith("clock: it drifts")
    alone = judge(study(tmp_path, kernels=("dot",)))[1]
    assert "clocks were not compared: that takes three nodes" in alone


def test_an_invalid_node_is_named_with_the_gates_reason(tmp_path):
    folder = study(tmp_path, kernels=("dot",))
    for path in folder.glob("dot-3-*.h5"):
        with h5py.File(path, "a") as file:
            file.attrs.update({"valid": 0, "invalid_reasons":
                               "two or more workers on one CPU (2 of 2 workers)"})
    found, text = judge(folder)
    assert found.exclude == found.hosts("INVALID") == ["node3"]
    assert "its runs are INVALID (5 of 5), its peers' are not: two or more workers on one" in text
    assert text.endswith("leave out: --exclude=node3")
    counted, _ = judge(folder, allow_invalid=True)
    assert {e.launches for n in counted.nodes for e in n.effects} == {5}


def test_everybody_invalid_is_nobodys_fault(tmp_path):
    found, _ = judge(study(tmp_path, kernels=("dot",),
                           attrs={"valid": 0, "invalid_reasons": "no clock"}))
    assert not found.exclude and {n.verdict for n in found.nodes} == {"cannot tell"}


def test_in_a_common_run_only_the_node_with_the_finding_is_invalid(tmp_path):
    for turn in range(5):
        path = write(tmp_path / f"{turn}.h5", Run(
            layout="mpi", ranks=8, noise=0.01, seed=turn, begin=turn,
            hostnames=("a1", "a2", "a3", "a4"), attrs={
                "valid": 0, "invalid_reasons": "two or more workers on one CPU (2 of 8 workers); "
                                               "started after the agreed instant (in 30 of 80 "
                                               "worker-repetitions)"}))
        with h5py.File(path, "a") as file:
            table = file.create_dataset("workers/findings", data=np.zeros((10, 8), np.int64))
            table[:, 2:4] = 1 + 32
            table[:1, 6] = 32  # once late is not like always late
            table.attrs["bits"] = ("1: two or more workers on one CPU; "
                                   "32: started after the agreed instant")
    found, _ = judge(tmp_path)
    assert found.exclude == ["a2"]
    assert {n.host: n.invalid[0] for n in found.nodes} == {"a1": 0, "a2": 5, "a3": 0, "a4": 0}


def test_peers_have_the_same_cpu(tmp_path):
    """Five nodes of an older model, 20 % slower: compared with each other, nobody is accused."""
    study(tmp_path / "new", nodes=5, kernels=("dot",))
    study(tmp_path / "old", nodes=5, kernels=("dot",), slow=set(range(5)), seed=1, stem="old",
          effects={"dot": 0.8}, cpu="Older CPU")
    found, text = judge(tmp_path)
    assert not found.hosts("suspected", "bad") and len(found.measures) == 2
    assert "within their CPU model only" in text and "Older CPU (5)" in text
    assert text.count("interval dot: pace") == 0  # one column, each power by its CPU model
    assert "dot: pace (Older CPU) " in text and "dot: pace (Test CPU) " in text
    panels = report_nodes.launches_off(found)
    assert list(panels) == ["dot: pace"] and len(panels["dot: pace"]) == 10


def test_two_sizes_of_a_kernel_are_two_measures(tmp_path):
    """12.5 % slower in the large product, and only there: two columns, memory, and the witness."""
    for size, rate in (500_000, 1), (20_000_000, 0.875):
        study(tmp_path / str(size), slow={1}, effects={"dot": rate}, kernels=("dot",),
              attrs={"size": size}, seed=size)
    study(tmp_path / "matmul", kernels=("matmul",))
    found, text = judge(tmp_path)
    large, small = "dot (size 20 000 000): pace", "dot (size 500 000): pace"
    assert {one.title for one in found.measures} == {large, small, "matmul: pace"}
    effects = {e.title: e.effect for e in found.nodes[0].effects}
    assert effects[large] == pytest.approx(-0.125, abs=0.01) and abs(effects[small]) < 0.01
    assert "why: memory: dot is 12." in text and f"known: not slow: {small}" in text
    assert [one.title for one in found.costs] == [
        "dot (size 20 000 000)", "dot (size 500 000)", "matmul"]
    assert set(report_nodes.launches_off(found)) == {large, small, "matmul: pace"}


def test_nodes_measured_one_after_the_other_are_told(tmp_path):
    for node in range(5):
        for turn in range(5):
            write(tmp_path / f"{node}-{turn}.h5", Run(
                hostnames=(f"n{node}",), seed=5 * node + turn, begin=100 * node + turn, noise=0.01))
    assert any("one after the other" in note for note in judge(tmp_path)[0].notes)
    assert not judge(study(tmp_path / "x", kernels=("dot",)))[0].notes


def test_a_slow_rack_by_its_name_and_by_other_groups(tmp_path):
    for rack in range(3):
        for node in range(8):
            for turn in range(5):
                write(tmp_path / f"{rack}-{node}-{turn}.h5", Run(
                    hostnames=(f"r{rack}n{node}",), launch_noise=0.01, repetitions=3,
                    rate=1e9 * (0.94 if rack == 1 else 1), seed=100 * rack + 10 * node + turn,
                    begin=turn))
    found, text = judge(tmp_path)
    assert [r.name for r in found.racks] == ["r1n"] and len(found.racks[0].hosts) == 8
    assert found.racks[0].effect == pytest.approx(-0.06, abs=0.01)
    assert "the whole group r1n (8 nodes) is slower" in text
    assert not judge(tmp_path, rack=lambda host: f"switch{int(host[-1]) % 2}")[0].racks


def test_alone_and_together_are_not_mixed(tmp_path):
    """Nodes alone, and pairs in which each computes twice as fast (half the work fits a cache)."""
    study(tmp_path / "alone", nodes=4, kernels=("dot",))
    for turn in range(3):
        write(tmp_path / f"pair{turn}.h5", Run(
            layout="openmp", ranks=2, rate=2e8, seed=turn, begin=turn, noise=0.01,
            hostnames=("node0", "node3")))
    [one] = judge(tmp_path)[0].measures
    assert len(one.measure.hosts) == 4 and one.measure.kind.nodes == 1


# ---------------------------------------------------------------------------------- command line

def test_bad_input_is_one_line(tmp_path, capsys):
    groups = tmp_path / "groups"
    groups.write_text("a b c\n")
    for arguments, words_ in (
            ([], "required"), (["--threshold", "3", "x"], "no share such as 3%"),
            (["--plot", "a.pdf", "x"], "must end in"), (["--groups", groups, "x"], "HOST GROUP"),
            (["--groups", tmp_path / "none", "x"], "cannot read")):
        with pytest.raises(SystemExit) as stopped:
            nodes.parse(list(map(str, arguments)))
        told = capsys.readouterr().err
        assert stopped.value.code == 2 and told.count("\n") == 1 and words_ in told
    assert nodes.parse(["--threshold", "2.5 %", "x"]).wishes.rule.threshold == 0.025
    groups.write_text("# switches\na left\nb right # far away\n\n")
    rack = nodes.parse(["--groups", str(groups), "x"]).wishes.rack
    assert [rack(host) for host in "abc"] == ["left", "right", "in no group"]


def test_the_command(tmp_path):
    folder = study(tmp_path / "study", slow={1}, kernels=("dot",))
    missing = run(tmp_path / "nothing.h5")
    assert missing.returncode == 1 and "no such file" in missing.stderr
    assert run(folder, "--json", tmp_path / "no" / "x").returncode == 1
    plot = tmp_path / "nodes.svg"
    done = run("--json", "-", folder, "--plot", plot)
    assert done.returncode == 0 and "NaN" not in done.stdout and not done.stderr
    found = json.loads(done.stdout)
    assert found["suspected"] == ["node1"] and found["exclude"] == []
    assert found["nodes"][0]["reason"]["why"] and found["costs"][0]["slow"] == 1
    assert plot.read_text().startswith("<?xml")


@pytest.mark.parametrize("count, named", [(4, True), (40, False)])
def test_the_plot_names_the_slow_node(tmp_path, count, named):
    found, _ = judge(study(tmp_path, nodes=count, slow={1}, kernels=("dot",)))
    texts = plot_svg.svg(plot_nodes.of(found), "x")
    assert "node1<" in texts and ("node2<" in texts) == named


def test_progress_is_for_a_terminal(capsys, monkeypatch):
    assert list(console.counted(range(30), 30, "traces")) == list(range(30))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert len(list(console.counted(range(30), 30, "traces"))) == 30
    assert "\r20 of 30 traces" in capsys.readouterr().err


def test_traces_are_read_one_at_a_time(tmp_path):
    """A thousand traces never lie in memory together."""
    study(tmp_path, kernels=("dot",))
    bad = []
    stream = traces.each([str(tmp_path)], bad)
    alive = next(stream)
    assert not bad and len(fleet.visit(alive)) == 1
    assert len(list(stream)) == 19


def test_a_kernel_too_noisy_to_tell_is_no_witness():
    """binning 5 % slower, dot anything from -40 % to +60 %: not "slow in clock reads only"."""
    slow = blame.Effect("binning", "rate", "", -0.05, -0.06, -0.04, 0.001, 5, 0.03, True, False,
                        math.nan, False)
    for low, told, why in ((-0.4, True, "the only kernel that tells"), (-0.02, False, "only: the")):
        dot = blame.Effect("dot", "rate", "", 0.05, low, 0.6, 0.5, 5, 0.03, False, False, math.nan,
                           False)
        found, unknown = blame.pattern([slow, dot])
        assert why in found
        assert any("whether dot is slow too" in text for text in unknown) == told


def test_a_reason_says_what_it_does_not_know():
    effect = blame.Effect("dot", "rate", "dot: pace", -0.05, -0.06, -0.04, 0.001, 5, 0.03, True,
                          False, math.nan, False)
    found = blame.reason([effect], (0, 0.0), {}, [], None)
    assert any("clock reads" in text for text in found.unknown)
    assert any("no trace of it with bins" in text for text in found.unknown)
    assert any("CPU frequency" in text for text in found.unknown)
