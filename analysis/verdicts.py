"""The verdict on every node: judged by peers.py, told why by blame.py. Nothing is printed here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import hypergeom

import blame
import fleet
import peers
import signatures_team
import stats
import words
from blame import Effect, Reason
from finding import Finding
from fleet import Measure, Visit
from node_cost import Cost, cost

LOST = signatures_team.UNEVEN  # of the time: a steal of 2 % is to be named
STAGE_TWO = 0.05  # of a coin that confirms: five launches in a row
BAD, SUSPECTED, MISPLACED, CLOCK = "bad", "suspected", "INVALID", "clock"
CLEARED, OPEN, HEALTHY = "not again", "cannot tell", "no evidence"
ORDER = (BAD, MISPLACED, SUSPECTED, CLOCK, CLEARED, OPEN, HEALTHY)


@dataclass(frozen=True)
class Node:
    """One node's verdict. invalid: (INVALID launches, all launches); clock: what is wrong with
    it, or ""."""

    host: str
    cpu_model: str
    verdict: str
    effects: tuple[Effect, ...]
    invalid: tuple[int, int]
    clock: str = ""
    reason: Reason | None = None
    why_not: str = ""  # it cannot be told

    @property
    def worst(self) -> Effect | None:
        """The effect that says most: a flagged one before others, then the largest."""
        known = [e for e in self.effects if not math.isnan(e.effect)]
        if not known:
            return None
        return min(known, key=lambda e: (not e.confirmed, not e.flagged, e.effect))


@dataclass(frozen=True)
class Judged:
    """One measure over all nodes.

    work     : its name among all works measured; model: the CPU's, where there are several
    spread   : robust sd of the nodes' scores, a share; nan for fewer than 3 nodes
    smallest : effect that would have been flagged in 4 of 5 nodes, nan: none would, or not judged
    """

    measure: Measure
    work: str
    model: str
    rule: peers.Rule
    standing: peers.Standing
    launches: tuple[int, int]
    spread: float
    smallest: float
    why_not: str = ""

    @property
    def title(self) -> str:
        """The same for all CPU models: a node has one."""
        return title_of(self.work, self.measure.name)

    @property
    def name(self) -> str:
        return self.title + self.model


@dataclass(frozen=True)
class Rack:
    """A group of nodes that is slower than all others."""

    name: str
    hosts: tuple[str, ...]
    title: str
    effect: float
    p: float


@dataclass(frozen=True)
class Verdict:
    nodes: tuple[Node, ...]
    measures: tuple[Judged, ...]
    racks: tuple[Rack, ...]
    costs: tuple[Cost, ...]  # of the nodes accused, one for each kernel
    confirmed_by: str  # "a second run", "the second half of the launches", or ""
    notes: tuple[str, ...]
    clocks: str = ""  # whether they were compared

    def hosts(self, *verdicts: str) -> list[str]:
        return [node.host for node in self.nodes if node.verdict in verdicts]

    @property
    def exclude(self) -> list[str]:
        """Nodes to leave out: those that are certain."""
        return self.hosts(BAD, MISPLACED)


Look = Callable[[Visit, Visit], "Sequence[Finding] | None"]


@dataclass(frozen=True)
class Wishes:
    """What the user asked for. rack: host -> name of its group."""

    rule: peers.Rule = peers.Rule()
    allow_invalid: bool = False
    rack: Callable[[str], str] = lambda host: host.rstrip("0123456789")


def judge(seen: Sequence[Visit], wishes: Wishes = Wishes(), second: Sequence[Visit] = (),
          look: Look | None = None) -> Verdict:
    """All nodes. second: visits of a second run. look: causes that a node shows and a peer not."""
    measures = fleet.measures(seen, wishes.allow_invalid)
    again = {(m.kind.work, m.name, m.cpu_model): m
             for m in fleet.measures(second, wishes.allow_invalid)}
    works, models = fleet.called(measures), {m.cpu_model for m in measures}
    judged: list[Judged] = []
    effects: dict[str, list[Effect]] = {}
    stages = set()
    for measure in measures:
        rule = rule_of(measure, wishes.rule, len(measures))
        model = f" ({measure.cpu_model or 'unknown CPU'})" if len(models) > 1 else ""
        one, of_nodes, stage = judge_measure(
            measure, (works[measure.kind.work], model), rule,
            again.get((measure.kind.work, measure.name, measure.cpu_model)))
        judged.append(one)
        stages.add(stage)
        for host, effect in zip(measure.hosts, of_nodes):
            effects.setdefault(host, []).append(effect)
    by_host: dict[str, list[Visit]] = {}
    for visit in sorted(seen, key=lambda v: fleet.natural(v.host)):
        by_host.setdefault(visit.host, []).append(visit)
    invalid = invalid_nodes(by_host)
    nodes = [verdict_of(host, mine, tuple(effects.get(host, ())), bool(invalid[host]))
             for host, mine in by_host.items()]
    counted = all_the_same(seen, {n.host for n in nodes if n.verdict == MISPLACED}, wishes.rule)
    nodes = [with_clock(node, by_host[node.host]) for node in nodes]
    nodes = [with_reason(node, nodes, by_host, look,
                         (invalid[node.host], counted.get(node.host, ()))) for node in nodes]
    nodes.sort(key=lambda node: ORDER.index(node.verdict))
    accused = {node.host for node in nodes if node.verdict in (BAD, SUSPECTED)}
    return Verdict(tuple(nodes), tuple(judged), tuple(racks(judged, wishes)),
                   tuple(costs(judged, accused)),
                   ", ".join(sorted(stages - {""})), tuple(notes(seen, judged, wishes)),
                   compared_clocks(by_host))


# ---------------------------------------------------------------------------------- one measure

def judge_measure(measure: Measure, called: tuple[str, str], rule: peers.Rule,
                  second: Measure | None) -> tuple[Judged, list[Effect], str]:
    """(the measure, the effect on each of its nodes, what confirmed). called: see Judged."""
    x = measure.x
    counts = (~np.isnan(x)).sum(axis=1)
    first, later, stage = stages(x, measure.hosts, rule, second)
    standing = peers.stand(x, rule)
    p, flagged, alike = peers.decide(first, rule)
    standing = replace(standing, p=p, flagged=flagged, alike=alike)
    again, confirmed, gone = peers.confirm(later, flagged, replace(rule, q=STAGE_TWO))
    title = title_of(called[0], measure.name)
    one = Judged(measure, *called, rule, standing, (int(counts.min()), int(counts.max())),
                 spread(x), peers.smallest_seen(first, rule), why_not(counts, rule))
    return one, [
        Effect(measure.kind.kernel, measure.name, title, float(standing.effect[i]),
               float(standing.low[i]), float(standing.high[i]), float(p[i]), int(counts[i]),
               rule.threshold, bool(flagged[i]), bool(alike[i]), float(again[i]),
               bool(confirmed[i]), bool(gone[i])) for i in range(len(x))], stage


def rule_of(measure: Measure, rule: peers.Rule, looks: int) -> peers.Rule:
    """q is that of the whole study: it is shared among all measures that are looked at."""
    return replace(rule, q=rule.q / looks,
                   threshold=LOST if measure.name == "lost" else rule.threshold)


def stages(x: np.ndarray, hosts: Sequence[str], rule: peers.Rule,
           second: Measure | None) -> tuple[np.ndarray, np.ndarray, str]:
    """(rounds that flag, rounds that confirm, what the latter are): both (node, round)."""
    if second is not None:
        at = {host: i for i, host in enumerate(second.hosts)}
        nothing = np.full(second.x.shape[1], math.nan)
        return x, np.array([second.x[at[h]] if h in at else nothing for h in hosts]), "a second run"
    half = x.shape[1] // 2
    if half >= rule.fewest:
        return x[:, :half], x[:, half:], "the second half of the launches"
    return x, np.full((len(x), 1), math.nan), ""


def spread(x: np.ndarray) -> float:
    """Robust sd of the nodes' scores, x (node, round) log."""
    score = peers.row_medians(peers.centred(x))
    score = score[np.isfinite(score)]
    if len(score) < 3:
        return math.nan
    return 1.4826 * float(np.median(np.abs(score - np.median(score))))


