"""What became of the launches: in words, and as an exit status."""

import collections
import re

from studies import run
from studies.words import near, several

FAILED, INVALID = 1, 3


def account(plans, folder):
    """Says it; returns the exit status that this deserves."""
    order = [launch for plan in plans for launch in plan.order]
    last = run.records(folder)
    by = collections.defaultdict(list)
    for launch in order:
        by[last[launch.name]["status"]].append(launch)
    print(summary(by, len(order)))
    for status, word in (("invalid", "INVALID"), ("failed", "failed")):
        reasons = collections.Counter(kind(run.reason(launch, folder)) for launch in by[status])
        for reason, times in reasons.most_common(5):
            print(f"  {times} {word}: {reason}")
    for launch in by["failed"][:10]:
        print(f"  FAILED {launch.name}: see {near(run.log_of(launch, folder))}")
    if by["failed"]:
        return FAILED
    wanted = {launch.cell for launch in order if not launch.cell.control}
    return INVALID if wanted - {launch.cell for launch in by["done"]} else 0


def summary(by, number):
    """by: status -> launches."""
    text = f"{several(len(by['done']), 'valid launch')} of {number}"
    if by["invalid"]:
        text += f", {len(by['invalid'])} marked INVALID"
        meant = sum(launch.cell.control for launch in by["invalid"])
        text += f" ({meant} of them on purpose)" if meant else ""
    return text + (f", {len(by['failed'])} failed" if by["failed"] else "")


def kind(reason):
    """Without the counts in parentheses, which differ from launch to launch."""
    return re.sub(r" \([^()]*\)", "", reason)
