"""The verdict on nodes as JSON. Shares: -0.05 is 5 % below the peers; unknown is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import words
from verdicts import SUSPECTED, Judged, Node, Verdict, Wishes


def text(found: Verdict, bad: Sequence, wishes: Wishes) -> str:
    return words.json_text({
        "format": "bindot-nodes", "format_version": "1.0",
        "options": {"threshold": wishes.rule.threshold, "q": wishes.rule.q,
                    "fewest_launches": wishes.rule.fewest, "allow_invalid": wishes.allow_invalid},
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "exclude": found.exclude, "suspected": found.hosts(SUSPECTED),
        "confirmed_by": found.confirmed_by, "clocks": found.clocks, "notes": list(found.notes),
        "measures": [measure(one) for one in found.measures],
        "nodes": [node(one) for one in found.nodes],
        "groups": [asdict(rack) for rack in found.racks],
        "costs": [asdict(one) for one in found.costs],
    })


def measure(one: Judged) -> dict:
    return {"title": one.name, "kernel": one.measure.kind.kernel, "measure": one.measure.name,
            "work": one.measure.kind.title, "cpu_model": one.measure.cpu_model,
            "nodes": len(one.measure.hosts), "judged": int(one.standing.judged.sum()),
            "launches": list(one.launches), "threshold": one.rule.threshold,
            "spread": one.spread, "smallest_seen": one.smallest, "why_not": one.why_not}


def node(one: Node) -> dict:
    return {"host": one.host, "cpu_model": one.cpu_model, "verdict": one.verdict,
            "why_not": one.why_not, "clock": one.clock, "invalid_launches": one.invalid[0],
            "launches": one.invalid[1], "effects": [asdict(e) for e in one.effects],
            "reason": one.reason and asdict(one.reason)}
