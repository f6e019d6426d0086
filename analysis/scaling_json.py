"""Scaling curves as JSON. Times in s where the size of the work is known; unknown is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import curves
import words
from curves import Study
from models import Fit


def text(whole, bad: Sequence) -> str:
    """whole: scaling.Whole."""
    return words.json_text({
        "format": "bindot-scaling", "format_version": "1.0",
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "bad_nodes": list(whole.bad), "bad_nodes_from": whole.why_bad,
        "curves": [curve(one, whole.bad) for one in whole.studies],
        "curves_without_bad_nodes": [curve(one, ()) for one in whole.without],
    })


def curve(one: Study, bad: Sequence[str]) -> dict:
    return {
        "title": one.curve.title, "way": one.curve.way, "regime": one.curve.regime,
        "kind": one.curve.kind, "unit": one.curve.unit, "time_in_s": one.curve.seconds,
        "notes": list(one.curve.notes), "points": points(one),
        "models": [model(fit) for fit in one.fits], "knee": one.knee, "refusal": one.refusal,
        "beyond": [{**asdict(b), "each": [dict(zip(("model", "speedup", "low", "high"), e))
                                          for e in b.each]} for b in one.beyond],
        "speedup_if_bad_nodes_were_median": curves.corrected(one, bad).tolist() if bad else None,
        "ladder": one.ladder and {
            "link": one.ladder.link, "residual": one.ladder.residual, "other": one.ladder.other,
            "scales": {str(s): row.tolist() for s, row in zip(one.ladder.scales,
                                                              one.ladder.scale)},
            "nodes": {h: row.tolist() for h, row in zip(one.ladder.hosts, one.ladder.node)}},
    }


def points(one: Study) -> list[dict]:
    found = []
    for i, point in enumerate(one.curve.points):
        openmp, mpi = point.tree.parts(point.cell.layout)
        found.append({
            "scale": point.scale, "cores": point.cell.cores, "nodes": point.cell.nodes,
            "ranks": point.cell.ranks, "threads_per_rank": point.cell.threads,
            "times": point.times.tolist(), "time": point.median,
            "speedup": one.speedup[i].tolist(), "efficiency": one.efficiency[i].tolist(),
            "karp_flatt": one.karp_flatt[i].tolist(), "compute_scaling": one.compute[i],
            "tree": {**asdict(point.tree), "openmp_part": openmp, "mpi_part": mpi}})
    return found


def model(fit: Fit) -> dict:
    return {"name": fit.name, "formula": fit.formula,
            "parameters": {name: list(v) for name, v in fit.values.items()},
            "leave_one_out_smape": fit.smape, "forward_error": fit.forward,
            "forward_band": list(fit.forward_band), "holds": fit.holds,
            "enough_scales": fit.enough}
