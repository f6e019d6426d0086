"""Why a node is slow, in words: from which kernels are slow, what its time looks like, and what the
system said of it. The catalogue of facts/method.md 4.2. Pure functions; what is not known is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import clock_fault
import words
from clock_fault import Fault
from finding import Finding

SAME = 0.02  # kernels slower by the same share, within this
SAME_PART = 0.3  # or within this part of it
CLOCK_READ = -0.6  # a clock read that is a system call costs 10 to 50 times as much
UNEVEN = -0.05  # the slowest worker below the middle one: not the whole node
CHANNELS = (4, 6, 8, 12)
STEAL, TIMES = 0.005, 3.0  # a share; a count over that of the peers
KERNELS = {"binning": "clock reads (the core alone)", "matmul": "matmul (the core's arithmetic)",
           "dot": "dot (memory, if it is larger than the caches)"}


@dataclass(frozen=True)
class Effect:
    """One measure of one node against its peers; shares, -0.05 is 5 % below them.

    second : the effect in the second run, nan: there was none; confirmed, gone: what that run
             decided, see peers.confirm; flagged, alike: see peers.Standing
    """

    kernel: str
    name: str
    title: str
    effect: float
    low: float
    high: float
    p: float
    launches: int
    threshold: float
    flagged: bool
    alike: bool
    second: float
    confirmed: bool
    gone: bool = False

    @property
    def judged(self) -> bool:
        return not math.isnan(self.p)

    @property
    def slow(self) -> bool:
        """Flagged; or as far below, its sign beyond doubt: a witness beside a flagged one."""
        return self.flagged or (self.effect < -self.threshold and self.high < 0)


@dataclass(frozen=True)
class Reason:
    """why: one sentence; known: what supports it; unknown: what these traces cannot tell."""

    why: str
    known: tuple[str, ...]
    unknown: tuple[str, ...]


def reason(effects: Sequence[Effect], uneven: tuple[int, float], facts: Mapping[str, object],
           peers_facts: Sequence[Mapping[str, object]], found: Sequence[Finding] | None) -> Reason:
    """uneven: the slowest worker, and how far it is below the middle one of its node.

    found: causes that the node shows and its control does not; None: no trace with bins.
    """
    why, unknown = pattern(effects)
    known = [uneven_words(*uneven)] if uneven[1] < UNEVEN else []
    known += [f"{f.name}: {f.reason}" for f in found or ()]
    known += spared(effects) + differing(facts, peers_facts)
    if found is None:
        unknown.append("what its time looks like: there is no trace of it with bins (binning)")
    elif not found:
        unknown.append("nothing in the time structure of its bins sets it apart from a peer")
    if "governor" not in facts or facts["governor"] == "not visible":
        unknown.append("its CPU frequency: the system does not show it")
    return Reason(why, tuple(known), tuple(unknown))


# ------------------------------------------------------------------------- which kernels are slow

def pattern(effects: Sequence[Effect]) -> tuple[str, list[str]]:
    """What the effects on the kernels have in common; and what is missing to say more."""
    lost = [e for e in effects if e.name == "lost" and e.slow]
    rates = worst_works(effects)
    slow = {kernel: e for kernel, e in rates.items() if e.slow}
    missing = [KERNELS[k] for k in KERNELS if k not in rates]
    unknown = [f"not measured: {', '.join(missing)}"] if missing else []
    noisy = [kernel for kernel, e in rates.items() if slow and kernel not in slow
             and not e.low > max(x.effect for x in slow.values())]
    if noisy:
        unknown.append(f"whether {' and '.join(noisy)} is slow too: the intervals are too wide")
        rates = {kernel: e for kernel, e in rates.items() if kernel not in noisy}
    if lost and "binning" not in slow:
        return (f"time is taken from it: {-100 * lost[0].effect:.1f} % more of its worst worker's "
                "time is lost than its peers'; when it runs, it is as fast as they are", unknown)
    if len(rates) == 1 and slow:
        return f"slow in {one_of(slow)}, the only kernel that tells: the cause stays open", unknown
    if len(slow) > 1 and len(slow) == len(rates):
        return all_slow(slow), unknown
    if set(slow) == {"dot"}:
        return memory(slow["dot"], [k for k in rates if k not in slow]), unknown
    if set(slow) == {"matmul"}:
        return ("slow in arithmetic only: a power cap or heat (matmul draws most), or another BLAS "
                "kernel than its peers run", unknown)
    if set(slow) == {"binning"}:
        return clock_read(slow["binning"]), unknown
    normal = ", ".join(k for k in rates if k not in slow) or "none"
    return f"slow in {', '.join(slow)}, not in {normal}: no pattern of the catalogue", unknown


def worst_works(effects: Sequence[Effect]) -> dict[str, Effect]:
    """kernel -> the pace that says most: of several works of it the slowest, a slow one first."""
    paces = [e for e in effects if e.name == "rate" and not math.isnan(e.effect)]
    return {kernel: min((e for e in paces if e.kernel == kernel),
                        key=lambda e: (not e.slow, e.effect))
            for kernel in dict.fromkeys(e.kernel for e in paces)}


def spared(effects: Sequence[Effect]) -> list[str]:
    """Works that are not slow although another one of their kernel is."""
    worst = worst_works(effects)
    return [f"not slow: {e.title} {words.signed(e.effect)}" for e in effects if e.name == "rate"
            and not e.slow and (other := worst.get(e.kernel)) and other.slow
            and e.low > other.effect]


def one_of(slow: Mapping[str, Effect]) -> str:
    return KERNELS.get(next(iter(slow)), next(iter(slow)))


def all_slow(slow: Mapping[str, Effect]) -> str:
    shares = [e.effect for e in slow.values()]
    told = ", ".join(f"{k} {100 * e.effect:+.1f} %" for k, e in slow.items())
    if max(shares) - min(shares) <= max(SAME, SAME_PART * abs(sum(shares) / len(shares))):
        return (f"a slower clock or chip: all kernels are slower by about the same share ({told}); "
                "governor, turbo, power limit, or a slower part")
    return (f"all kernels are slower, by unlike shares ({told}): more than a slower clock; heat, "
            "power, or something that shares its cores or memory")


def memory(dot: Effect, normal: Sequence[str]) -> str:
    text = (f"memory: dot is {-100 * dot.effect:.1f} % slower, {' and '.join(normal)} not; a "
            "missing or slow memory channel, memory on the wrong NUMA node, or a neighbour that "
            "uses the same memory")
    fits = [k for k in CHANNELS if dot.low <= -1 / k <= dot.high]
    return text + "".join(f"; one of {k} channels missing would be {-100 / k:.1f} %" for k in fits)


def clock_read(binning: Effect) -> str:
    if binning.effect < CLOCK_READ:
        return ("reading the clock is slow, work is not: another clock source (hpet, acpi_pm), or "
                "a hypervisor that traps the read")
    return "slow in clock reads only: the clock's source, or a mitigation that slows its read"


def uneven_words(worker: int, below: float) -> str:
    return (f"not the whole node: worker {worker} is {-100 * below:.1f} % below the middle one of "
            "its node; a slow or shared core")


# ----------------------------------------------------------------------------- what the system said

def differing(facts: Mapping[str, object], peers: Sequence[Mapping[str, object]]) -> list[str]:
    """Facts in which the node differs from most of its peers."""
    found = []
    for name, value in facts.items():
        others = [p[name] for p in peers if name in p]
        if not others:
            continue
        if isinstance(value, float):
            numbers = sorted(other for other in others if isinstance(other, float))
            middle = numbers[len(numbers) // 2] if numbers else value
            if value > max(TIMES * middle, middle + STEAL if name == "steal" else middle + 1):
                found.append(f"{name}: {said(name, value)}, its peers {said(name, middle)}")
        else:
            usual = max(set(others), key=others.count)
            if value != usual and others.count(usual) > len(others) / 2:
                found.append(f"{name} {value}, its peers {usual}")
    return found


def said(name: str, value: float) -> str:
    if name == "steal":
        return f"{100 * value:.2g} % of its CPU time went to the hypervisor"
    return f"{words.number(value, 2)} times" + ("" if name == "throttled" else " per worker and s")


# -------------------------------------------------------------------------- what is no slowness

GATES = (("binding", ("one CPU", "one core", "than CPUs", "changed its CPU")),
         ("quota", ("control group",)), ("clock", ("clock",)), ("BLAS threads", ("BLAS",)))


def gate(reasons: Sequence[str], wrong: int, number: int) -> str:
    """Why a node's launches are INVALID, its kind first. wrong of number launches are."""
    kinds = [kind for kind, marks in GATES if any(m in text for text in reasons for m in marks)]
    return (f"{' and '.join(kinds) or 'set-up'}: its runs are INVALID ({wrong} of {number}), its "
            f"peers' are not: {'; '.join(reasons)}")


