"""The report's first answers as text, for who has a terminal and no browser.

The answers are those of the page, from the same Material. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import cells
import compare
import console
import heat_text
import nodes_text
import report_gain
import report_nodes
import report_summary
import report_valid
import words
from material import Material
from report_words import named

GAIN = ("layout", "workers", "launches", "rate", "speed-up", "interval", "of C", "per core")
BAR = 50  # characters of a stacked bar at most
SIGNS = {True: "█▓▒░", False: "#+-."}  # of the parts of a bar; does the terminal carry the first?


def text(found: Material, columns: int, colour: bool) -> str:
    """All answers, the one in words last: that is where a terminal stands."""
    parts = [
        ("Is the data valid?", safe(valid(found))),
        ("What did each layout gain?", gain(found, columns, colour)),
        ("Where did the rest go?", safe(rest(found, columns))),
        ("Did the workers really run at the same time?",
         safe(heat_text.text(found.maps, columns))),
        ("Which node is different?", safe(nodes(found))),
        (report_summary.TITLE, safe(short(found))),
    ]
    return "\n\n".join("\n".join([console.paint(title, "1", colour), *lines])
                       for title, lines in parts if lines)


def safe(lines: Sequence[str]) -> list[str]:
    """As the terminal can show them. Colour is put on afterwards."""
    return [words.shown(line) for line in lines]


def valid(found: Material) -> list[str]:
    verdict, mark = report_valid.judge(found)
    lines = words.wrap(f"{verdict}. {report_valid.meaning(found, mark)}", "")
    for group in found.groups:
        for cell in group.cells:
            if cells.reasons(cell):
                lines += words.wrap(f"! {named(group, cell)}: {'; '.join(cells.reasons(cell))}")
    return lines


def gain(found: Material, columns: int, colour: bool) -> list[str]:
    """A table for each work, then what is best in it. The table is coloured, so safe already."""
    lines: list[str] = []
    for group in found.groups:
        rows, _, marked = compare.grid(group, columns, colour, GAIN)
        lines += [*compare.heading(group, columns, False), *rows, *safe(remarks(group, marked)), ""]
    return lines[:-1]


def remarks(group: cells.Group, marked: bool) -> list[str]:
    lines: list[str] = []
    if marked:
        lines += words.wrap("* spread within one launch; the next launch may differ by more")
    for warning in group.warnings:
        lines += words.wrap("! " + warning) if warning.startswith("ERROR") else []
    others = report_gain.gained(group)
    return lines + (words.wrap(report_gain.best_of(others), "") if others else [])


def rest(found: Material, columns: int) -> list[str]:
    """The efficiency tree as stacked bars."""
    lines: list[str] = []
    for group in found.groups:
        known = [(cell.name + " INVALID" * (not cell.valid), parts) for cell in group.cells
                 if (parts := cells.losses(cell))]
        if known:
            lines += [*words.wrap(group.title), *bars(known, columns), ""]
    return lines[:-1]


def bars(known: Sequence[tuple[str, dict]], columns: int) -> list[str]:
    """known: (name, part -> share of the core time); the parts sum to 1."""
    signs = SIGNS[words.carries(SIGNS[True])]
    wide = max(len(name) for name, _ in known)
    length = max(min(BAR, columns - wide - 9), 10)
    names = list(known[0][1])
    return [*words.wrap("  ".join(f"{sign} {name}" for sign, name in zip(signs, names)), ""),
            *(f"{name:<{wide}}  {bar(list(parts.values()), signs, length)}  "
              f"{100 * parts[names[0]]:3.0f} %" for name, parts in known)]


def bar(shares: Sequence[float], signs: str, length: int) -> str:
    """Each share as many of its sign as it fills, by the rounded sums up to it."""
    drawn, total = "", 0.0
    for share, sign in zip(shares, signs):
        total += share
        drawn += sign * (round(length * min(total, 1)) - len(drawn))
    return drawn.ljust(length)


def nodes(found: Material) -> list[str]:
    verdict = found.verdict
    if verdict is None:
        return []
    lines = words.wrap(report_nodes.said(verdict) + ".")
    for told in report_nodes.standing_out(verdict):
        lines += words.wrap(told)
    for node in nodes_text.accused(verdict):
        lines += nodes_text.accusation(node)
    for note in verdict.notes:
        lines += words.wrap("! " + note)
    for part in (nodes_text.cost(verdict), nodes_text.what_to_do(verdict)):
        lines += ["", *part] if part else []
    return lines


def short(found: Material) -> list[str]:
    """The page's own first section."""
    lines: list[str] = []
    for question, answers in report_summary.answers(found):
        lines += words.wrap(question)
        for answer in answers:
            lines += words.wrap("  " + answer, "    ")
    return lines
