"""Section of the report: which worker or node is different?"""

from __future__ import annotations

import numpy as np

import nodes_text
import page
import peers
import plot_multiples
import plot_nodes
import plot_svg
import report_maps
import words
from material import Material
from report_words import above, count, used
from verdicts import BAD, MISPLACED, OPEN, SUSPECTED, Node, Verdict

TITLE = "Which worker or node is different?"
PANELS = 24  # small plots: the accused and the slowest
TOLD = 3  # nodes that stand out without a verdict
ROWS = 40  # nodes in the table: the accused and the slowest


def section(found: Material) -> list:
    """The verdict on every node, work over time, each node's launches, and the reasons."""
    verdict, maps = found.verdict, over_time(found)
    if verdict is None:
        return maps
    return [headline(verdict), *maps, *multiples(verdict), *effects(verdict), *table(verdict),
            *costs(verdict)]


def over_time(found: Material) -> list:
    """The largest runs, and all layouts beside each other."""
    return [*report_maps.parts(found.maps), *(
        part for i, (group, lanes) in enumerate(found.lanes)
        for part in report_maps.layouts(lanes, group.title, f"lanes{i}"))]


def headline(verdict: Verdict) -> page.Markup:
    """The sentence that a reader came for, with the literal --exclude line."""
    out, suspects = verdict.exclude, verdict.hosts(SUSPECTED)
    parts: list = [page.tag("strong", said(verdict) + ". ")]
    if out:
        by = f", confirmed by {verdict.confirmed_by}" if verdict.hosts(BAD) else ""
        parts += [f"Leave out{by}:", page.tag("pre", f"--exclude={','.join(out)}")]
    if suspects:
        parts += ["Run the suspected ones again, beside healthy ones; until then, to be careful:",
                  page.tag("pre", f"--exclude={','.join([*out, *suspects])}")]
    parts += [page.tag("p", text) for text in standing_out(verdict)]
    mark = "bad" if out else "warn" if suspects or not judged(verdict) else "good"
    return page.tag("div", *parts, cls=f"verdict {mark}")


def said(verdict: Verdict) -> str:
    told = [f"{', '.join(hosts)}: {name}" for name in (BAD, MISPLACED, SUSPECTED)
            if (hosts := verdict.hosts(name))]
    if told:
        return "; ".join(told)
    if not judged(verdict):
        return "No node could be judged"
    return f"No evidence against any of {count(len(verdict.nodes), 'node')}"


def standing_out(verdict: Verdict) -> list[str]:
    """Nodes that nobody may judge yet, and that are far below their peers all the same."""
    slow = [(node, next(e for e in node.effects if e.slow)) for node in verdict.nodes
            if node.verdict == OPEN and any(e.slow for e in node.effects)]
    return [f"{node.host} stands out ({effect.title} {' '.join(nodes_text.effect_cells(effect))}), "
            f"but that is no verdict: {node.why_not}." for node, effect in slow[:TOLD]]


def judged(verdict: Verdict) -> bool:
    return any(one.standing.judged.any() for one in verdict.measures)


def effects(verdict: Verdict) -> list:
    if not any(np.isfinite(one.standing.effect).any() for one in verdict.measures):
        return []
    return [page.tag("h3", "Each node against its peers"),
            page.plot(plot_svg.svg(plot_nodes.of(verdict), "nodes"), (
        "Each point is a node against its peers, with its 95 % interval over launches: left of "
        "the dashed line it is slower by enough to matter. Accused nodes are orange; hollow "
        "points have no interval."))]


def multiples(verdict: Verdict) -> list:
    """A small plot for each node: is it slow in every launch, or was it a moment?"""
    away = launches_off(verdict)
    shown = worst_first(verdict)[:PANELS]
    rounds = max((len(row) for of in away.values() for row in of.values()), default=0)
    if len(verdict.nodes) < 2 or not rounds:
        return []
    nothing = np.full(rounds, np.nan)
    tables = {title: np.array([padded(of.get(node.host, nothing), rounds) for node in shown])
              for title, of in away.items()}
    made = plot_multiples.draw([node.host for node in shown], [bool(n.reason) for n in shown],
                               tables)
    some = "" if len(shown) == len(verdict.nodes) else (
        f" Shown: {len(shown)} of {len(verdict.nodes)} nodes, the accused and the slowest.")
    return [page.tag("h3", "Every launch, node by node"), page.plot(
        plot_svg.svg(made, "multiples"),
        "A node that is below its peers in every launch is slow; one that is so once was "
        f"disturbed.{some}")]


def launches_off(verdict: Verdict) -> dict[str, dict[str, np.ndarray]]:
    """title -> host -> (round,) shares off its peers, of all CPU models."""
    away: dict[str, dict[str, np.ndarray]] = {}
    for one in verdict.measures:
        away.setdefault(one.title, {}).update(
            zip(one.measure.hosts, np.expm1(peers.deviations(one.measure.x))))
    return away


def padded(row: np.ndarray, rounds: int) -> np.ndarray:
    return np.concatenate([row, np.full(rounds - len(row), np.nan)])


def worst_first(verdict: Verdict) -> list[Node]:
    """The accused, then the slowest."""
    return sorted(verdict.nodes,
                  key=lambda n: (n.reason is None, n.worst.effect if n.worst else 0.0))


def table(verdict: Verdict) -> list:
    """Why a node is accused, or why nobody can tell; and what the verdict is worth."""
    shown = worst_first(verdict)[:ROWS]
    titles = list(dict.fromkeys(one.title for one in verdict.measures))
    rows = []
    for node in shown:
        mine = {effect.title: nodes_text.effect_cells(effect) for effect in node.effects}
        rows.append([node.host, node.verdict, *(above(*mine.get(title, (words.UNKNOWN,) * 2))
                                                for title in titles), reason(node)])
    head, rows = used(["node", "verdict", *titles, "reason"], rows)
    more = "" if len(shown) == len(verdict.nodes) else (
        f" {len(verdict.nodes)} nodes; shown: the accused and the slowest.")
    return [page.tag("h3", "The verdict on each node"), page.table(
        head, rows, left=2, text="reason", caption=(
        "Effect against the median of the node's peers; below: 95 % interval over launches, in "
        f"points of a percent.{more}")),
        page.bullets([nodes_text.smallest(verdict), *verdict.notes])]


def reason(node: Node) -> str:
    if node.reason is None:
        return node.why_not
    return "; ".join([node.reason.why, *node.reason.known,
                      *(f"not known: {text}" for text in node.reason.unknown)])


def costs(verdict: Verdict) -> list:
    if not verdict.costs:
        return []
    return [page.tag("h3", "What it costs"), page.bullets(
        [f"{one.title}: {nodes_text.cost_words(one)}" for one in verdict.costs])]
