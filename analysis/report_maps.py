"""Part of the report: work over time, worker by worker. Which worker, and when?

Two pictures: the largest run against the middle worker, and every layout against its own best rate.
"""

from __future__ import annotations

import math

import numpy as np

import heat
import page
import plot_bins
import plot_heat
import plot_svg
import words
from maps import Lane, Map

STANDS_OUT = 0.02  # of the middle worker's best rate
MOST = 8  # layouts below each other


def parts(maps: list[Map]) -> list:
    """A heat map of each run that was chosen."""
    made = []
    for i, one in enumerate(maps):
        drawn = plot_svg.svg(plot_heat.draw(one.heat, one.rows, one.row_hosts, one.millis), f"map{i}")
        made += [page.tag("h3", f"Work over time: {one.title}"), page.plot(
            drawn, " ".join((worst(one), "Even colour is undisturbed work; dark: off the CPU.",
                             *how(one))),
            [heat.told(one.heat, one.rows, one.millis, "ms")])]
    return made


def layouts(lanes: list[Lane], title: str, name: str) -> list:
    """Did the workers of each layout run at the same time?"""
    shown = lanes[:MOST]
    if len(shown) < 2:
        return []
    made = plot_bins.draw([one.title for one in shown], [one.share for one in shown],
                          [one.millis for one in shown])
    low = min(shown, key=lambda one: one.share.mean())
    some = "" if len(shown) == len(lanes) else f" Shown: the first {MOST} of {len(lanes)} layouts."
    return [page.tag("h3", f"Did the workers run at the same time? {title}"), page.plot(
        plot_svg.svg(made, name),
        "Even colour means undisturbed work; dark means that the worker did not run. The most "
        f"disturbed is {low.title}: its workers did {100 * low.share.mean():.0f} % of what their "
        "own best rate would give. Shown: the middle repetition of the middle launch." + some)]


def worst(one: Map) -> str:
    """The sentence that says what to see."""
    at = int(one.heat.whole.argmin())
    value, middle = (words.percent(float(x)) for x in (
        one.heat.whole[at], np.median(one.heat.whole)))
    name = f"worker {one.numbers[at]} on {one.hosts[at]}"
    if one.heat.whole[at] > np.median(one.heat.whole) - STANDS_OUT:
        return (f"No worker stands out: the slowest, {name}, did {value} of the middle worker's "
                f"best rate, the middle one {middle}.")
    return (f"Look at {name}: it did {value} of the middle worker's best rate, the middle one "
            f"{middle}.")


def how(one: Map) -> list[str]:
    """What the picture is of, and how it was made."""
    told = ["Shown: the middle repetition of the middle launch"
            + (" of each node, which ran alone, so their moments are not the same." if one.alone
               else ".")]
    if one.heat.pooled:
        rows = one.heat.each.shape[1]
        told.append(f"{len(one.heat.row)} workers share {rows} rows: colour is their mean; lines "
                    "at the right and the band below reach from the least to the most.")
    if math.isinf(one.known):
        told.append("The nodes' clocks were not compared: each row has its own node's time.")
    elif one.known and not one.alone:
        told.append(f"All nodes are on one time axis, known to ±{words.span(one.known)}.")
    return told
