"""From the shape of the noise to its cause: the catalogue of facts/method.md 4.2.

Pure functions, one per cause. Each answers even if it finds nothing: what was looked at, the
threshold, the value, and the smallest effect that would have been seen. "Nothing found" is a
statement about the test as much as about the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

import spectrum as spectra

TURNS = -0.2  # correlation of empty bins; N workers on one CPU have -1 / (N - 1)
TURNS_SHARE = 0.05  # of the bins empty, in both
LEVEL = 0.02  # a change of rate worth a word
STEP = 4.0  # CUSUM of block medians over sqrt(n) sd: 1.95 is passed once in 1000 by white noise
STEP_BLOCKS = 20
ASHMAN = 5.0  # one level 1.9, two levels > 11 (facts/method.md 4.2)
LEVEL_APART, LEVEL_SHARE = 0.05, 0.05
PERIODIC_FALSE = 1e-4  # per worker
HARMONICS = 4
PERIODS = 5  # a cause must come back so often
IN_PHASE = 0.5  # mean resultant length: 1 strictly periodic, 0 not at all
FASTEST = 60.0  # Hz; what is faster belongs to the spectrum
CELL_S = 1e-3
OFF_SHARE = 1e-3
OFF_NS = 1e6
SIBLING = 0.8
STORM = 500.0  # detours of 1 to 100 us per second; a 1000 Hz tick is subtracted, see interrupts
TOGETHER = 3  # times
TOGETHER_SIGMAS = 5.0
QUOTA_S = 0.1  # period of the CPU bandwidth controller of a cgroup


@dataclass(frozen=True)
class Finding:
    """One cause, tested. workers: those that show it; value and threshold: of the statistic.

    above: it is found when the value is above the threshold (else below); nan: could not be
    tested, `reason` says why. smallest: the smallest effect that would have been seen.
    """

    name: str
    found: bool
    statistic: str
    value: float
    threshold: float
    reason: str
    smallest: str
    workers: tuple[int, ...] = ()
    above: bool = True

    @property
    def tested(self) -> bool:
        return not math.isnan(self.value)


def untested(name: str, statistic: str, threshold: float, why: str) -> Finding:
    return Finding(name, False, statistic, math.nan, threshold, why, "")


def worst(findings: Sequence[Finding]) -> Finding:
    """One finding for all workers: the clearest; its workers are those of all that found it."""
    known = [f for f in findings if f.tested] or list(findings)
    some = [f for f in known if f.found] or known
    top = max(some, key=lambda f: (f.value if f.above else -f.value) if f.tested else 0.0)
    workers = tuple(sorted({w for f in some if f.found for w in f.workers}))
    return Finding(**{**top.__dict__, "workers": workers})


# ------------------------------------------------------------------------------------ the ticks

def tick(worker: int, spectrum: spectra.Spectrum | None) -> tuple[Finding, list[spectra.Tick]]:
    """Timer interrupts at CONFIG_HZ."""
    statistic = "comb (height of harmonics over their surroundings)"
    if spectrum is None:
        return untested("timer tick", statistic, spectra.ALARM,
                        "nothing was lost, or the repetitions are too short for a spectrum"), []
    ticks = spectra.ticks(spectrum)
    judged = [t for t in ticks if not t.why_not]
    if not judged:
        return untested("timer tick", statistic, spectra.ALARM,
                        "; ".join(f"{t.frequency} Hz {t.why_not}" for t in ticks)), ticks
    found = [t for t in judged if t.found]
    least = ", ".join(f"{t.smallest:.0f} ns at {t.frequency} Hz" for t in judged)
    unseen = "".join(f"; {t.frequency} Hz {t.why_not}" for t in ticks if t.why_not)
    names = " and ".join(f"{t.frequency} Hz" for t in found)
    top = max(found or judged, key=lambda t: t.comb if t.found or not found else 0)
    belongs = next((t for t in judged if t.belongs), None) if not found else None
    reason = (f"short losses come back at {names}: the system's timer interrupts the worker"
              if found else "no comb at a timer's frequency" + (
                  f" (its lines belong to {belongs.belongs:.4g} Hz)" if belongs else ""))
    value = top.comb if found or not belongs else max(
        (t.comb for t in judged if not t.belongs), default=0.0)
    return Finding("timer tick", bool(found), statistic, value, spectra.ALARM, reason + unseen,
                   f"a tick of {least}", (worker,) if found else ()), ticks


# ------------------------------------------------------------------------------- rate over time

def throttling(worker: int, times: np.ndarray, medians: np.ndarray) -> Finding:
    """A step or a ramp in the undisturbed rate: heat, a power cap, another clock.

    times (block,) s; medians (block,) units per second, blocks of about 0.1 s. CUSUM: the largest
    |sum of the first k - k/n sum of all| over sd sqrt(n), the sd from differences of neighbours
    (a step does not enter it); and the levels on both sides must differ by 2 %.
    """
    name, statistic = "throttling", "CUSUM of 0.1 s medians"
    n = len(medians)
    if n < STEP_BLOCKS:
        return untested(name, statistic, STEP,
                        f"needs {STEP_BLOCKS} blocks of 0.1 s with work, found {n}")
    level = float(np.median(medians))
    sd = max(1.4826 * float(np.median(np.abs(np.diff(medians)))) / math.sqrt(2), 1e-4 * level)
    sums = np.cumsum(medians - medians.mean())
    at = int(np.argmax(np.abs(sums[:-1]))) + 1
    value = float(np.abs(sums[at - 1])) / (sd * math.sqrt(n))
    before, after = float(np.median(medians[:at])), float(np.median(medians[at:]))
    change = after / before - 1
    least = max(LEVEL, STEP * 4 * sd / level / math.sqrt(n))
    smallest = f"a lasting change of {100 * least:.1f} % in the middle of the run"
    if value <= STEP or abs(change) < LEVEL:
        return Finding(name, False, statistic, value, STEP,
                       f"largest lasting change {100 * change:+.2f} %", smallest)
    shape = "step" if _is_step(medians, at) else "ramp"
    how = ("the rate fell: heat, a power cap or a lower clock" if change < 0 else
           "the rate rose: a clock that ramps up, or a sibling that fell silent")
    return Finding(name, True, statistic, value, STEP,
                   f"{shape} of {100 * change:+.1f} % at {times[at]:.1f} s; {how}", smallest,
                   (worker,))


def _is_step(medians: np.ndarray, at: int) -> bool:
    """Two levels fit better than a line does."""
    x = np.arange(len(medians))
    line = medians - np.polyval(np.polyfit(x, medians, 1), x)
    flat = np.concatenate([medians[:at] - medians[:at].mean(), medians[at:] - medians[at:].mean()])
    return float(flat @ flat) < float(line @ line)


def two_speeds(worker: int, rates: np.ndarray, width_ns: float) -> Finding:
    """Undisturbed bins that come in two sorts: a duty cycle, or a sibling that is busy at times.

    rates (bin,), nan: disturbed. Ashman's D of the best two-part split (Otsu):
    sqrt(2) |m1 - m2| / sqrt(s1^2 + s2^2); above 2 the parts are apart.
    """
    name, statistic = "two speeds", "Ashman D of undisturbed bins"
    good = rates[~np.isnan(rates)]
    if len(good) < 200 or not np.median(good) > 0:
        return untested(name, statistic, ASHMAN, "fewer than 200 undisturbed bins")
    scaled = good / np.median(good)
    parts = _split(scaled)
    smallest = f"{100 * LEVEL_SHARE:.0f} % of the bins at a speed {100 * LEVEL_APART:.0f} % lower"
    if parts is None:
        return Finding(name, False, statistic, 0.0, ASHMAN, "all bins at one speed", smallest)
    low, high = parts
    spread = math.hypot(low.std(), high.std()) or 1e-6
    value = math.sqrt(2) * (high.mean() - low.mean()) / spread
    apart, share = 1 - low.mean() / high.mean(), len(low) / len(scaled)
    found = value > ASHMAN and apart > LEVEL_APART and LEVEL_SHARE < share < 1 - LEVEL_SHARE
    if not found:
        return Finding(name, False, statistic, value, ASHMAN,
                       f"the best split is {100 * apart:.1f} % apart, {100 * share:.1f} % slower",
                       smallest)
    cut = (low.max() + high.min()) / 2
    dwell = _dwell(rates / np.median(good), cut) * width_ns * 1e-6
    return Finding(name, True, statistic, value, ASHMAN,
                   f"{100 * share:.0f} % of the bins are {100 * apart:.0f} % slower, for "
                   f"{dwell:.3g} ms at a time: a power cap's duty cycle, or a sibling thread of "
                   "the core that works at times", smallest, (worker,))


def _split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The split into two parts with the largest variance between them, on 400 classes."""
    low, high = np.quantile(values, [0.001, 0.999])
    if not high > low:
        return None
    kept = values[(values >= low) & (values <= high)]
    counts, edges = np.histogram(kept, 400)
    middle = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * middle)[:-1]
    above, total = len(kept) - below, float(counts @ middle)
    ok = (below > 0) & (above > 0)
    between = np.zeros(len(below))
    between[ok] = (total * below[ok] / len(kept) - sums[ok]) ** 2 / (below[ok] * above[ok])
    cut = edges[1:-1][int(np.argmax(between))]
    parts = kept[kept < cut], kept[kept >= cut]
    return parts if min(map(len, parts)) else None


