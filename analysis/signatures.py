"""From the shape of one worker's noise to its cause: the catalogue of facts/method.md 4.2.

Pure functions, one per cause. Each answers even if it finds nothing: what was looked at, the
threshold, the value, and the smallest effect that would have been seen. "Nothing found" is a
statement about the test as much as about the machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

import spectrum as spectra
import words
from finding import Finding, untested

PERIODIC_FALSE = 1e-4  # per worker and decade
HARMONICS = 4
PERIODS = 5  # a cause must come back so often
IN_PHASE = 0.5  # mean resultant length: 1 strictly periodic, 0 not at all
FASTEST = 60.0  # Hz; what is faster belongs to the spectrum
CELL_S = 1e-3
OFF_SHARE = 1e-3
OFF_NS = 1e6
STORM = 500.0  # detours of 1 to 100 us per second
QUOTA_S = 0.1  # period of the CPU bandwidth controller of a cgroup


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
                       OFF_SHARE, f"longest absence {words.span(longest)}", smallest)
    who = "switches were not recorded, so the cause stays open"
    if switches is not None and switches >= 0.5 * len(lengths):
        who = f"{switches} involuntary switches: other tasks of this system had the CPU"
    elif switches is not None:
        who = (f"only {switches} involuntary switches: not this system's scheduler but a "
               "hypervisor (steal), firmware (SMI) or a long interrupt")
    return Finding("off the CPU", True, "share of time in bins without work", share, OFF_SHARE,
                   f"{len(lengths)} absences, longest {words.span(longest)}, median "
                   f"{words.span(np.median(lengths))}; {who}", smallest, (worker,))


def periodic(worker: int, events: Sequence[np.ndarray], lengths: Sequence[np.ndarray],
             seconds: float) -> Finding:
    """Something that wakes up on a fixed period: daemon, monitoring, CPU quota.

    events : start times (s) of detours, one array per repetition; lengths: ns, same shapes
    seconds: length of a repetition

    By decade of length, because a daemon's visits are alike and the background's are not. Z^2 over
    4 harmonics of the event times (Buccheri et al. 1983), its threshold raised where events
    cluster: the median of Z^2 in each octave of frequency measures that.
    """
    name, statistic = "periodic", "Z^2 of detour times over its threshold, or phase over 0.5"
    low = PERIODS / seconds
    if low >= FASTEST / 2:
        return untested(name, statistic, 1.0,
                        f"repetitions of {seconds:.3g} s hold too few periods")
    best, text = 0.0, "no period"
    for decade in range(4, 10):  # 10 us .. 1 s and more
        chosen = [t[(x >= 10.0**decade) & (x < 10.0 ** (decade + 1))]
                  for t, x in zip(events, lengths)]
        value, frequency, phase, mean = _best_period(chosen, seconds, low)
        value = min(value, phase / IN_PHASE)
        if value > best:
            best = value
            size = np.concatenate(lengths)
            size = size[(size >= 10.0**decade) & (size < 10.0 ** (decade + 1))]
            text = (f"{len(size)} detours of {words.span(np.median(size))} come every "
                    f"{words.span(1e9 / frequency)} ({frequency:.3g} Hz): {_who(frequency, size)}")
    smallest = (f"something of 10 us or more that comes back at least {PERIODS} times in "
                f"{seconds:.3g} s and is most of what has its length (within a decade)")
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
    # Multiples of the true frequency do as well as it does, its halves only half as well.
    first = int(np.argmax(z >= 0.75 * z[best]))
    best = first + int(np.argmax(z[first:first + int(low / step)]))
    phase = math.sqrt(power[at[best]] / sum(len(t) ** 2 for t in events))
    return (float((z / threshold)[best]), float(at[best] * step), phase, number / len(events))


def interrupts(worker: int, per_second: float, ticks: Sequence[spectra.Tick]) -> Finding:
    """Many detours of 1 to 100 us: a device that interrupts this core.

    per_second: detours of that length; the tick's share is taken off.
    """
    own = max(per_second - sum(t.frequency for t in ticks if t.found), 0.0)
    name, statistic = "interrupts", "detours of 1 to 100 us per second, ticks taken off"
    if math.isnan(per_second):
        return untested(name, statistic, STORM, "no list of detours in this trace")
    found = own > STORM
    reason = ("hundreds of short detours each second: interrupts of a device (network, storage), "
              "or exits of a virtual machine; see /proc/interrupts" if found else "few")
    return Finding(name, found, statistic, own, STORM, reason,
                   f"{STORM:g} interrupts per second", (worker,) if found else ())
