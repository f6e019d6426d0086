"""Planted noise is found, named and priced; clean workers raise nothing; closed forms hold."""

import ast
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest

import bsp
import detours
import finding
import noise_text
import noisy
import portrait
import signatures
import signatures_rate
import signatures_team
import spectrum
import survey
import traces
import words
from noisy import WIDTH

NOISE = Path(traces.__file__).parent / "noise.py"
PURE = ("bsp", "detours", "finding", "grids", "portrait", "signatures", "signatures_rate",
        "signatures_team", "spectrum", "timeline")
SEEDS = 24
CLEAN = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "BINDOT_PYTHON_TRIED")}


def run(*arguments):
    return subprocess.run(
        [sys.executable, NOISE, *map(str, arguments)], capture_output=True, text=True,
        encoding="utf-8", env={**CLEAN, "PYTHONIOENCODING": "utf-8"}, timeout=120)


def numbers(*arguments):
    done = run("--json", "-", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["traces"][0]


def paint(worker, seconds, switches=0):
    setting = portrait.Setting(WIDTH, seconds * 1e9, 100.0, 10.0, 12.0)
    counts, lost, listed = worker
    return portrait.paint(0, portrait.Series([counts], [lost], [listed], [0.0], switches), setting,
                          100)


def named(findings, name):
    [found] = [f for f in findings if f.name == name]
    return found


# ------------------------------------------------------------------- prediction: closed forms

def one_rank(fraction: float) -> float:
    """S of a single rank that loses this fraction of its time, at any grain."""
    return 1 + fraction / (1 - fraction)


def fixed_detours(rate: float, length: float, grain: float, ranks: int) -> float:
    """S for detours of one length (s) at `rate` per second of work, at most one in a step.

    1 + (d/g) (1 - (1 - r g)^P): linear in P while P r g << 1 (Tsafrir et al.), then 1 + d/g.
    """
    return 1 + length / grain * (1 - (1 - rate * grain) ** ranks)


def predicted(lost, grain, ranks):
    clock, whole = bsp.work_clock(lost, WIDTH), len(lost) * WIDTH
    blocks = bsp.block_count(whole, grain, 1000)
    work = bsp.sample(*bsp.steps_in_work(clock, WIDTH, grain), grain, whole, blocks)
    time = bsp.sample(*bsp.steps_in_time(clock, WIDTH, grain), grain, whole, 1)
    return bsp.predict([work], [time], ranks)


def lost_of(period, length, seconds=60):
    """lost (bin,) ns of a strictly periodic detour."""
    return noisy.bins(noisy.every(period, length, seconds), seconds)[1].astype(float)


@pytest.mark.parametrize("period, length", [(0.1, 2.5e6), (0.01, 250e3), (0.001, 25e3)])
@pytest.mark.parametrize("grain", [2e5, 1e6, 7e6])
def test_one_rank_loses_what_was_lost(period, length, grain):
    """S(1) = 1 + f / (1 - f) at any grain."""
    lost = lost_of(period, length)
    f = lost.sum() / (len(lost) * WIDTH)
    assert f == pytest.approx(0.025, rel=0.01)
    assert predicted(lost, grain, [1])[0].slowdown == pytest.approx(one_rank(f), abs=2e-4)


def test_ferreira_equal_noise_unequal_cost():
    """2.5 % of noise costs 250 %, 25 % or 5 % at large P: only the shape of it differs."""
    for period, length, saturated in ((0.1, 2.5e6, 3.50), (0.01, 250e3, 1.25),
                                      (0.001, 25e3, 1.05)):
        found = predicted(lost_of(period, length), 1e6, [4096])[0]
        assert found.slowdown == pytest.approx(saturated, abs=0.005)
        assert found.most == pytest.approx(saturated, abs=0.005)


def test_fixed_detours_follow_the_order_statistics():
    """1 + (d/g)(1 - (1 - r g)^P), r per second of work."""
    lost = lost_of(0.1, 2.5e6)
    for p in predicted(lost, 1e6, [1, 4, 16, 64, 1024]):
        exact = fixed_detours(1 / 0.0975, 2.5e-3, 1e-3, p.ranks)
        assert p.slowdown == pytest.approx(exact, rel=0.005)


def simulated(lost, grain, ranks, steps, seed):
    """Virtual ranks at random offsets on one trace, which wraps; the truth of the model."""
    clock, whole = bsp.work_clock(lost, WIDTH), len(lost) * WIDTH
    offsets = np.random.default_rng(seed).uniform(0, whole, ranks)
    now = 0.0
    for _ in range(steps):
        turns, at = np.divmod(now + offsets, whole)
        goal = np.interp(at / WIDTH, np.arange(len(clock)), clock) + grain
        more, goal = np.divmod(goal, clock[-1])
        now = float((bsp.when(clock, goal, WIDTH) + (more + turns) * whole - offsets).max())
    return now / (steps * grain)


@pytest.mark.parametrize("ranks, low, middle, high", [
    (16, 1.38, 1.452, 1.75), (64, 2.20, 2.68, 2.85), (1024, 3.50, 3.50, 3.50)])
def test_simulation_lies_between_the_two_bounds(ranks, low, middle, high):
    """The 10 Hz x 2.5 ms case of facts/binning.md 5.2."""
    lost = lost_of(0.1, 2.5e6)
    found = predicted(lost, 1e6, [ranks])[0]
    assert (found.slowdown, found.most) == pytest.approx((low, high), abs=0.012)
    truth = np.mean([simulated(lost, 1e6, ranks, 400, seed) for seed in range(6)])
    assert truth == pytest.approx(middle, rel=0.03)
    assert found.slowdown - 0.01 <= truth <= found.most + 0.01


def test_expected_most_is_the_textbook_sum():
    rng = np.random.default_rng(1)
    x = np.sort(rng.exponential(1, 500))
    k = np.arange(1, 501)
    for p in (1, 7, 300):
        exact = np.sum(x * ((k / 500) ** p - ((k - 1) / 500) ** p))
        assert bsp.expected_most(np.ones(500), x, p) == pytest.approx(exact)
    tied = bsp.expected_most(np.array([3, 1]), np.array([1.0, 2.0]), 2)
    assert tied == pytest.approx(1 + 1 - (3 / 4) ** 2)


def test_classes_of_stretch_cost_no_accuracy():
    """Against the unclassified sample, wide distribution, large P."""
    rng = np.random.default_rng(2)
    grain, durations = 1e6, 1e6 + rng.pareto(1.5, 20_000) * 1e5
    one = bsp.sample(np.arange(20_000) * 1.1e6, durations, grain, 2.2e10, 20)
    x = np.sort(durations / grain)
    k = np.arange(1, len(x) + 1) / len(x)
    for p in bsp.predict([one], [one], [1, 16, 2000]):
        exact = np.sum(x * (k**p.ranks - (k - 1 / len(x)) ** p.ranks))
        assert p.slowdown == pytest.approx(exact, rel=0.003)


def test_the_interval_covers():
    """Poisson detours of one length: the closed form is inside in about 95 % of the traces."""
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        seconds, rate, length = 10, 20, 1e6
        starts = np.sort(rng.uniform(0, seconds - 0.01, rng.poisson(rate * (seconds - 0.01))))
        lost = noisy.bins(np.stack([starts, np.full(len(starts), length)], 1), seconds)[1]
        found = predicted(lost.astype(float), 1e7, [1])[0]
        truth = math.exp(rate * length * 1e-9)  # busy periods of detours that overlap (M/D/inf)
        hits += found.low <= truth <= found.high
    assert 51 <= hits <= 60


def test_work_that_ends_where_a_detour_begins_ends_before_it():
    clock = bsp.work_clock(np.array([0, WIDTH, WIDTH, 0.5 * WIDTH]), WIDTH)
    assert clock.tolist() == [0, WIDTH, WIDTH, WIDTH, 1.5 * WIDTH]
    done = bsp.when(clock, np.array([0.5, 1, 1.25]) * WIDTH, WIDTH)
    assert done.tolist() == [0.5 * WIDTH, WIDTH, 3.5 * WIDTH]


def test_reach_and_the_sentence():
    assert bsp.reach(40_000) == 4000 and bsp.reach(3) == 1
    assert "once per 13.3 s" in bsp.invisible(4, 10)
    assert "4 workers x 10 s" in bsp.invisible(4, 10)


def test_barrier_dilutes():
    one = bsp.sample(np.zeros(100), np.full(100, 2e6), 1e6, 1e9, 10)
    assert bsp.predict([one], [one], [4], overhead=1.0)[0].slowdown == pytest.approx(1.5)


# ------------------------------------------------------------------------------ replay

def replayed(lost, grain, barrier=0.0):
    clocks = [bsp.work_clock(x, WIDTH) for x in lost]
    chains = bsp.chain_count(len(lost[0]) * WIDTH, grain)
    return bsp.replay(*bsp.replay_chains(clocks, WIDTH, grain, chains, barrier), len(lost), grain,
                      barrier)


def test_replay_of_silence_is_one():
    found = replayed([np.zeros(20_000)] * 3, 1e6, 5e3)
    assert found.slowdown == pytest.approx(1) and found.steps > 900


def test_replay_knows_that_noise_is_simultaneous():
    """100 us every ms: at the same time it costs one rank's loss, in turn twice that."""
    here = lost_of(1e-3, 1e5, 20)
    there = np.roll(here, 10)  # 0.5 ms later
    alone = one_rank(0.1)
    assert replayed([here, here], 1e7).slowdown == pytest.approx(alone, rel=0.01)
    fine = replayed([here, there], 1e5).slowdown
    assert fine == pytest.approx(1 + 2 * 0.1 / 0.8, rel=0.03)


def test_replay_of_one_is_what_it_lost():
    lost = lost_of(0.01, 250e3, 20)
    assert replayed([lost], 1e6).slowdown == pytest.approx(one_rank(0.025), rel=0.005)


# ------------------------------------------------------------------------------ spectrum

def welch(lost):
    return spectrum.welch([lost], WIDTH, [len(lost)])


def test_white_noise_has_no_comb_and_no_peak():
    """False positives over seeds and lengths: none. The largest comb seen is far below 5."""
    largest = 0.0
    for seed in range(SEEDS):
        for seconds in (1, 5, 20):
            found = welch(noisy.clean(seed, seconds)[1])
            ticks = spectrum.ticks(found)
            largest = max(largest, np.nanmax([t.comb for t in ticks]))
            assert not [t for t in ticks if t.found]
            assert not spectrum.peaks(found, ticks)
    assert largest < 3


@pytest.mark.parametrize("hertz", spectrum.TICKS)
def test_a_planted_tick_is_named(hertz):
    """At twice the length that the test itself says it can see; not at half of it."""
    least = {t.frequency: t.smallest for t in spectrum.ticks(welch(noisy.clean(0, 20)[1]))}[hertz]
    for factor, expected in ((2.0, [hertz]), (0.5, [])):
        for seed in range(5):
            planted = noisy.every(1 / hertz, factor * least, 20, phase=0.01303)
            found = spectrum.ticks(welch(noisy.clean(seed, 20, [planted])[1]))
            assert [t.frequency for t in found if t.found] == expected


def test_two_ticks_at_once():
    both = [noisy.every(1 / 100, 900, 20, 0.01303), noisy.every(1 / 250, 3000, 20, 0.01217)]
    found = spectrum.ticks(welch(noisy.clean(1, 20, both)[1]))
    assert [t.frequency for t in found if t.found] == [100, 250]


def test_clipping_shows_a_tick_beside_absences(monkeypatch):
    """Losses of 20 to 50 us, 400 a second, hide a tick of 2 us unless bins are clipped."""
    rng = np.random.default_rng(4)
    away = np.stack([rng.uniform(0, 19, 8000), rng.uniform(2e4, 5e4, 8000)], axis=1)
    lost = noisy.clean(4, 20, [away, noisy.every(1 / 250, 2000, 20, 0.01217)])[1]
    clipped = spectrum.ticks(welch(lost))[1]
    monkeypatch.setattr(spectrum, "CLIP_NS", 1e9)
    whole = spectrum.ticks(welch(lost))[1]
    assert clipped.found and clipped.comb > 3 * whole.comb


def test_one_disturbed_second_is_not_the_whole_average():
    """A second full of losses: no chance peak of it is listed, and a small tick is still seen."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        storm = np.stack([rng.uniform(9, 10, 10_000), rng.uniform(2e3, 2e4, 10_000)], axis=1)
        tick = noisy.every(1 / 250, 250, 20, 0.01217)
        found = welch(noisy.clean(seed, 20, [storm, tick])[1])
        ticks = spectrum.ticks(found)
        assert [t.frequency for t in ticks if t.found] == [250]
        assert not spectrum.peaks(found, ticks)


@pytest.mark.parametrize("hertz", [10, 50, 7.3, 62.5])
def test_a_daemons_comb_is_no_tick(hertz):
    """Its lines also lie at 100 or 250 Hz; they are listed with their true fundamental."""
    found = welch(noisy.clean(2, 20, [noisy.every(1 / hertz, 9000, 20, 0.01303)])[1])
    ticks = spectrum.ticks(found)
    assert not [t for t in ticks if t.found]
    peaks = spectrum.peaks(found, ticks)
    roots = [p.of for p in peaks]
    assert len(peaks) >= 5 and np.median(roots) == pytest.approx(hertz, rel=0.02)


def test_what_a_segment_can_see_is_said():
    short = spectrum.welch([noisy.clean(r, 0.05)[1] for r in range(10)], WIDTH, [1000] * 10)
    ticks = {t.frequency: t for t in spectrum.ticks(short)}
    assert math.isnan(ticks[100].comb) and "200 ms" in ticks[100].why_not
    assert short.range == pytest.approx((160, 10_000)) and short.segments == 10
    assert welch(noisy.clean(0, 60)[1]).range == pytest.approx((4, 10_000))
    assert spectrum.welch([np.zeros(5000)], WIDTH, [5000]) is None
    assert spectrum.welch([np.ones(50)], WIDTH, [50]) is None


def test_power_is_that_of_white_noise():
    """One-sided: variance x 2 x bin width."""
    lost = np.random.default_rng(3).uniform(0, 1000, 400_000)
    found = welch(lost)
    expected = lost.var() * 2 * WIDTH * 1e-9
    assert np.median(found.power) == pytest.approx(expected, rel=0.05)


# ------------------------------------------------------------------------------ detours

def test_lengths_of_a_known_list():
    length = np.array([150.0] * 50 + [2e3] * 30 + [3e6] * 20)
    listed = detours.Listed(np.arange(100) * 1e7, length)
    found = detours.lengths([listed, listed], 1e9, 0.0)
    assert found.per_second.tolist() == [0, 50, 30, 0, 0, 20, 0, 0, 0]
    assert found.longest == 3e6 and found.p99 == 3e6 and math.isnan(found.p999)
    assert found.listed == 200 and found.dropped == 0


def test_a_full_list_speaks_only_for_its_own_time():
    """100 listed in 0.1 s, 900 dropped: 1000 a second, not 100; the longest is in the bins."""
    listed = detours.Listed(np.arange(100) * 1e6, np.full(100, 150.0), 900)
    found = detours.lengths([listed], 1e9, 4e6)
    assert found.per_second[1] == pytest.approx(1000, rel=0.02)
    assert found.covered_s == pytest.approx(0.099, rel=0.01)
    assert found.dropped == 900 and found.longest == 4e6


def test_rate_and_lost_time_are_apart():
    """A tenth of the time lost leaves the rate; a slower clock leaves the lost time."""
    lossy = paint(noisy.clean(1, 5, [noisy.every(0.01, 1e6, 5)]), 5)
    slow = paint(noisy.clean(1, 5, speed=lambda t: np.full(len(t), 0.9)), 5)
    assert lossy.lost == pytest.approx(0.1, rel=0.02)
    assert lossy.rate == pytest.approx(noisy.UNITS / 50e-6, rel=0.002)
    assert slow.lost == pytest.approx(0.00024, rel=0.15)
    assert slow.rate == pytest.approx(0.9 * noisy.UNITS / 50e-6, rel=0.002)


def test_one_clock_read_of_each_detour_was_work():
    counts, lost, listed = noisy.clean(1, 5)
    found = paint((counts, lost, listed), 5)
    assert found.lost * 5e9 == pytest.approx(lost.sum() - 12 * len(listed.start), rel=1e-9)


def test_drift_and_its_interval():
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        t = np.arange(100) * 0.1
        found = detours.drift(t, 1e8 * (1 - 0.002 * t + 0.003 * rng.standard_normal(100)))
        hits += found.low <= -0.02 <= found.high
    assert hits >= 35
    warm = np.r_[np.full(10, 0.95), np.ones(90)]
    assert detours.drift(np.arange(100) * 0.1, warm).start == pytest.approx(-0.05)
    assert math.isnan(detours.drift(np.arange(5.0), np.ones(5)).slope)


def test_resolution_is_the_largest_of_its_limits():
    assert detours.resolution(100, 10, 12, 10).shortest == 100
    assert "could go down to 30 ns" in detours.resolution(100, 10, 12, 10).why
    below = detours.resolution(20, 10, 12, 10)
    assert below.shortest == 30 and "below" in below.why
    assert detours.resolution(100, 10, 12, 400).shortest == 600  # a unit of 400 ns hides more
    assert "not recorded" in detours.resolution(100, math.nan, math.nan, 10).why


def test_absences_include_their_ragged_ends():
    counts, lost, _ = noisy.bins([(0.00102, 1.23e6)], 0.01)
    first, length = detours.absences(counts, lost.astype(float), WIDTH)
    assert first.tolist() == [21] and length.tolist() == pytest.approx([1.23e6])
    assert detours.absences(np.ones(5), np.zeros(5), WIDTH)[0].size == 0


# ------------------------------------------------------------------------------ signatures

def test_clean_workers_raise_nothing():
    """Poisson background, 0.7 % bin noise: no cause in any seed, and every test says its limit."""
    for seed in range(SEEDS):
        found = paint(noisy.clean(seed, 10), 10).findings
        assert [f.name for f in found if f.found] == []
        assert all(f.smallest and f.tested for f in found)


def test_irregular_detours_are_not_periodic():
    """Poisson at several rates and lengths, and bursts: a false period in no seed."""
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        t = 20.0
        poisson = np.stack([rng.uniform(0, t - 0.1, 400), 10 ** rng.uniform(4, 6, 400)], 1)
        rare = np.stack([rng.uniform(0, t - 0.1, 12), 10 ** rng.uniform(6, 7, 12)], 1)
        burst = np.concatenate([
            np.stack([c + rng.exponential(0.05, 30), 2e4 * rng.lognormal(0, 1, 30)], 1)
            for c in rng.uniform(0, t - 2, 10)])
        for events in (poisson, rare, burst):
            listed = noisy.clean(seed, t, [events])[2]
            found = signatures.periodic(0, [listed.start * 1e-9], [listed.length], t)
            assert not found.found, (seed, found)


@pytest.mark.parametrize("period, length", [(1.0, 2.5e6), (0.25, 5e5), (0.05, 3e4)])
def test_a_daemon_is_found_with_its_period(period, length):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        planted = noisy.every(period, length, 20, jitter=1e-3 * rng.standard_normal(400))
        found = named(paint(noisy.clean(seed, 20, [planted]), 20).findings, "periodic")
        assert found.found
        said = float(found.reason.split("(")[1].split(" Hz")[0])
        assert said == pytest.approx(1 / period, rel=0.01)


def test_a_daemon_is_found_where_the_list_was_full():
    counts, lost, listed = noisy.clean(1, 20, [noisy.every(0.5, 2e6, 20)])
    cut = detours.Listed(listed.start[:500], listed.length[:500], len(listed.start) - 500)
    assert named(paint((counts, lost, cut), 20).findings, "periodic").found


def test_a_period_must_rule_its_decade_of_length():
    """400 visits among 2000 alike are no named cause: slices of a scheduler beat like that too."""
    rng = np.random.default_rng(8)
    others = np.stack([rng.uniform(0, 19.9, 2000), rng.uniform(2e4, 8e4, 2000)], 1)
    found = named(paint(noisy.clean(8, 20, [others, noisy.every(0.05, 4e4, 20)]), 20).findings,
                  "periodic")
    assert not found.found and "most of what has its length" in found.smallest


def test_a_cpu_quota_is_told_from_a_daemon():
    found = named(paint(noisy.clean(3, 10, [noisy.every(0.1, 2e7, 10)]), 10).findings, "periodic")
    assert found.found and "quota" in found.reason


def test_absences_and_who_took_the_cpu():
    rng = np.random.default_rng(5)
    away = np.stack([rng.uniform(0, 9, 20), rng.uniform(1e6, 9e6, 20)], 1)
    for switches, phrase in ((25, "other tasks of this system"), (0, "hypervisor"),
                            (None, "stays open")):
        found = named(paint(noisy.clean(5, 10, [away]), 10, switches).findings, "off the CPU")
        assert found.found and phrase in found.reason
    short = np.stack([rng.uniform(0, 9, 20), np.full(20, 2e5)], 1)
    assert not named(paint(noisy.clean(5, 10, [short]), 10).findings, "off the CPU").found


def test_interrupt_storm():
    rng = np.random.default_rng(6)
    storm = np.stack([rng.uniform(0, 9.9, 12_000), rng.uniform(2e3, 2e4, 12_000)], 1)
    assert named(paint(noisy.clean(6, 10, [storm]), 10).findings, "interrupts").found
    tick = noisy.every(1 / 1000, 3000, 10, 0.01303)
    assert not named(paint(noisy.clean(6, 10, [tick]), 10).findings, "interrupts").found


@pytest.mark.parametrize("speed, phrases", [
    (lambda t: np.where(t < 4, 1, 0.88), ("step", "fell")),
    (lambda t: 1 - 0.01 * t, ("ramp", "fell")),
    (lambda t: np.where(t < 2, 0.9, 1), ("step", "rose")),
    (lambda t: np.where(t < 5, 1, 0.96), ("step", "-4"))])
def test_throttling_is_a_step_or_a_ramp(speed, phrases):
    for seed in range(5):
        found = named(paint(noisy.clean(seed, 10, speed=speed), 10).findings, "throttling")
        assert found.found and all(word in found.reason for word in phrases), found


def test_two_speeds_and_their_dwell():
    duty = lambda t: np.where(t % 0.02 < 0.005, 0.7, 1)  # noqa: E731
    for seed in range(5):
        found = named(paint(noisy.clean(seed, 5, speed=duty), 5).findings, "two speeds")
        assert found.found and "25 % of the bins are 30 % slower, for 5 ms" in found.reason


@pytest.mark.parametrize("apart, expected", [(0.02, False), (0.08, True)])
def test_two_speeds_need_to_be_apart(apart, expected):
    duty = lambda t: np.where(t % 0.02 < 0.005, 1 - apart, 1)  # noqa: E731
    found = named(paint(noisy.clean(1, 5, speed=duty), 5).findings, "two speeds")
    assert found.found == expected


def test_taking_turns_of_two_three_and_four():
    nodes = np.zeros(4, int)
    for workers in (2, 3, 4):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            masks = {w: portrait.empty_bits([noisy.bins(e, 5)[0]])
                     for w, e in enumerate(noisy.turns(rng, 5, workers))}
            same = signatures_team.taking_turns(masks, nodes[:workers], nodes[:workers], WIDTH)
            assert same.found and same.workers == tuple(range(workers))
            assert "on CPU 0" in same.reason and same.value < 0.1
            apart = signatures_team.taking_turns(masks, nodes[:workers], np.arange(workers), WIDTH)
            assert "unpinned" in apart.reason
            locked = signatures_team.taking_turns(masks, nodes[:workers], np.arange(workers),
                                                  WIDTH, "gil")
            assert "gil" in locked.reason


@pytest.mark.parametrize("seconds", [0.05, 5])
def test_workers_away_at_unrelated_times_take_no_turns(seconds):
    """Not in 5 s, and not in 50 ms, where a few slices miss each other by chance."""
    nodes = np.zeros(4, int)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        masks = {}
        for w in range(4):
            gaps, stays = rng.exponential(0.004, 1500), rng.exponential(0.004, 1500)
            starts = np.cumsum(gaps + stays)
            keep = starts < 0.98 * seconds
            masks[w] = portrait.empty_bits([noisy.bins(
                np.stack([starts[keep], 1e9 * stays[keep]], 1), seconds)[0]])
        found = signatures_team.taking_turns(masks, nodes, nodes, WIDTH)
        assert not found.found, (seed, found)


def test_late_start_is_per_node():
    nodes = np.array([0, 0, 1, 1])
    starts = np.array([[100, 100, 9e9, 9e9], [200, 200 + 80_000, 9e9, 9e9 + 3]])
    found = signatures_team.late_start(starts, nodes, WIDTH)
    assert found.found and found.workers == (1,) and found.value == 80_000
    assert not signatures_team.late_start(starts[:1], nodes, WIDTH).found
    assert not signatures_team.late_start(starts, np.arange(4), WIDTH).tested


def test_shared_core_needs_a_unit_that_notices():
    rates, nodes = np.array([0.6, 0.6, 1.0, 1.0]), np.zeros(4, int)
    cores, cpus = np.array([0, 0, 1, 2]), np.arange(4)
    found = signatures_team.shared_core(rates, nodes, cores, cpus, "alu")
    assert found.found and found.workers == (0, 1) and found.value == pytest.approx(0.6)
    even = signatures_team.shared_core(np.ones(4), nodes, cores, cpus, "clock")
    assert not even.found and "--unit alu" in even.smallest
    assert not signatures_team.shared_core(rates, nodes, cpus, cpus, "alu").found


def test_stops_of_all_cores():
    rng = np.random.default_rng(7)
    smi = np.stack([rng.uniform(0, 9, 30), np.full(30, 2e5)], 1)
    hits = [portrait.hits([noisy.clean(s, 10, [smi])[1]]) for s in range(3)]
    found = signatures_team.together(sum(h.astype(int) for h in hits), 3,
                                     [h.mean() for h in hits])
    assert found.found and found.value >= 25
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        own = [portrait.hits([noisy.bins(
            np.stack([rng.uniform(0, 9, 2000), np.full(2000, 4e4)], 1), 10)[1]]) for _ in range(2)]
        found = signatures_team.together(sum(h.astype(int) for h in own), 2,
                                         [h.mean() for h in own])
        assert not found.found, (seed, found)


def test_long_absences_that_overlap_are_no_stops():
    """Two workers, each away half of the time: often together, but not from the same instant."""
    for seed in range(SEEDS):
        rng, hits = np.random.default_rng(seed), []
        for _ in range(2):
            starts = np.cumsum(rng.exponential(0.02, 400))
            away = np.stack([starts, 1e9 * rng.exponential(0.02, 400)], 1)[starts < 4.8]
            hits.append(portrait.hits([noisy.bins(away, 5)[1]]).astype(int))
        found = signatures_team.together(sum(hits), 2, [h.mean() for h in hits])
        assert found.value <= 3 and not found.found, (seed, found)


def test_worst_of_several_workers():
    quiet = signatures.off_cpu(0, np.array([]), 10, 0)
    loud = signatures.off_cpu(1, np.full(30, 2e7), 10, 0)
    louder = signatures.off_cpu(2, np.full(60, 2e7), 10, 0)
    found = finding.worst([quiet, loud, louder])
    assert found.found and found.workers == (1, 2) and found.value == pytest.approx(0.12)
    none = signatures_rate.throttling(0, np.arange(3.0), np.ones(3))
    assert not finding.worst([none, none]).tested


# ------------------------------------------------------------------------------ the script

@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Two workers, 10 s: a tick of 250 Hz in both, a daemon in worker 1."""
    folder = tmp_path_factory.mktemp("noise")
    tick = noisy.every(1 / 250, 2000, 10, 0.01217)
    return noisy.trace(folder / "planted.h5", [
        [noisy.clean(1, 10, [tick])], [noisy.clean(2, 10, [tick, noisy.every(0.5, 3e6, 10)])]],
        cpus=[0, 1], cores=[0, 1])


def test_the_whole_way(planted):
    found = numbers(planted, "--grain", "1ms", "--procs", "1,64")
    causes = {f["name"]: f for f in found["findings"]}
    assert {n for n, f in causes.items() if f["found"]} == {"timer tick", "periodic", "off the CPU"}
    assert causes["timer tick"]["workers"] == [0, 1] and causes["periodic"]["workers"] == [1]
    quiet, loud = found["portraits"]
    assert quiet["lost_share"] == pytest.approx(0.0007, rel=0.1)
    assert loud["lost_share"] - quiet["lost_share"] == pytest.approx(0.006, rel=0.1)
    [grain] = found["predictions"]
    one, many = grain["slowdowns"]
    mean = (quiet["lost_share"] + loud["lost_share"]) / 2
    assert one["slowdown"] == pytest.approx(one_rank(mean), abs=2e-4)
    assert one["interval"][0] < one["slowdown"] < one["interval"][1] < many["slowdown"] < 4
    assert grain["largest_ranks"] == grain["steps"] // 10 == 1992


def test_the_text_says_it_all(planted):
    done = run(planted, "--grain", "1ms", "--procs", "64,100000")
    assert done.returncode == 0 and done.stderr == ""
    for phrase in ("tick of 250 Hz", "every 500 ms", "no evidence of:", "Smallest effect that",
                  "P stops at a tenth", "once per 6.67 s", "10 s per worker is a quick look",
                  "shortest detour that can be seen: 100 ns", "shows 4 Hz to 10000 Hz"):
        assert phrase in " ".join(done.stdout.split()), phrase
    assert "100000" not in done.stdout.split("predicted")[1]  # beyond the trace's reach
    assert max(map(len, done.stdout.split("spectrum of")[1].splitlines())) <= 100


def test_a_clean_trace_raises_nothing(tmp_path):
    workers = [[noisy.clean(10 * w + r, 5) for r in range(2)] for w in range(3)]
    found = numbers(noisy.trace(tmp_path / "a.h5", workers, cpus=[0, 1, 2], cores=[0, 1, 2]))
    assert [f["name"] for f in found["findings"] if f["found"]] == []
    assert all(g["steady"] for g in found["predictions"])


def test_a_late_worker_is_late_and_not_noisy(tmp_path):
    counts, lost, listed = noisy.clean(1, 5)
    counts[:200], lost[:200] = 0, 0
    keep = listed.start >= 200 * WIDTH
    late = (counts, lost, detours.Listed(listed.start[keep], listed.length[keep]))
    path = noisy.trace(tmp_path / "a.h5", [[noisy.clean(0, 5)], [late]],
                       late_ns=[[0, int(200 * WIDTH)]])
    found = numbers(path)
    causes = {f["name"]: f for f in found["findings"] if f["found"]}
    assert set(causes) == {"late start"} and causes["late start"]["value"] == 200 * WIDTH
    assert found["portraits"][1]["late_bins"] == 200
    assert found["portraits"][1]["lost_share"] < 0.001


def test_noise_that_changes_is_called_unsteady(tmp_path):
    half = noisy.every(0.02, 1e6, 10)
    half = half[half[:, 0] > 5]
    found = numbers(noisy.trace(tmp_path / "a.h5", [[noisy.clean(0, 10, [half])]]))
    assert not any(g["steady"] for g in found["predictions"][:2])
    assert "not stationary" in run(tmp_path / "a.h5").stdout


def test_memory_is_bounded_and_order_of_reading_does_not_matter(tmp_path, monkeypatch):
    """Worker by worker, in slabs, or all at once: the same numbers."""
    workers = [[noisy.clean(5 * w + r, 2, [noisy.every(0.03, 4e5, 2)]) for r in range(2)]
               for w in range(5)]
    path = noisy.tie(noisy.trace(tmp_path / "a.h5", workers, nodes=[0, 0, 0, 1, 1]))
    trace, wishes = traces.read(path), survey.Wishes((1e6,))
    whole = survey.survey(trace, wishes)
    monkeypatch.setattr(survey, "BUDGET", 2 * 40_000 * 8)
    seen = []
    part = traces.Trace.part
    monkeypatch.setattr(traces.Trace, "part", lambda *a: seen.append(part(*a)) or seen[-1])
    slabs = survey.survey(trace, wishes)
    assert max(block.size * block.itemsize for block in seen) <= 2 * 40_000 * 8
    assert [p.lost for p in slabs.portraits] == [p.lost for p in whole.portraits]
    assert slabs.grains[0].predictions == whole.grains[0].predictions
    assert slabs.grains[0].replay.slowdown == pytest.approx(whole.grains[0].replay.slowdown,
                                                            rel=0.03)
    assert [f.value for f in slabs.findings] == pytest.approx(
        [f.value for f in whole.findings], nan_ok=True)


def test_a_full_list_and_a_missing_one(tmp_path):
    worker = [[noisy.clean(0, 5)]]
    full = numbers(noisy.trace(tmp_path / "full.h5", worker, capacity=100))
    assert full["portraits"][0]["detours"]["dropped"] > 2000
    assert full["portraits"][0]["detours"]["per_second_by_decade"][1] == pytest.approx(430, rel=0.3)
    assert any("was full" in note for note in full["notes"])
    none = numbers(noisy.trace(tmp_path / "none.h5", worker, hide=["detours", "lost_ns"]))
    assert any("no /lost_ns" in note for note in none["notes"])
    assert none["portraits"][0]["detours"]["listed"] == 0


# ------------------------------------------------------------------------------ exports

def test_ftq_round_trip(tmp_path):
    workers = [[noisy.clean(10 * w + r, 1) for r in range(2)] for w in range(2)]
    path = noisy.trace(tmp_path / "a.h5", workers)
    assert run(path, "--export-ftq", tmp_path / "out").returncode == 0
    for w in range(2):
        for r in range(2):
            file = tmp_path / "out" / f"a-w{w:04d}-r{r:03d}.ftq"
            table = np.loadtxt(file)
            assert np.array_equal(table[:, 1], workers[w][r][0])
            assert np.array_equal(table[:, 0], np.arange(20_000) * 50_000)
            assert file.read_text().startswith("# ") and "20000.000000 Hz" in file.read_text()


def loggopsim_reads(text):
    """As its Noise.hpp does: one pair for every line that is no comment, even an empty last one."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    return np.array([[float(x) for x in line.split("\t")] for line in lines])


def test_detours_round_trip(tmp_path):
    """Repetitions end to end; the last line gives the length of the trace; no newline after it."""
    workers = [[noisy.clean(10 * w + r, 1) for r in range(2)] for w in range(2)]
    path = noisy.trace(tmp_path / "a.h5", workers, late_ns=[[0, 0], [0, 70]])
    assert run(path, "--export-detours", tmp_path).returncode == 0
    for w in range(2):
        table = loggopsim_reads((tmp_path / f"a-w{w:04d}.detours").read_text())
        first, second = (workers[w][r][2] for r in range(2))
        assert np.array_equal(table[:-1, 0], np.r_[first.start, second.start + 1e9])
        assert np.array_equal(table[:-1, 1], np.r_[first.length, second.length])
        assert table[-1].tolist() == [2e9, 0]
        assert np.all(np.diff(table[:, 0]) >= 0)


def test_a_cut_list_is_exported_for_its_own_time(tmp_path):
    workers = [[noisy.clean(r, 1) for r in range(2)]]
    path = noisy.trace(tmp_path / "a.h5", workers, capacity=50)
    assert run(path, "--export-detours", tmp_path).returncode == 0
    table = loggopsim_reads((tmp_path / "a-w0000.detours").read_text())
    ends = [int(w[2].start[49] + w[2].length[49]) for w in workers[0]]
    assert len(table) == 101 and table[-1, 0] == sum(ends)
    assert table[50, 0] == workers[0][1][2].start[0] + ends[0]


# ------------------------------------------------------------------------------ plot, bad input

def test_plots(planted, tmp_path):
    pytest.importorskip("matplotlib")
    assert run(planted, "--plot", tmp_path / "a.png").returncode == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert run(planted, "--plot", tmp_path / "a.svg").returncode == 0
    text = "".join(xml.parse(tmp_path / "a.svg").getroot().itertext())
    assert text.count("worker 1") == 2  # a row of the map, a line of the legend
    for phrase in ("250 Hz", "planted.h5"):
        assert phrase in text


def test_the_lane_shows_where_time_went():
    lane = paint(noisy.clean(0, 5, [[(2.0, 1e8)]]), 5).lane
    assert len(lane) == 100 and lane.argmax() == 40
    assert lane[[40, 41]].sum() == pytest.approx(2, rel=0.01) and lane[:40].max() < 0.01


@pytest.mark.parametrize("arguments, status, phrase", [
    (["nothing.h5"], 1, "no such file"),
    (["--grain", "5", "x"], 2, "no time with a unit"),
    (["--grain", "0us", "x"], 2, "longer than 0"),
    (["--procs", "64,x", "x"], 2, "no list of ranks"),
    (["--plot", "a.pdf", "x"], 2, "must end in"),
    ([], 2, "required")])
def test_bad_input_is_one_line(arguments, status, phrase):
    done = run(*arguments)
    assert done.returncode == status and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert phrase in line and line.startswith("noise.py: ")


def test_traces_that_hold_no_noise(tmp_path, planted):
    import synthetic
    dot = synthetic.write(tmp_path / "dot.h5", synthetic.Run())
    done = run(dot)
    assert done.returncode == 1 and "kernel dot" in done.stderr
    wait = noisy.trace(tmp_path / "wait.h5", [[noisy.clean(0, 1)]], wait_ns=100_000)
    done = run(wait)
    assert done.returncode == 1 and "on purpose (--wait)" in done.stderr
    (tmp_path / "text.h5").write_text("no HDF5")
    done = run(tmp_path / "text.h5", planted)  # the good one is still told about
    assert done.returncode == 0 and "planted.h5" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert run(planted, "--json", tmp_path / "no" / "a.json").returncode == 1
    assert run(planted, wait, "--plot", tmp_path / "a.png").returncode == 2


def test_a_worker_that_never_ran(tmp_path):
    nothing = (np.zeros(20_000, np.uint32), np.zeros(20_000, np.uint32),
               detours.Listed(np.array([]), np.array([])))
    path = noisy.trace(tmp_path / "a.h5", [[noisy.clean(0, 1)], [nothing]])
    done = run(path)
    assert done.returncode == 0, done.stderr
    found = numbers(path)
    assert found["portraits"][1]["rate"] is None and found["portraits"][1]["lost_share"] == 1


def test_help_teaches():
    done = run("--help")
    assert done.returncode == 0
    for phrase in ("--bins 1200000", "examples:", "how to read it:", "exit status:"):
        assert phrase in done.stdout


def test_the_middle_reads_no_files():
    for name in PURE:
        tree = ast.parse((NOISE.parent / f"{name}.py").read_text())
        imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import)
                    for a in node.names}
        imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"h5py", "traces", "os", "pathlib", "sys", "matplotlib"}, name


def test_spans():
    assert [words.span(x) for x in (12, 999.6, 2.5e6, 6e10, math.nan)] == [
        "12 ns", "1 us", "2.5 ms", "60 s", "–"]
    assert noise_text.listed([9, 0, 3, 4, 5]) == "0, 3-5, 9"


@pytest.mark.parametrize("seed", range(20))
def test_uneven_loss_names_the_worker_and_accuses_nobody_else(seed):
    """A steal of 2 % of one worker is named with that worker; equal loss, however large, is not."""
    rng = np.random.default_rng(seed)
    lanes = rng.gamma(0.5, 0.02, (4, 200))  # 1 % lost on average, in bursts
    nodes = np.zeros(4, dtype=int)
    assert not signatures_team.uneven_loss(lanes, nodes).found
    victim = seed % 4
    lanes[victim] += 0.02
    found = signatures_team.uneven_loss(lanes, nodes)
    assert found.found
    assert found.workers == (victim,)
    share = float(re.match(r"the worst worker loses ([\d.]+)%", found.reason)[1])
    assert share == pytest.approx(100 * lanes[victim].mean(), abs=0.01)
    assert not signatures_team.uneven_loss(lanes, np.arange(4)).tested
