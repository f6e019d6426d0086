"""The first section of the report: the answers in a few sentences, and how sure they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import cells
import nodes_text
import page
import report_gain
import report_nodes
import report_scaling
import report_valid
import scaling_text
import stats
import words
from material import Material
from report_words import count, few, sentence
from verdicts import SUSPECTED

TITLE = "In short"
MOST = 4  # curves that are told
EXCLUDE = "--exclude="


def section(found: Material) -> list:
    """For someone who has not read the code: which layout, which node, how far, how sure."""
    _, mark = report_valid.judge(found)
    if mark == "good" and found.verdict and any(node.reason for node in found.verdict.nodes):
        mark = "warn"
    parts = [part for question, told in answers(found) for part in (
        page.tag("dt", question), *(page.tag("dd", shown(a, first=i == 0 < len(told) - 1))
                                    for i, a in enumerate(told)))]
    return [page.tag("dl", *parts, cls=f"short verdict {mark}"), page.tag("p", (
        "Every interval is a 95 % one over launches: repeat the whole study, and 19 of 20 such "
        "intervals hold the true value."), cls="muted")]


def answers(found: Material) -> list[tuple[str, list[str]]]:
    """(question, sentences). One that begins with EXCLUDE is a line to copy, no sentence."""
    verdict, _ = report_valid.judge(found)
    told = [("Is the data valid?", [f"{verdict}."]),
            ("Which layout to use?", layouts(found)),
            ("Which node to leave out?", nodes(found)),
            ("How far does it scale?", scaling(found))]
    return [(question, sentences) for question, sentences in told if sentences]


def shown(answer: str, first: bool) -> object:
    """As an element; the first of several is what the others explain."""
    if answer.startswith(EXCLUDE):
        return page.tag("pre", answer)
    return page.tag("strong", answer) if first else answer


# ------------------------------------------------------------------------------------ the layout

def layouts(found: Material) -> list:
    """One layout for all works where there is one, then each work's own."""
    best = [one for group in found.groups for one in choices(group)]
    if not best:
        return [nothing(found)]
    return [advice(best), *(one.text for one in best)]


def advice(best: list[Choice]) -> str:
    """One layout for all works, if there is one and it is known to be worth it."""
    common = set.intersection(*(set(one.names) for one in best))
    first = [name for name in best[0].names if name in common]
    if not first:
        return "It depends on the work; no layout is among the fastest in all."
    if not any(one.settled for one in best):
        return (f"Not settled: no layout is known to gain anything; {first[0]} is the fastest or "
                "not told from it.")
    if len(best) == 1:
        return f"Use {first[0]}."
    return (f"Use {first[0]}: in all {len(best)} works it is the fastest, or the data do not tell "
            "it from the fastest.")


def nothing(found: Material) -> str:
    if all(len(group.cells) == 1 for group in found.groups):
        return "Only one layout was run, so there was nothing to compare."
    return "Nothing was compared: no layout ran the same work as a valid base."


class Choice(NamedTuple):
    names: list[str]  # the fastest layout, then those that the data do not tell from it
    text: str
    settled: bool  # it gains for sure, or nothing does


def choices(group: cells.Group) -> list[Choice]:
    """One of each language: a speed-up in Python is over Python."""
    others = report_gain.gained(group)
    return [choice(group, [c for c in others if c.language == language])
            for language in dict.fromkeys(c.language for c in others)]


def choice(group: cells.Group, others: list) -> Choice:
    best = max(others, key=lambda c: c.speedup)
    base = next((c for c in group.cells if c.is_base and c.language == best.language), None)
    if best.speedup_interval and best.speedup_interval[1] < 1 and base:
        return Choice([base.name], f"{group.title}: {base.name}; nothing beats it, the best other "
                      f"one, {best.name}, is {speedup(best)}.", True)
    ties = report_gain.rivals(best, others)
    open_ = best.speedup_interval is None or best.speedup_interval[0] <= 1
    return Choice(
        [c.name for c in (best, *ties)],
        f"{group.title}: {best.name}, {speedup(best)}"
        + (f"; not told from {few([c.name for c in ties])}" if ties else "")
        + seen(best, others) + ("; whether it gains anything is not settled" if open_ else "")
        + ".", not open_)


def speedup(cell: cells.Cell) -> str:
    known = words.interval(cell.speedup_interval, digits=3) if cell.speedup_interval else (
        "interval unknown")
    return (f"{words.number(cell.speedup, 3)} times {cell.base} ({known}, "
            f"{count(len(cell.used), 'launch')})")


def seen(best: cells.Cell, others: list) -> str:
    """The smallest advantage over a layout of as many cores that would have shown."""
    ratios = [stats.ratio_interval(best.rates, c.rates)
              for c in report_gain.equals(best, others)]
    halves = [r.high / r.ratio - 1 for r in ratios if r]
    return f"; an advantage of {100 * max(halves):.2g} % would have shown" if halves else ""


# -------------------------------------------------------------------------------------- the node

def nodes(found: Material) -> list:
    verdict = found.verdict
    if verdict is None:
        return ["One node took part: there is nobody to compare it with."]
    accused = [node for node in verdict.nodes if node.reason]
    told = [report_nodes.said(verdict) + ".", *report_nodes.standing_out(verdict)]
    told += [f"{node.host}: " + "; ".join(
        [nodes_text.evidence(e) for e in node.effects if e.flagged][:2] + [node.reason.why]) + "."
        for node in accused[:MOST] if node.reason]
    if verdict.exclude or verdict.hosts(SUSPECTED):
        named = [*verdict.exclude, *verdict.hosts(SUSPECTED)]
        told.append(EXCLUDE + ",".join(named))
    return [*told, sentence(nodes_text.smallest(verdict))]


# ----------------------------------------------------------------------------------- the scaling

def scaling(found: Material) -> list:
    """The curves that end lowest, in a sentence each."""
    those = sorted(report_scaling.worth(found), key=lambda one: float(
        np.nan_to_num(one.efficiency[-1, 0])))
    return [f"{one.curve.title}: {scaling_text.measured(one).partition(': ')[2]}."
            for one in those[:MOST]]
