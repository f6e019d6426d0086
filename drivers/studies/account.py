"""What became of the launches: in words, and as an exit status."""

import collections
import re

from studies import run
from studies.words import near, several

FAILED, INVALID, UNFINISHED = 1, 3, 4
STOPPED = "stopped"  # of a launch: begun or not, it has to be run


def account(plans, folder):
    """Says it; returns the exit status that this deserves."""
    order = [launch for plan in plans for launch in plan.order]
    last = run.records(folder)
    by = collections.defaultdict(list)
    for launch in order:
        status = last.get(launch.name, {}).get("status", STOPPED)
        by[status].append(launch)
    print(summary(by, len(order)))
    for status, word in (("invalid", "INVALID"), ("failed", "failed")):
        reasons = collections.Counter(kind(run.reason(launch, folder)) for launch in by[status])
        for reason, times in reasons.most_common(5):
            print(f"  {times} {word}: {reason}")
    for launch in by["failed"][:10]:
        print(f"  FAILED {launch.name}: see {near(run.log_of(launch, folder))}")
    if by["failed"]:
        return FAILED
    if by[STOPPED]:
        return UNFINISHED
    wanted = {launch.cell for launch in order if not launch.cell.control}
    return INVALID if wanted - {launch.cell for launch in by["done"]} else 0


def summary(by, number):
    """by: status -> launches."""
    text = f"{several(len(by['done']), 'valid launch')} of {number}"
    if by["invalid"]:
        text += f", {len(by['invalid'])} marked INVALID"
        meant = sum(launch.cell.control for launch in by["invalid"])
        text += f" ({meant} of them on purpose)" if meant else ""
    text += f", {len(by['failed'])} failed" if by["failed"] else ""
    return text + (f", {len(by[STOPPED])} not run" if by[STOPPED] else "")


def kind(reason):
    """Without the counts in parentheses, which differ from launch to launch."""
    return re.sub(r" \([^()]*\)", "", reason)
