"""Looks into the bins of an accused node and of a healthy peer: what does only the first show?

Memory: one trace's portraits at a time, of at most MOST_WORKERS workers.
"""

from __future__ import annotations

import functools

import numpy as np

import survey
import traces
import words
from finding import Finding
from fleet import Visit
from spectrum import Peak

MOST_WORKERS = 16
MORE = 3.0  # times the control's value: more than what all nodes have
NEAR = 0.02  # of a frequency: the same line


def look(node: Visit, control: Visit) -> list[Finding] | None:
    """Causes found in the node, and not in the control or far less. None: nothing to look at."""
    mine, usual = _seen(node.path, _chosen(node)), _seen(control.path, _chosen(control))
    if mine is None or usual is None:
        return None
    common = {f.name: f for f in usual[0] if f.found}
    own = [f for f in mine[0] if f.found and (
        f.name not in common or (f.above and f.value > MORE * common[f.name].value))]
    return own + line(mine[1], usual[1])


def line(mine: tuple[Peak, ...], usual: tuple[Peak, ...]) -> list[Finding]:
    """The highest line in the spectrum of the lost time that the control does not have."""
    own = [p for p in mine if not any(
        abs(q.frequency / p.frequency - 1) < NEAR and MORE * q.height > p.height for q in usual)]
    if not own:
        return []
    top = max(own, key=lambda p: p.height)
    return [Finding("spectrum", True, "height of a line over its surroundings", top.height, 1.0,
                    f"what it loses comes back at {top.of:.4g} Hz, every "
                    f"{words.span(1e9 / top.of)}", "")]


def _chosen(visit: Visit) -> tuple[int, ...]:
    """Its slowest worker, and others evenly."""
    rows = np.array(visit.rows)
    evenly = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_WORKERS).astype(int))]
    return tuple(sorted({visit.slowest, *evenly.tolist()}))


@functools.lru_cache(maxsize=256)
def _seen(path: str, rows: tuple[int, ...]) -> tuple[tuple[Finding, ...], tuple[Peak, ...]] | None:
    try:
        found = survey.survey(traces.read(path).only(rows), survey.Wishes(grains=()))
    except traces.BadTrace:  # no bins, or workers that waited on purpose
        return None
    return tuple(found.findings), tuple(peak for p in found.portraits for peak in p.peaks)
