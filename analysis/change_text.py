"""What changed between two studies, as text and as JSON. Knows no files."""

from __future__ import annotations

from collections.abc import Sequence

import change
import words
from change import Change, Comparison

HEAD = ("", "workers", "before", "after", "after/before", "interval", "verdict")


def text(found: Comparison, threshold: float) -> list[str]:
    """Lines: the answer first, then a table for each group, then what else differs."""
    lines = [answer(found, threshold), ""]
    for title in dict.fromkeys(one.title for one in found.changes):
        lines += [title, *words.aligned(table([c for c in found.changes if c.title == title]), 2),
                  ""]
    lines += [f"! not measured again: {name}" for name in found.missing]
    lines += [f"! new, with nothing to compare: {name}" for name in found.new]
    lines += [f"! differs: {line}" for line in found.differences]
    return lines


def answer(found: Comparison, threshold: float) -> str:
    """One sentence."""
    slower, faster = found.count(change.SLOWER), found.count(change.FASTER)
    untold = found.count(change.UNTOLD)
    if not found.changes:
        return "The two studies have no cell in common."
    parts = [f"{slower} slower" if slower else "", f"{faster} faster" if faster else ""]
    told = " and ".join(filter(None, parts)) or "no change shown"
    seen = [one.seen for one in found.changes if one.verdict == change.SAME]
    power = (f"; smallest change that would have shown, in the least certain cell: "
             f"{words.percent(max(*seen, threshold))}" if seen else "")
    blind = f"; {untold} cannot be told" if untold else ""
    return f"{told} of {len(found.changes)} cells{power}{blind}."


def table(changes: Sequence[Change]) -> list[tuple[str, ...]]:
    """Rates with one prefix for all; intervals are 95 % over launches."""
    rates = [rate for one in changes for rate in (one.before.rate, one.after.rate)]
    scale, letter = words.prefix(rates)
    unit = words.plural(changes[0].after.launches[0].trace.text("unit") or "unit")
    head = (f"rates in {letter} {unit}/s" if letter else f"rates in {unit}/s", *HEAD[1:])
    return [head, *(row(one, scale) for one in changes)]


def row(one: Change, scale: float) -> tuple[str, ...]:
    bounds = (one.ratio.low, one.ratio.high) if one.ratio else None
    return (one.after.label, one.after.workers, words.number(one.before.rate / scale),
            words.number(one.after.rate / scale),
            words.number(one.ratio.ratio, 4) if one.ratio else words.UNKNOWN,
            words.interval(bounds), verdict(one))


def verdict(one: Change) -> str:
    if one.why:
        return f"{one.verdict} ({one.why})"
    if one.verdict == change.SAME:
        return f"{one.verdict} (of {words.percent(one.seen)} or more)"
    return one.verdict


def as_json(found: Comparison, threshold: float) -> dict:
    """Rates in units per second; ratio: after / before."""
    return {
        "format": "bindot-change", "format_version": "1.0",
        "threshold": threshold, "false_discovery_rate": change.Q,
        "answer": answer(found, threshold),
        "missing": list(found.missing), "new": list(found.new),
        "differences": list(found.differences),
        "changes": [{
            "work": one.title, "cell": one.name, "verdict": one.verdict, "why": one.why,
            "rate_before": one.before.rate, "rate_after": one.after.rate,
            "ratio": one.ratio.ratio if one.ratio else None,
            "ratio_interval": [one.ratio.low, one.ratio.high] if one.ratio else None,
            "p": one.p, "smallest_seen": one.seen,
            "launches_before": len(one.before.used), "launches_after": len(one.after.used),
        } for one in found.changes],
    }
