"""A survey as text for a person. Nothing is computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bsp
import detours
import words
from finding import Finding
from portrait import Portrait
from survey import Grain, Survey
from words import aligned, signed, wrap

ROWS = 24  # workers in the table: the worst and the best ones; all are in --json


def text(survey: Survey) -> str:
    parts = [title(survey), table(survey), spectrum(survey), causes(survey), prediction(survey)]
    return "\n\n".join("\n".join(part) for part in parts if part)


# ---------------------------------------------------------------------------- what was measured

def title(survey: Survey) -> list[str]:
    trace, setting = survey.trace, survey.setting
    count = trace.nworkers
    lines = wrap(f"{trace.path}: binning, layout {trace.text('layout')}, {count} "
                 f"worker{'s' * (count != 1)}, {trace.repetitions} x {words.span(setting.whole)} "
                 f"in bins of {words.span(setting.width)}")
    for note in survey.notes:
        lines += wrap("! " + note)
    return lines


def table(survey: Survey) -> list[str]:
    """One row per worker; of many, those that lost most and least."""
    portraits = sorted(survey.portraits, key=lambda p: -p.lost)
    if len(portraits) > ROWS:
        portraits = portraits[:ROWS // 2] + portraits[-ROWS // 2:]
    portraits = sorted(portraits, key=lambda p: p.worker)
    scale, letter = words.prefix([p.rate for p in survey.portraits])
    decades = [i for i in range(len(detours.DECADE_NAMES))
               if any(p.lengths.per_second[i] > 0 for p in survey.portraits)]
    head = ["worker", f"{letter}/s".strip(), "start", "drift/10s", "lost", "longest", "p99",
            "p99.9", *(detours.DECADE_NAMES[i] for i in decades)]
    rows = [[str(p.worker), words.number(p.rate / scale), signed(p.drift.start),
             slope(p), percent(p.lost), words.span(p.lengths.longest), words.span(p.lengths.p99),
             words.span(p.lengths.p999),
             *(words.number(p.lengths.per_second[i], 3) for i in decades)] for p in portraits]
    lines = aligned([head, *rows])
    if len(portraits) < len(survey.portraits):
        lines.append(f"({len(survey.portraits)} workers; shown: those that lost most and least)")
    unit = words.rate_unit(letter, survey.trace.text("unit") or "unit")
    lines += ["", *wrap(f"{unit}: the median bin with work. start: first tenth against the rest. "
                        "drift: change of the undisturbed rate in 10 s, with its 95 % interval. "
                        "lost: share of the time inside detours. From 100ns on: detours per second "
                        "of that length and more, by decade.")]
    worst = max(survey.portraits, key=lambda p: p.resolution.shortest)
    return lines + wrap("shortest detour that can be seen: "
                        f"{words.span(worst.resolution.shortest)} ({worst.resolution.why})")


def slope(p: Portrait) -> str:
    if not math.isfinite(p.drift.slope):
        return words.UNKNOWN
    return f"{100 * p.drift.slope:+.2f}% [{100 * p.drift.low:+.2f},{100 * p.drift.high:+.2f}]"


def percent(value: float) -> str:
    return f"{100 * value:.3g}%" if math.isfinite(value) else words.UNKNOWN


def spectrum(survey: Survey) -> list[str]:
    """Peaks, worker by worker; workers that say the same share a line."""
    known = [p for p in survey.portraits if p.spectrum]
    s = known[0].spectrum if known else None
    if s is None:
        return wrap("spectrum: none. Nothing was lost, or the repetitions are shorter than "
                    f"{words.span(202 * survey.setting.width)}.")
    low, high = s.range
    lines = wrap(f"spectrum of lost time (clipped at 10 us a bin): {s.segments} segments of "
                 f"{words.span(s.seconds * 1e9)}; shows {low:.3g} Hz to {high:.5g} Hz in steps of "
                 f"{s.step:.2g} Hz")
    said: dict[str, list[int]] = {}
    for p in known:
        said.setdefault(_peaks(p), []).append(p.worker)
    for sentence, workers in list(said.items())[:ROWS]:
        lines += wrap(f"  worker {listed(workers)}: {sentence}", "    ")
    if len(said) > ROWS:
        lines.append(f"  ({len(said) - ROWS} more in --json)")
    return lines


def _peaks(p: Portrait) -> str:
    ticks = [f"tick of {t.frequency} Hz, comb {t.comb:.3g} times its surroundings"
             for t in p.ticks if t.found]
    families: dict[float, list] = {}
    for peak in p.peaks:
        families.setdefault(peak.of, []).append(peak)
    others = [f"{min(x.frequency for x in group):.5g} Hz ({max(x.height for x in group):.3g} times"
              + (f", {len(group)} lines" if len(group) > 1 else "") + ")"
              for group in families.values()]
    return "; ".join((ticks or ["no tick"]) + (["other peaks: " + ", ".join(others)]
                                               if others else ["no other peak"]))


def listed(workers: Sequence[int]) -> str:
    """0, 3-7, 9"""
    parts: list[str] = []
    runs: list[list[int]] = []
    for w in sorted(workers):
        if runs and w == runs[-1][-1] + 1:
            runs[-1].append(w)
        else:
            runs.append([w])
    for run in runs:
        parts.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ", ".join(parts)


# ----------------------------------------------------------------------------------- the causes

def causes(survey: Survey) -> list[str]:
    found = [f for f in survey.findings if f.found]
    quiet = [f for f in survey.findings if not f.found and f.tested]
    open_ = [f for f in survey.findings if not f.tested]
    lines = ["causes found:" if found else "causes found: none"]
    for f in found:
        lines += wrap(f"  {f.name} (worker {listed(f.workers)}): {f.reason}. [{_test(f)}]", "    ")
    if quiet:
        lines.append("no evidence of:")
    for f in quiet:
        lines += wrap(f"  {f.name}: {f.reason}. Smallest effect that would have been seen: "
                      f"{f.smallest}. [{_test(f)}]", "    ")
    if open_:
        lines.append("not tested:")
    for f in open_:
        lines += wrap(f"  {f.name}: {f.reason}", "    ")
    return lines


def _test(f: Finding) -> str:
    sign = ">" if f.above else "<"
    return f"{f.statistic}: {f.value:.3g}, found if {sign} {f.threshold:.3g}"


# -------------------------------------------------------------------------------- the prediction

def prediction(survey: Survey) -> list[str]:
    lines = wrap("predicted slowdown of a program whose P ranks compute for g and then wait for "
                 "each other:")
    shown = [g for g in survey.grains if g.predictions]
    if shown:
        procs = sorted({p.ranks for g in shown for p in g.predictions})
        rows = [["P", *(f"g = {words.span(g.grain)}" for g in shown)]]
        rows += [[str(n), *(_cell(g, n) for g in shown)] for n in procs]
        lines += aligned(rows)
        lines += wrap("S [95 % interval] <= bound: S from steps that start where work starts, "
                      "exact at P = 1 and a lower bound above; the bound, from steps that "
                      "start at any time, is reached at large P. 1 is no noise.")
    for g in survey.grains:
        lines += _remarks(survey, g)
    workers, seconds = len(survey.portraits), survey.seconds
    return lines + wrap(f"P stops at a tenth of the steps seen; {bsp.invisible(workers, seconds)}.")


def _cell(g: Grain, ranks: int) -> str:
    p = next((p for p in g.predictions if p.ranks == ranks), None)
    if p is None:
        return words.UNKNOWN
    return (f"{words.number(p.slowdown)} {words.interval((p.low, p.high))} <= "
            f"{words.number(p.most)}" if math.isfinite(p.low)
            else f"{words.number(p.slowdown)} <= {words.number(p.most)}")


def _remarks(survey: Survey, g: Grain) -> list[str]:
    name, lines = f"  g = {words.span(g.grain)}", []
    if g.why_not:
        return wrap(f"{name}: not predicted, {g.why_not}", "    ")
    if not g.predictions:
        lines += wrap(f"{name}: {g.steps} steps reach P = {g.reach}; no P asked for is in reach",
                      "    ")
    r, b = g.replay, g.side_by_side
    if r and b:
        spread = words.interval((r.low, r.high)) if math.isfinite(r.low) else "interval unknown"
        what = ("milder, so their noise is correlated" if r.slowdown < 0.95 * (b.slowdown - 1) + 1
                and r.slowdown + 0.01 < b.slowdown else
                "worse, so their noise is correlated" if r.slowdown > b.most + 0.01 else
                "as if independent")
        lines += wrap(f"{name}: these {r.ranks} workers on their common axis: {r.slowdown:.4g} "
                      f"{spread}; independent ones: {b.slowdown:.4g} to {b.most:.4g}: {what}",
                      "    ")
    if g.halves and not g.steady:
        p, first, second = g.halves
        lines += wrap(f"  ! g = {words.span(g.grain)}: at P = {p} the first half of the trace "
                      f"predicts {first:.4g}, the second {second:.4g}: the noise is not "
                      "stationary, no verdict",
                      "    ")
    return lines