def why_not(counts: np.ndarray, rule: peers.Rule) -> str:
    """Why no node, or not all of them, are judged."""
    enough = int((counts >= rule.fewest).sum())
    if len(counts) == 1:
        return "one node: nobody to compare it with"
    if enough < len(counts):
        return (f"{len(counts) - enough} of {len(counts)} nodes have fewer than {rule.fewest} "
                "launches")
    if enough == 2:
        return "two nodes: they differ or not, but nobody can say which is the odd one"
    return ""


def title_of(work: str, measure: str) -> str:
    return f"{work}: time lost" if measure == "lost" else f"{work}: pace"


# ------------------------------------------------------------------------------------- one node

def invalid_nodes(by_host: Mapping[str, Sequence[Visit]]) -> dict[str, tuple[str, ...]]:
    """host -> the reasons for which most of its launches are INVALID, and its peers' are not.

    Reason by reason: on a busy machine everybody starts late, and still only one node has two
    workers on one CPU. More often than chance among the peers gives: Fisher's exact test,
    one-sided, times the nodes and the reasons.
    """
    found: dict[str, tuple[str, ...]] = {host: () for host in by_host}
    every = list(dict.fromkeys(r for mine in by_host.values() for v in mine for r in v.reasons))
    all_ = sum(map(len, by_host.values()))
    for reason in every:
        wrong = {host: sum(reason in v.reasons for v in mine) for host, mine in by_host.items()}
        for host, mine in by_host.items():
            p = hypergeom.sf(wrong[host] - 1, all_, sum(wrong.values()), len(mine))
            if wrong[host] > len(mine) / 2 and p * len(by_host) * len(every) <= 0.05:
                found[host] += (reason,)
    return found


