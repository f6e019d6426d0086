"""All that a report is made of, each worked out when it is first asked for. Nothing is shown here.

A question that the traces cannot answer has the answer None, or nothing in it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cells
import compare
import fleet
import node_look
import scaling
import verdicts
from cells import Group, Launch
from traces import BadTrace, Trace
from verdicts import Verdict


class Material:
    """The traces of one report and what they come to. bad: those that could not be read."""

    def __init__(self, found: Sequence[Trace], bad: Sequence[BadTrace], rules: cells.Rules):
        self.rules = rules
        self.bad = list(bad)
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
        seen = fleet.visits(self.traces, self.bad)
        wishes = verdicts.Wishes(allow_invalid=self.rules.allow_invalid)
        return verdicts.judge(seen, wishes, look=node_look.look) if seen else None

    @functools.cached_property
    def scaling(self) -> scaling.Whole:
        """Curves of layouts that were run at several scales, and without the bad nodes."""
        found = self.verdict
        named = found.hosts(verdicts.BAD, verdicts.MISPLACED, verdicts.SUSPECTED) if found else []
        return scaling.whole(self.groups, self.bad, tuple(named), "by the verdict on the nodes",
                             allow_invalid=self.rules.allow_invalid)
