"""What the noise of these workers would cost a bulk-synchronous program. Pure functions.

The program: P ranks compute for g undisturbed seconds, then wait for each other, again and again.
Each step lasts as long as its unluckiest rank. S(P, g) = mean time of a step / (g + barrier).

Work clock of a worker: A(t) = t - time lost before t, linear inside a bin. Work g that starts at
t ends at A^-1(A(t) + g), detours that stretch the detoured work included.
(facts/method.md 5, facts/binning.md 5; Petrini, Kerbyson, Pakin, SC03; Tsafrir et al., ICS05.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FINENESS = 0.005  # relative width of a class of stretches
CLASSES = 3400  # up to a stretch of exp(17) = 2e7
BLOCK_S = 0.1  # bootstrap: noise has memory, so whole blocks are drawn
BLOCK_STEPS = 10  # a block holds at least so many steps
REACH = 10  # P <= steps seen / 10 (facts/method.md A9)
GOLDEN = (math.sqrt(5) - 1) / 2
FEWEST_WORKERS = 3  # from here on workers are drawn too


@dataclass(frozen=True)
class Sample:
    """Stretches (duration / g) of steps of work g. V classes of stretch.

    steps : (block, class) how many; total: (class,) sum of stretches over all blocks
    """

    steps: np.ndarray
    total: np.ndarray

    @property
    def number(self) -> int:
        return int(self.steps.sum())

    def flat(self) -> Sample:
        """All blocks as one."""
        return Sample(self.steps.sum(axis=0, keepdims=True), self.total)

    def halves(self) -> tuple[Sample, Sample]:
        """First and second half of the time. Their totals are taken from the class means."""
        half = len(self.steps) // 2
        mean = self.total / np.maximum(self.steps.sum(axis=0), 1)
        first, second = (Sample(part, part.sum(axis=0) * mean)
                         for part in (self.steps[:half], self.steps[half:]))
        return first, second


@dataclass(frozen=True)
class Prediction:
    """S for P ranks.

    slowdown : steps sampled uniformly in work: exact for P = 1, a lower bound above
    low, high: 95 % of block bootstrap of it; nan: too few blocks
    most     : steps sampled uniformly in time: an upper bound, reached for P without end
    """

    ranks: int
    slowdown: float
    low: float
    high: float
    most: float


def work_clock(lost: np.ndarray, width_ns: float) -> np.ndarray:
    """A at the edges of the bins. lost (bin,) ns -> (bin + 1,) ns, never falling."""
    return np.concatenate([[0.0], np.cumsum(np.clip(width_ns - lost, 0, width_ns))])


def when(clock: np.ndarray, work: np.ndarray, width_ns: float) -> np.ndarray:
    """A^-1: the earliest time at which `work` is done. Shapes as `work`; ns.

    A piece that ends where a detour begins ends before it; the detour belongs to the next piece.
    """
    at = np.clip(np.searchsorted(clock, work, side="left"), 1, len(clock) - 1)
    below, above = clock[at - 1], clock[at]
    inside = np.divide(work - below, above - below, out=np.zeros_like(below), where=above > below)
    return (at - 1 + np.clip(inside, 0, 1)) * width_ns


def steps_in_work(
    clock: np.ndarray, width_ns: float, grain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps of `grain` ns of work, back to back: (start ns, duration ns), each (step,)."""
    number = int(clock[-1] / grain + 1e-9)
    ends = when(clock, np.arange(number + 1) * grain, width_ns)
    return ends[:-1], np.diff(ends)


