"""Surveys as JSON: everything that the text says, and more. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence

import bsp
import detours
import words
from portrait import Portrait
from survey import Grain, Survey
from traces import BadTrace


def text(done: Sequence[Survey], bad: Sequence[BadTrace]) -> str:
    return words.json_text(as_json(done, bad))


def as_json(done: Sequence[Survey], bad: Sequence[BadTrace]) -> dict:
    """Times in the unit of the name; unknown is null."""
    return {"format": "bindot-noise", "format_version": "1.0",
            "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
            "traces": [trace_json(one) for one in done]}


def trace_json(one: Survey) -> dict:
    trace, setting = one.trace, one.setting
    return {
        "file": trace.path, "run_id": trace.text("run_id"), "layout": trace.text("layout"),
        "valid": trace.valid, "workers": trace.nworkers,
        "repetitions": trace.repetitions, "bin_width_ns": setting.width,
        "seconds_per_worker": one.seconds, "notes": list(one.notes),
        "decades": list(detours.DECADE_NAMES),
        "portraits": [portrait_json(p) for p in one.portraits],
        "findings": [{**f.__dict__, "workers": list(f.workers)} for f in one.findings],
        "predictions": [grain_json(g) for g in one.grains],
        "invisible": bsp.invisible(trace.nworkers, one.seconds),
    }


def portrait_json(p: Portrait) -> dict:
    s = p.spectrum
    return {
        "worker": p.worker, "rate": p.rate, "undisturbed_rate": p.running,
        "drift_start": p.drift.start, "drift_per_10s": p.drift.slope,
        "drift_interval": [p.drift.low, p.drift.high], "lost_share": p.lost,
        "empty_share": p.empty, "late_bins": p.late, "seconds": p.seconds,
        "detours": {"listed": p.lengths.listed, "dropped": p.lengths.dropped,
                    "covered_s": p.lengths.covered_s,
                    "per_second_by_decade": list(p.lengths.per_second),
                    "longest_ns": p.lengths.longest, "p99_ns": p.lengths.p99,
                    "p999_ns": p.lengths.p999},
        "shortest_visible_ns": p.resolution.shortest, "shortest_visible_why": p.resolution.why,
        "spectrum": s and {"segments": s.segments, "segment_s": s.seconds, "step_hz": s.step,
                           "lowest_hz": s.range[0], "highest_hz": s.range[1]},
        "ticks": [{"hz": t.frequency, "found": t.found, "comb": t.comb,
                   "smallest_ns": t.smallest, "belongs_to_hz": t.belongs or None,
                   "not_judged_because": t.why_not} for t in p.ticks],
        "peaks": [{"hz": x.frequency, "height": x.height, "multiple_of_hz": x.of}
                  for x in p.peaks],
        "findings": [{**f.__dict__, "workers": list(f.workers)} for f in p.findings],
    }


def grain_json(g: Grain) -> dict:
    return {
        "grain_ns": g.grain, "steps": g.steps, "largest_ranks": g.reach,
        "not_predicted_because": g.why_not, "steady": g.steady,
        "halves": g.halves and {"ranks": g.halves[0], "slowdowns": list(g.halves[1:])},
        "slowdowns": [{"ranks": p.ranks, "slowdown": p.slowdown, "interval": [p.low, p.high],
                       "upper_bound": p.most} for p in g.predictions],
        "replay": g.replay and g.side_by_side and {
            "ranks": g.replay.ranks, "slowdown": g.replay.slowdown,
            "interval": [g.replay.low, g.replay.high], "steps": g.replay.steps,
            "independent": g.side_by_side.slowdown,
            "independent_upper_bound": g.side_by_side.most},
    }