def _dwell(rates: np.ndarray, cut: float) -> float:
    """Median number of bins in a stay below the cut; disturbed bins are left out."""
    slow = np.concatenate([[False], rates[~np.isnan(rates)] < cut, [False]])
    edges = np.flatnonzero(slow[1:] != slow[:-1])
    return float(np.median(edges[1::2] - edges[::2])) if len(edges) else 0.0


# ---------------------------------------------------------------------------------- absences

def off_cpu(worker: int, lengths: np.ndarray, seconds: float, switches: int | None) -> Finding:
    """Bins without any work: somebody else had the CPU.

    lengths (absence,) ns; seconds: of this worker; switches: involuntary ones, None: not known.
    """
    share = float(lengths.sum()) * 1e-9 / seconds
    longest = float(lengths.max(initial=0))
    found = share > OFF_SHARE or longest > OFF_NS
    smallest = f"one absence of {OFF_NS / 1e6:g} ms, or {100 * OFF_SHARE:g} % of the time"
    if not found:
        return Finding("off the CPU", False, "share of time in bins without work", share,
                       OFF_SHARE, f"longest absence {longest / 1e6:.3g} ms", smallest)
    who = "switches were not recorded, so the cause stays open"
    if switches is not None and switches >= 0.5 * len(lengths):
        who = f"{switches} involuntary switches: other tasks of this system had the CPU"
    elif switches is not None:
        who = (f"only {switches} involuntary switches: not this system's scheduler but a "
               "hypervisor (steal), firmware (SMI) or a long interrupt")
    return Finding("off the CPU", True, "share of time in bins without work", share, OFF_SHARE,
                   f"{len(lengths)} absences, longest {longest / 1e6:.3g} ms, median "
                   f"{np.median(lengths) / 1e6:.3g} ms; {who}", smallest, (worker,))