def steps_in_time(
    clock: np.ndarray, width_ns: float, grain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps that start anywhere, inside detours too: (start, duration) ns, each (step,).

    One in every `grain` ns of time, at a place inside it that follows the golden ratio: starts on
    a strict grid would always meet a periodic detour at the same phase.
    """
    number = np.arange(int((len(clock) - 1) * width_ns / grain))
    starts = (number + number * GOLDEN % 1) * grain
    done = np.interp(starts / width_ns, np.arange(len(clock)), clock)
    starts = starts[done + grain <= clock[-1]]
    return starts, when(clock, done[:len(starts)] + grain, width_ns) - starts


def sample(starts: np.ndarray, durations: np.ndarray, grain: float, whole_ns: float,
           blocks: int) -> Sample:
    """Classify steps (step,) by stretch and by block of the time whole_ns."""
    stretch = np.maximum(durations / grain, 1.0)
    kind = np.minimum(np.log(stretch) / FINENESS, CLASSES - 1).astype(np.intp)
    block = np.minimum(starts / whole_ns * blocks, blocks - 1).astype(np.intp)
    steps = np.bincount(block * CLASSES + kind, minlength=blocks * CLASSES)
    return Sample(steps.reshape(blocks, CLASSES).astype(np.int32),
                  np.bincount(kind, stretch, CLASSES))


def block_count(whole_ns: float, grain: float, most: int) -> int:
    """Blocks of a repetition: 0.1 s each, or longer so that each holds 10 steps; at most `most`."""
    return int(max(1, min(whole_ns / max(BLOCK_S * 1e9, BLOCK_STEPS * grain), most)))


def pool(samples: Sequence[Sample]) -> Sample:
    """All steps as if of one worker: a rank runs on a random one of them."""
    return Sample(np.concatenate([s.steps for s in samples]),
                  np.sum([s.total for s in samples], axis=0))


def expected_most(steps: np.ndarray, means: np.ndarray, ranks: int) -> np.ndarray:
    """E[max of P] of the empirical distribution. steps (..., class), means (class,) -> (...).

    sum_k x_(k) [(k/K)^P - ((k-1)/K)^P], exact without Monte Carlo; equal values share a class.
    """
    below = np.cumsum(steps, axis=-1, dtype=float)
    below /= np.maximum(below[..., -1:], 1)
    share = np.diff(below**ranks, axis=-1, prepend=0.0)
    return share @ means


def predict(work: Sequence[Sample], time: Sequence[Sample], ranks: Sequence[int],
            overhead: float = 0.0, draws: int = 300, seed: int = 1) -> list[Prediction]:
    """S for each P. work, time: one sample per worker; overhead: barrier / grain.

    Interval: blocks are drawn with replacement, and workers too if there are three or more.
    It covers chance within this trace, not what never happened in it.
    """
    pooled, late = pool(work), pool(time)
    means = pooled.total / np.maximum(pooled.steps.sum(axis=0), 1)
    late_means = late.total / np.maximum(late.steps.sum(axis=0), 1)
    drawn = _draws(work, draws, np.random.default_rng(seed))
    found = []
    for p in ranks:
        middle = expected_most(pooled.steps.sum(axis=0), means, p)
        spread = expected_most(drawn, means, p) if len(drawn) else np.full(2, math.nan)
        low, high = np.quantile(spread, [0.025, 0.975])
        most = expected_most(late.steps.sum(axis=0), late_means, p)
        found.append(Prediction(p, *(float((s + overhead) / (1 + overhead))
                                     for s in (middle, low, high, np.maximum(most, middle)))))
    return found


def _draws(work: Sequence[Sample], draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draw, class) steps of resampled workers and blocks; empty if there are under 10 blocks."""
    if not draws or sum(len(s.steps) for s in work) < 10:
        return np.empty((0, CLASSES))
    each = np.ones((draws, len(work)), int)
    if len(work) >= FEWEST_WORKERS:
        each = rng.multinomial(len(work), np.full(len(work), 1 / len(work)), size=draws)
    total = np.zeros((draws, CLASSES))
    for times, s in zip(each.T, work):
        blocks = len(s.steps)
        weight = rng.multinomial(times * blocks, np.full(blocks, 1 / blocks))
        total += weight @ s.steps.astype(float)
    return total


def reach(steps: int) -> int:
    """The largest P that so many steps can speak about."""
    return max(1, steps // REACH)


def invisible(workers: int, seconds: float) -> str:
    """The sentence on what a trace of this length cannot know. seconds: of each worker.

    None seen in R x S seconds: with 95 % confidence rarer than 3 / (R S) (the rule of three).
    """
    return (f"noise rarer than once per {workers * seconds / 3:.3g} s of core time is invisible: "
            f"{workers} worker{'s' * (workers != 1)} x {seconds:.3g} s were traced")


# ---------------------------------------------------------------------------------- the replay

@dataclass(frozen=True)
class Replay:
    """Workers that really ran side by side, as ranks of one program. slowdown: with interval."""

    ranks: int
    steps: int
    slowdown: float
    low: float
    high: float


def moved(clock: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A work clock on the edges of other bins: A at the places `at`, in bins, from 0 on.

    For a worker whose bins are not those of the common axis. Outside its own bins nothing is done.
    """
    done = np.interp(at, np.arange(len(clock)), clock)
    return done - done[0]


def replay_chains(clocks: Sequence[np.ndarray], width_ns: float, grain: float, chains: int,
                  barrier: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Run the program over the common axis: (steps, ns) of each chain, (chain,).

    clocks: A of each worker, same bins. The axis is cut into `chains` stretches that are walked at
    the same time, each from its own start: t <- max_i A_i^-1(A_i(t) + grain) + barrier. A step
    that runs over the end of its stretch still counts there; over the end of the axis, it does not.
    """
    bins = len(clocks[0]) - 1
    edges = np.linspace(0, bins * width_ns, chains + 1)
    t, steps = edges[:-1].copy(), np.zeros(chains, int)
    live = np.ones(chains, bool)
    while live.any():
        now = t[live]
        at = np.minimum((now / width_ns).astype(int), bins - 1)
        inside, end = now / width_ns - at, now
        fits = np.ones(len(now), bool)
        for clock in clocks:
            goal = clock[at] + inside * (clock[at + 1] - clock[at]) + grain
            fits &= goal <= clock[-1]
            end = np.maximum(end, when(clock, goal, width_ns))
        index = np.flatnonzero(live)
        t[index[fits]] = end[fits] + barrier
        steps[index[fits]] += 1
        live[index] = fits & (t[index] < edges[index + 1])
    return steps, t - edges[:-1]


def replay(steps: np.ndarray, times: np.ndarray, ranks: int, grain: float, barrier: float = 0.0,
           draws: int = 300, seed: int = 1) -> Replay | None:
    """Slowdown from chains (chain,), interval by drawing chains with replacement; None: no step."""
    steps, times = steps[steps > 0], times[steps > 0]
    if not len(steps):
        return None
    ideal = grain + barrier
    low = high = math.nan
    if len(steps) >= 10:
        weight = np.random.default_rng(seed).multinomial(
            len(steps), np.full(len(steps), 1 / len(steps)), size=draws)
        low, high = np.quantile((weight @ times) / (weight @ steps) / ideal, [0.025, 0.975])
    return Replay(ranks, int(steps.sum()), float(times.sum() / steps.sum() / ideal),
                  float(low), float(high))


def chain_count(whole_ns: float, grain: float) -> int:
    """Stretches for a replay: at least 50 undisturbed steps each, at most 256."""
    return int(max(1, min(256, whole_ns / (50 * grain))))
