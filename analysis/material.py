"""All that a report is made of, each worked out when it is first asked for. Nothing is shown here.

A question that the traces cannot answer has the answer None, or nothing in it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

import cells
import compare
import fleet
import maps
import node_look
import scaling
import survey
import verdicts
from cells import Group, Launch
from maps import Lane, Map
from survey import Survey
from traces import BadTrace, Trace
from verdicts import Verdict

MOST_WORKERS = 32  # whose noise is looked at: evenly chosen ones


class Material:
    """The traces of one report and what they come to. bad: those that could not be read."""

    def __init__(self, found: Sequence[Trace], bad: Sequence[BadTrace], rules: cells.Rules,
                 second: Sequence[Trace] = ()):
        """second: of a second run, which confirms what the first says of nodes."""
        self.rules = rules
        self.bad = list(bad)
        self.second = second
        self.groups: list[Group] = compare.analyse(list(found), self.bad, rules)

    @property
    def launches(self) -> list[Launch]:
        return [launch for group in self.groups for cell in group.cells for launch in cell.launches]

    @property
    def traces(self) -> list[Trace]:
        return [launch.trace for launch in self.launches]

    @property
    def hosts(self) -> list[str]:
        return sorted({host for trace in self.traces for host in trace.hostnames},
                      key=fleet.natural)

    @functools.cached_property
    def verdict(self) -> Verdict | None:
        """On every node; None where there is only one."""
        if len(self.hosts) < 2:
            return None
        seen, again = (fleet.visits(those, self.bad) for those in (self.traces, self.second))
        wishes = verdicts.Wishes(allow_invalid=self.rules.allow_invalid)
        return verdicts.judge(seen, wishes, again, node_look.look) if seen else None

    @functools.cached_property
    def maps(self) -> list[Map]:
        """Work over time, worker by worker."""
        return maps.maps(self.groups)

    @functools.cached_property
    def lanes(self) -> list[tuple[Group, list[Lane]]]:
        """Every layout of each work with bins."""
        return [(group, lanes) for group in self.groups if (lanes := maps.lanes(group))]

    @functools.cached_property
    def scaling(self) -> scaling.Whole:
        """Curves of layouts that were run at several scales, and without the bad nodes."""
        found = self.verdict
        named = found.hosts(verdicts.BAD, verdicts.MISPLACED, verdicts.SUSPECTED) if found else []
        return scaling.whole(self.groups, tuple(named), "by the verdict on the nodes",
                             allow_invalid=self.rules.allow_invalid)

    @functools.cached_property
    def loudest(self) -> Launch | None:
        """The launch that says most of noise: valid, the longest, of most workers; the middle one
        of its cell."""
        timed = [cell for group in self.groups for cell in group.cells
                 if cell.valid and group.work["kernel"] == "binning" and not (
                     group.work["wait_ns"] or group.work["sync_every"] or cell.way)
                 and cell.used[0].trace.bins]
        if not timed:
            return None
        return maps.middle(max(timed, key=_said).used)

    @functools.cached_property
    def noise(self) -> Survey | None:
        if self.loudest is None:
            return None
        trace = self.loudest.trace
        rows = np.unique(np.linspace(0, trace.nworkers - 1, MOST_WORKERS).astype(int))
        try:
            return survey.survey(trace.only(rows.tolist()), survey.Wishes())
        except BadTrace as error:
            self.bad.append(error)
            return None


def _said(cell: cells.Cell) -> tuple[float, int]:
    """(seconds of each worker, workers)"""
    trace = cell.used[0].trace
    width = trace.number("bin_width_ns") or 1
    return trace.repetitions * trace.nbins * width * 1e-9, trace.nworkers