def periodic(worker: int, events: Sequence[np.ndarray], lengths: Sequence[np.ndarray],
             seconds: float) -> Finding:
    """Something that wakes up on a fixed period: daemon, monitoring, CPU quota.

    events : start times (s) of detours, one array per repetition; lengths: ns, same shapes
    seconds: length of a repetition

    By decade of length, because a daemon's visits are alike and the background's are not. Z^2 over
    4 harmonics of the event times (Buccheri et al. 1983), its threshold raised where events
    cluster: the median of Z^2 in each octave of frequency measures that.
    """
    name, statistic = "periodic", "Z^2 of detour times over its threshold"
    low = PERIODS / seconds
    if low >= FASTEST / 2:
        return untested(name, statistic, 1.0,
                        f"repetitions of {seconds:.3g} s hold too few periods")
    best, text = 0.0, "no period"
    for decade in range(4, 10):  # 10 us .. 1 s and more
        chosen = [t[(x >= 10.0**decade) & (x < 10.0 ** (decade + 1))]
                  for t, x in zip(events, lengths)]
        value, frequency, phase, mean = _best_period(chosen, seconds, low)
        if value > best and phase >= IN_PHASE:
            best = value
            size = np.concatenate(lengths)
            size = size[(size >= 10.0**decade) & (size < 10.0 ** (decade + 1))]
            text = (f"{len(size)} detours of {np.median(size) / 1e3:.3g} us come every "
                    f"{1000 / frequency:.4g} ms ({frequency:.4g} Hz): {_who(frequency, size)}")
    smallest = (f"something of 10 us or more that comes back at least {PERIODS} times in "
                f"{seconds:.3g} s, every {1000 / FASTEST:.0f} ms at most, strictly")
    found = best > 1
    return Finding(name, found, statistic, best, 1.0, text if found else "no period", smallest,
                   (worker,) if found else ())