def verdict_of(host: str, mine: Sequence[Visit], effects: tuple[Effect, ...],
               often: bool) -> Node:
    """often: its launches are INVALID as its peers' are not."""
    wrong, number = sum(not v.valid for v in mine), len(mine)
    node = Node(host, mine[0].cpu_model, HEALTHY, effects, (wrong, number))
    flagged = [e for e in effects if e.flagged]
    if any(e.confirmed for e in flagged):
        return replace(node, verdict=BAD)
    if often:
        return replace(node, verdict=MISPLACED)
    if flagged:
        gone = all(e.gone for e in flagged)
        return replace(node, verdict=CLEARED if gone else SUSPECTED)
    if not any(e.judged for e in effects):
        why = "all of its launches are INVALID" if wrong == number else "too few launches or peers"
        return replace(node, verdict=OPEN, why_not=why)
    if any(e.alike for e in effects):
        return replace(node, verdict=OPEN, why_not="it is slower, but its peers lie as far apart "
                                                   "among themselves: more nodes would tell")
    return node


def with_clock(node: Node, mine: Sequence[Visit]) -> Node:
    """A node whose clock is not to be compared with others': told, whatever else it is."""
    told = blame.clock([v.clock.faults for v in mine if v.clock])
    alone = node.verdict in (HEALTHY, OPEN)
    return replace(node, clock=told, verdict=CLOCK if told and alone else node.verdict)


def all_the_same(seen: Sequence[Visit], hosts: set[str],
                 rule: peers.Rule) -> dict[str, list[str]]:
    """host -> what its launches come to, INVALID ones and all, in words."""
    told: dict[str, list[str]] = {}
    measures = fleet.measures(seen, True) if hosts else []
    works = fleet.called(measures)
    for measure in measures:
        title = title_of(works[measure.kind.work], measure.name)
        stands = peers.stand(measure.x, rule)
        for i, host in enumerate(measure.hosts):
            if host in hosts and not math.isnan(stands.effect[i]):
                told.setdefault(host, []).append(blame.all_the_same(
                    title, stands.effect[i], stands.low[i], stands.high[i]))
    return told


def with_reason(node: Node, everyone: Sequence[Node], by_host: Mapping[str, Sequence[Visit]],
                look: Look | None, invalid: tuple[Sequence[str], Sequence[str]]) -> Node:
    """A node that is accused, with the reason in words. invalid: see invalid_nodes, all_the_same.
    """
    mine = by_host[node.host]
    reasons, counted = invalid
    gate = ""
    if node.verdict == CLOCK:
        return replace(node, reason=Reason(node.clock, (blame.NO_RATE,), ()))
    if node.verdict == MISPLACED:
        gate = blame.gate(reasons, *node.invalid)
        if not any(e.flagged for e in node.effects):
            known = (*counted, node.clock) if node.clock else tuple(counted)
            return replace(node, reason=Reason(
                gate, known, ("how fast it is when it is set up as its peers are",)))
    elif node.verdict not in (BAD, SUSPECTED, CLEARED):
        return node
    healthy = [by_host[n.host] for n in everyone
               if n.verdict == HEALTHY and n.cpu_model == node.cpu_model]
    usable = [v for v in mine if v.valid] or mine
    found = blame.reason(
        node.effects, slow_worker(usable), middle_facts(usable), list(map(middle_facts, healthy)),
        findings(usable, [v for those in healthy for v in those], look))
    more = tuple(text for text in (gate, node.clock) if text)
    return replace(node, reason=replace(found, known=(*more, *found.known)))


def compared_clocks(by_host: Mapping[str, Sequence[Visit]]) -> str:
    """What was asked of the nodes' clocks."""
    seen = [v.clock for mine in by_host.values() for v in mine if v.clock]
    if not seen:
        return ("clocks were not compared: that takes three nodes and more in one run (drivers/"
                "study ladder)")
    return ("smallest fault of a clock that would have been seen: a drift of "
            f"{1e6 * np.median([look.drift for look in seen]):.3g} ppm against the middle of all "
            f"nodes, a jump of {words.span(float(np.median([look.jump for look in seen])))}")


