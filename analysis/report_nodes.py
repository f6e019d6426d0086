"""Section of the report: which node is different?"""

from __future__ import annotations

import numpy as np

import nodes_text
import page
import plot_nodes
import plot_svg
import words
from material import Material
from report_words import above, count, used
from verdicts import BAD, MISPLACED, SUSPECTED, Node, Verdict

TITLE = "Which node is different?"
ROWS = 40  # nodes in the table: the accused and the slowest


def section(found: Material) -> list:
    """The verdict on every node, the reasons, and the line that leaves the bad ones out."""
    verdict = found.verdict
    if verdict is None:
        return []
    return [headline(verdict), *effects(verdict), table(verdict), *costs(verdict),
            page.bullets([nodes_text.smallest(verdict), *verdict.notes])]


def headline(verdict: Verdict) -> page.Markup:
    """The sentence that a reader came for, with the literal --exclude line."""
    out, suspects = verdict.exclude, verdict.hosts(SUSPECTED)
    parts: list = [page.tag("strong", said(verdict) + ". ")]
    if out:
        by = f" Confirmed by {verdict.confirmed_by}." if verdict.hosts(BAD) else ""
        parts += [f"Leave out:{by}", page.tag("pre", f"--exclude={','.join(out)}")]
    if suspects:
        parts += ["Run the suspected ones again, beside healthy ones; until then, to be careful:",
                  page.tag("pre", f"--exclude={','.join([*out, *suspects])}")]
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


def judged(verdict: Verdict) -> bool:
    return any(one.standing.judged.any() for one in verdict.measures)


def effects(verdict: Verdict) -> list:
    if not any(np.isfinite(one.standing.effect).any() for one in verdict.measures):
        return []
    return [page.plot(plot_svg.svg(plot_nodes.of(verdict), "nodes"), (
        "Each point is a node against its peers, with its 95 % interval over launches: left of "
        "the dashed line it is slower by enough to matter. Accused nodes are orange; hollow "
        "points have no interval."))]


def table(verdict: Verdict) -> page.Markup:
    """The accused first, then the slowest; why it is accused, or why nobody can tell."""
    shown = sorted(verdict.nodes, key=lambda n: (n.reason is None,
                                                 n.worst.effect if n.worst else 0.0))[:ROWS]
    titles = [one.title for one in verdict.measures]
    rows = []
    for node in shown:
        mine = {effect.title: nodes_text.effect_cells(effect) for effect in node.effects}
        rows.append([node.host, node.verdict, *(above(*mine.get(title, (words.UNKNOWN,) * 2))
                                                for title in titles), reason(node)])
    head, rows = used(["node", "verdict", *titles, "reason"], rows)
    more = "" if len(shown) == len(verdict.nodes) else (
        f" {len(verdict.nodes)} nodes; shown: the accused and the slowest.")
    return page.table(head, rows, left=2, caption=(
        "Effect against the median of the node's peers; below: 95 % interval over launches, in "
        f"points of a percent.{more}"))


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
