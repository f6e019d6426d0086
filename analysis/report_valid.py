"""Section of the report: is the data valid?"""

from __future__ import annotations

import cells
import page
from material import Material
from report_words import count, few, named

TITLE = "Is the data valid?"
MOST = 40  # INVALID launches that are listed


def section(found: Material) -> list:
    """The verdict in words; which launches are INVALID, and why; what could not be read."""
    verdict, mark = judge(found)
    notes = reasons(found) + [f"left out: {error}" for error in found.bad]
    return [page.tag("div", page.tag("strong", verdict + ". "), meaning(found, mark),
                     page.bullets(notes), cls=f"verdict {mark}"), *listed(found)]


def reasons(found: Material) -> list[str]:
    """Each reason once, with the layouts that show it and how many of their launches."""
    seen: dict[str, list[str]] = {}
    for group in found.groups:
        for cell in group.cells:
            wrong = sum(not x.valid for x in cell.launches)
            for text in cells.reasons(cell):
                seen.setdefault(text, []).append(
                    f"{named(group, cell)} ({wrong} of {count(len(cell.launches), 'launch')})")
    return [f"{text}: {few(those, MOST)}" for text, those in seen.items()]


def judge(found: Material) -> tuple[str, str]:
    """(verdict in words, good, warn or bad)."""
    launches = found.launches
    wrong = sum(not launch.valid for launch in launches)
    if wrong:
        return f"{wrong} of {len(launches)} launches are INVALID", "bad"
    if found.bad:
        return f"All {len(launches)} launches that could be read are valid", "warn"
    return f"All {len(launches)} launches are valid", "good"


def meaning(found: Material, mark: str) -> str:
    if mark == "good":
        return ("Workers ran where and when they should: CPUs, migrations, quotas, page faults "
                "and clocks were checked during each run.")
    if mark == "bad":
        return ("They are ranked all the same, as you asked." if found.rules.allow_invalid else
                "They are shown below, but not ranked, and count in no number.")
    return ""


def listed(found: Material) -> list:
    """Every INVALID launch with its own reasons."""
    wrong = [(named(group, cell), launch) for group in found.groups for cell in group.cells
             for launch in cell.launches if not launch.valid]
    if not wrong:
        return []
    rows = [[page.tag("code", launch.trace.path), name, launch.reasons]
            for name, launch in wrong[:MOST]]
    more = f", the first {MOST} of them" if len(wrong) > MOST else ""
    return [page.folded(f"Each INVALID launch and its reason{more}",
                        page.table(["trace", "layout", "reason"], rows, left=3, text="reason"))]