def slow_worker(mine: Sequence[Visit]) -> tuple[int, float]:
    """(worker of the node that is slowest in most launches, its pace over the middle one's - 1)."""
    slowest = [v.rows.index(v.slowest) for v in mine]
    worker = max(set(slowest), key=slowest.count)
    below = [v.uneven for v, w in zip(mine, slowest) if w == worker]
    return worker, float(np.median(below)) if len(below) > len(mine) / 2 else 0.0


def middle_facts(mine: Sequence[Visit]) -> dict[str, object]:
    """Of several launches: the median of numbers, the most frequent text."""
    found: dict[str, object] = {}
    for name in dict.fromkeys(name for v in mine for name in v.facts):
        values = [v.facts[name] for v in mine if name in v.facts]
        numbers = [value for value in values if isinstance(value, float)]
        found[name] = (float(np.median(numbers)) if numbers
                       else max(set(values), key=values.count))
    return found


LOOKS = 3  # launches whose bins are looked at


def findings(mine: Sequence[Visit], others: Sequence[Visit],
             look: Look | None) -> Sequence[Finding] | None:
    """Causes that most of the launches looked at show and their controls do not."""
    mine = middle_launches([v for v in mine if "lost" in v.values])
    others = middle_launches([v for v in others if "lost" in v.values])
    pairs = list(zip(mine, others))
    if look is None or not pairs:
        return None
    seen: dict[str, list[Finding]] = {}
    for node, control in pairs:
        for found in look(node, control) or ():
            seen.setdefault(found.name, []).append(found)
    return [same[0] for same in seen.values() if len(same) > len(pairs) / 2]


def middle_launches(those: Sequence[Visit]) -> list[Visit]:
    """Up to LOOKS launches around the median of the time lost."""
    ordered = sorted(those, key=lambda v: v.values["lost"])
    first = max(0, (len(ordered) - LOOKS) // 2)
    return ordered[first:first + LOOKS]


# -------------------------------------------------------------------------------------- the rest

def costs(judged: Sequence[Judged], accused: set[str]) -> list[Cost]:
    """What the accused cost a job, by kernel: pace and lost time together are what is delivered."""
    found = []
    for one in judged:
        m = one.measure
        if m.name == "rate":
            x = np.sum([other.measure.x for other in judged if (
                other.measure.kind, other.measure.cpu_model) == (m.kind, m.cpu_model)], axis=0)
            made = cost(one.work + one.model, x, [host in accused for host in m.hosts])
            found += [made] if made else []
    return found


def racks(judged: Sequence[Judged], wishes: Wishes) -> list[Rack]:
    """Groups of nodes that are slow as a group."""
    found = []
    for one in judged:
        hosts = one.measure.hosts
        names = sorted({wishes.rack(h) for h in hosts}, key=fleet.natural)
        if len(names) < 2 or not one.standing.judged.any():
            continue
        index = np.array([names.index(wishes.rack(h)) for h in hosts])
        effect, p = peers.groups_p(peers.row_medians(one.measure.x), index, len(names))
        tested = np.flatnonzero(~np.isnan(p))
        sure = stats.benjamini_hochberg(p[tested], one.rule.q) if len(tested) else np.empty(0, bool)
        found += [Rack(names[g], tuple(h for h, i in zip(hosts, index) if i == g), one.name,
                       float(effect[g]), float(p[g]))
                  for g in tested[sure].tolist() if effect[g] < -one.rule.threshold]
    return found


def notes(seen: Sequence[Visit], judged: Sequence[Judged], wishes: Wishes) -> list[str]:
    """What a reader must know before believing the verdicts."""
    found = []
    wrong = sum(not v.valid for v in seen)
    if wrong:
        found.append(f"{wrong} of {len(seen)} visits (a node in a launch) are INVALID and "
                     + ("counted as you asked" if wishes.allow_invalid else
                        "left out, but for the time lost where they started late"))
    if not fleet.are_interleaved(seen):
        found.append("the nodes were measured one after the other: what changed meanwhile looks "
                     "like a node's fault; interleave them (drivers/study nodes)")
    models: dict[str, set[str]] = {}
    for one in seen:
        models.setdefault(one.cpu_model, set()).add(one.host)
    if len(models) > 1:
        found.append("nodes are compared within their CPU model only: "
                     + ", ".join(f"{m or 'unknown'} ({len(h)})" for m, h in models.items()))
    found += [f"{one.name}: {one.why_not}" for one in judged if one.why_not]
    return found