def all_the_same(title: str, effect: float, low: float, high: float) -> str:
    """What INVALID launches come to, if they are counted."""
    spread = "" if math.isnan(low) else f" [{100 * low:+.2f}, {100 * high:+.2f}]"
    return f"counted all the same, {title} is {words.signed(effect)}{spread} against its peers"


NO_RATE = ("what it does by itself (rate, time lost) is not affected: no reason to leave it out, "
           "unless times of its are compared with other nodes'")


def clock(seen: Sequence[tuple[Fault, ...]]) -> str:
    """What is wrong with a node's clock, or "". seen: of each launch in which it was compared.

    A drift is there in most of them; a jump cannot be chance, and once is enough.
    """
    drifts = [f for faults in seen for f in faults if f.kind == clock_fault.DRIFT]
    jumps = [f for faults in seen for f in faults if f.kind == clock_fault.JUMP]
    told = []
    if len(drifts) > len(seen) / 2:
        size = sorted(f.size for f in drifts)[len(drifts) // 2]
        told.append(f"it drifts by {1e6 * size:+.0f} ppm against the middle of all nodes, quartz "
                    f"by less than {1e6 * clock_fault.QUARTZ:g} ppm ({len(drifts)} of {len(seen)} "
                    "runs): calibrated wrongly, or steered")
    if jumps:
        worst = max(jumps, key=lambda f: abs(f.size) - f.sure)
        told.append(f"it jumped by {words.span(abs(worst.size))} or more, where messages and "
                    f"quartz explain {words.span(worst.sure)} ({len(jumps)} of {len(seen)} runs)")
    return f"clock: {'; '.join(told)}" if told else ""