def _who(frequency: float, lengths: np.ndarray) -> str:
    if abs(frequency * QUOTA_S - 1) < 0.01 and np.median(lengths) > 1e6:
        return "the period of a cgroup's CPU quota; see nr_throttled in cpu.stat"
    return "a daemon, monitoring, or a periodic task of the system"


def _best_period(events: Sequence[np.ndarray], seconds: float,
                 low: float) -> tuple[float, float, float, float]:
    """(Z^2 over its threshold, Hz, mean resultant length, mean events per repetition)."""
    number = sum(map(len, events))
    if number < PERIODS:
        return 0.0, 0.0, 0.0, 0.0
    cells = int(math.ceil(seconds / CELL_S))
    size = 1 << (4 * HARMONICS * cells - 1).bit_length()
    power = np.zeros(size // 2 + 1)
    for times in events:  # repetitions are not contiguous: powers are added, not phases
        train = np.bincount(np.minimum((times / CELL_S).astype(int), cells - 1), minlength=cells)
        power += np.abs(np.fft.rfft(train, size)) ** 2
    step = 1 / (size * CELL_S)
    at = np.arange(int(math.ceil(low / step)), int(FASTEST / step))
    z = 2 / number * sum(power[k * at] for k in range(1, HARMONICS + 1))
    z /= len(events)
    dof = 2 * HARMONICS
    octave = np.log2(at * step / low).astype(int)
    usual = np.array([np.median(z[octave == o]) for o in range(octave.max() + 1)])
    cluster = np.maximum(usual[octave] / special.chdtri(dof, 0.5), 1)
    threshold = special.chdtri(dof, PERIODIC_FALSE / len(at)) * cluster
    best = int(np.argmax(z / threshold))
    phase = math.sqrt(power[at[best]] / sum(len(t) ** 2 for t in events))
    return (float((z / threshold)[best]), float(at[best] * step), phase, number / len(events))


def interrupts(worker: int, per_second: float, ticks: Sequence[spectra.Tick]) -> Finding:
    """Many detours of 1 to 100 us: a device that interrupts this core.

    per_second: detours of that length; the tick's share is taken off.
    """
    own = per_second - sum(t.frequency for t in ticks if t.found)
    name, statistic = "interrupts", "detours of 1 to 100 us per second, ticks taken off"
    if math.isnan(per_second):
        return untested(name, statistic, STORM, "no list of detours in this trace")
    found = own > STORM
    reason = ("hundreds of short detours each second: interrupts of a device (network, storage), "
              "or exits of a virtual machine; see /proc/interrupts" if found else "few")
    return Finding(name, found, statistic, own, STORM, reason,
                   f"{STORM:g} interrupts per second", (worker,) if found else ())


def late_start(starts: np.ndarray, nodes: np.ndarray, width_ns: float) -> Finding:
    """Workers that began after the first one of their node. starts (repetition, worker) ns."""
    name, statistic = "late start", "ns after the node's first worker"
    if starts.shape[1] == len(set(nodes.tolist())):
        return untested(name, statistic, width_ns, "a single worker on its node: late against whom")
    late = lateness(starts, nodes)
    value = float(late.max())
    who = tuple(np.flatnonzero(late.max(axis=0) > width_ns).tolist())
    times = int((late > width_ns).any(axis=1).sum())
    reason = (f"in {times} of {len(late)} repetitions, up to {value / 1e6:.3g} ms: the worker was "
              "not on its CPU at the agreed instant" if who else
              f"all within {value / 1e3:.3g} us")
    return Finding(name, bool(who), statistic, value, width_ns, reason,
                   f"one bin, {width_ns / 1e3:g} us", who)


def lateness(starts: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Start after the first worker of the same node; (repetition, worker) ns -> the same."""
    late = np.zeros(starts.shape)
    for node in set(nodes.tolist()):
        mine = nodes == node
        late[:, mine] = starts[:, mine] - starts[:, mine].min(axis=1, keepdims=True)
    return late


# ---------------------------------------------------------------------------- several workers

def taking_turns(empty: np.ndarray, nodes: np.ndarray, cpus: np.ndarray, width_ns: float,
                 lock: str = "") -> Finding:
    """Workers that never run at the same time: several on one CPU, or under one lock.

    empty (worker, byte): packed bits, 1 for a bin without work, all repetitions in a row; nodes,
    cpus (worker,): where they were. Correlation of two rows: -1 for two workers on one CPU,
    -1 / (N - 1) for N. It must also exceed 5 / sqrt(absences): few slices correlate by chance.
    """
    name, statistic = "taking turns", "correlation of empty bins of two workers of one node"
    share, number = _bits(empty)
    rows = np.flatnonzero(share > TURNS_SHARE)
    pairs = [(i, j) for a, i in enumerate(rows) for j in rows[a + 1:] if nodes[i] == nodes[j]]
    if len(set(nodes.tolist())) == len(nodes):
        return untested(name, statistic, TURNS, "a single worker on its node")
    smallest = (f"two workers that share a CPU for {200 * TURNS_SHARE:.0f} % of the time")
    if not pairs:
        return Finding(name, False, statistic, 0.0, TURNS, "hardly any empty bins in two workers",
                       smallest, above=False)
    value, found = 0.0, []
    runs = {i: _runs(empty[i]) for i in rows}
    for i, j in pairs:
        r = _correlation(empty[i], empty[j], share[i], share[j], number)
        least = 5 / math.sqrt(max(min(runs[i], runs[j]), 1))
        value = min(value, r)
        if r < min(TURNS, -least):
            found.append((i, j))
    who = tuple(sorted({int(w) for pair in found for w in pair}))
    if not who:
        return Finding(name, False, statistic, value, TURNS,
                       "workers are off their CPU at unrelated times", smallest, above=False)
    slices = np.median([_run_length(empty[w], number) for w in who]) * width_ns * 1e-6
    return Finding(name, True, statistic, value, TURNS,
                   f"while one runs another does not, absences of {slices:.3g} ms: "
                   + _whose_turn(found, cpus, lock), smallest, who, above=False)


def _whose_turn(pairs: Sequence[tuple[int, int]], cpus: np.ndarray, lock: str) -> str:
    if lock and lock != "none":
        return f"they run under one lock ({lock}), as asked"
    shared = sorted({int(cpus[i]) for i, j in pairs if cpus[i] == cpus[j] >= 0})
    if shared:
        return "several workers on CPU " + ", ".join(map(str, shared)) + ": bind one to each"
    return ("they share a CPU at times (unpinned), or a quota, or another program moves between "
            "their CPUs")


def _bits(empty: np.ndarray) -> tuple[np.ndarray, int]:
    number = 8 * empty.shape[1]
    return np.array([_ones(row) for row in empty]) / max(number, 1), number


POPULATION = np.array([bin(i).count("1") for i in range(256)], np.uint8)


def _ones(row: np.ndarray) -> int:
    return int(POPULATION[row].sum(dtype=np.int64))


def _correlation(a: np.ndarray, b: np.ndarray, share_a: float, share_b: float,
                 number: int) -> float:
    """Phi of two packed masks."""
    sd = math.sqrt(share_a * (1 - share_a) * share_b * (1 - share_b))
    return (_ones(a & b) / number - share_a * share_b) / sd if sd > 0 else 0.0


def _runs(row: np.ndarray) -> int:
    bits = np.unpackbits(row)
    return int(np.count_nonzero(bits[1:] > bits[:-1])) + int(bits[0])


def _run_length(row: np.ndarray, number: int) -> float:
    """Median length of runs of ones that are longer than one bin."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.unpackbits(row), [0]])))
    runs = edges[1::2] - edges[::2]
    long = runs[runs > 1]
    return float(np.median(long if len(long) else runs))


def shared_core(rates: np.ndarray, nodes: np.ndarray, cores: np.ndarray, cpus: np.ndarray,
                unit: str) -> Finding:
    """Workers on sibling threads of one core, slower than those that have a core alone.

    All (worker,). rates: undisturbed, units per second; cores, cpus: -1 unknown.
    """
    name, statistic = "shared core", "rate of a worker with a sibling over the others' median"
    twin = np.zeros(len(rates), bool)
    for i in range(len(rates)):
        twin[i] = cores[i] >= 0 and any(
            nodes[j] == nodes[i] and cores[j] == cores[i] and cpus[j] != cpus[i]
            for j in range(len(rates)))
    blind = (" A clock read alone hardly notices its sibling: use --unit alu or memory"
             if unit in ("", "clock") else "")
    smallest = f"siblings that slow each other by {100 * (1 - SIBLING):.0f} %.{blind}".rstrip(".")
    if not twin.any():
        return Finding(name, False, statistic, 1.0, SIBLING, "no two workers on one core", smallest,
                       above=False)
    alone = rates[~twin & ~np.isnan(rates)]
    if not len(alone):
        return Finding(name, True, "workers with a sibling", float(twin.sum()), 0.0,
                       "all workers share their core with another one; none is alone to compare",
                       smallest, tuple(np.flatnonzero(twin).tolist()))
    value = float(np.nanmin(rates[twin]) / np.median(alone))
    return Finding(name, value < SIBLING, statistic, value, SIBLING,
                   "two workers on sibling threads of one core halve each other's throughput"
                   if value < SIBLING else "siblings do not slow each other with this unit",
                   smallest, tuple(np.flatnonzero(twin).tolist()) if value < SIBLING else (),
                   above=False)


def together(hit: np.ndarray, workers: int, share: Sequence[float]) -> Finding:
    """The same instant lost on all cores of a node: firmware, or a host that stops the machine.

    hit (bin,): how many of the node's workers lost 20 us or more of the bin; share (worker,): of
    such bins. By chance all are hit in bins x prod(share) bins.
    """
    name, statistic = "all cores at once", "times that all workers of a node lost the same bin"
    if workers < 2:
        return untested(name, statistic, TOGETHER, "a single worker on its node")
    all_hit = np.concatenate([[False], hit >= workers])
    value = int(np.count_nonzero(all_hit[1:] & ~all_hit[:-1]))
    chance = len(hit) * float(np.prod(share))
    least = max(TOGETHER, chance + TOGETHER_SIGMAS * math.sqrt(chance))
    found = value > least
    reason = (f"{value} times all {workers} workers lost 20 us or more of the same bin, by chance "
              f"{chance:.2g}: firmware (SMI), a host that stops the whole machine, or work of the "
              "system on all cores" if found else
              f"{value} times, as chance would have it ({chance:.2g})")
    return Finding(name, found, statistic, value, least, reason,
                   f"{math.floor(least) + 1} stops of 20 us on all cores",
                   tuple(range(workers)) if found else ())
