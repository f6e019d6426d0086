"""Section of the report: what interrupts the workers, and what would it cost?"""

from __future__ import annotations

import math

import numpy as np

import bsp
import detours
import noise_text
import page
import plot_detours
import plot_noise
import plot_slowdown
import plot_svg
import words
from material import Material
from plot_svg import figure
from survey import Grain, Survey

TITLE = "What interrupts the workers, and what would it cost?"


def section(found: Material) -> list:
    """Of one run: spectrum, lengths of interruptions, predicted slowdown, causes."""
    one = found.noise
    if one is None:
        return []
    return [page.tag("p", looked_at(found, one)), *spectrum(one), *lengths(one), *slowdown(one),
            page.folded("Causes that were looked for, with what would have been seen",
                        page.tag("pre", "\n".join(noise_text.causes(one)))),
            page.bullets(one.notes)]


def looked_at(found: Material, one: Survey) -> str:
    workers = one.trace.nworkers
    all_ = found.loudest.trace.nworkers if found.loudest else workers
    some = f"all {workers}" if workers == all_ else f"{workers} of {all_}, evenly chosen"
    return (f"Looked at: {one.trace.path}, {one.seconds:.3g} s of each worker ({some}). "
            f"What is lost: {lost(one)}; {bsp.invisible(workers, one.seconds)}.")


def lost(one: Survey) -> str:
    shares = 100 * np.array([p.lost for p in one.portraits])
    return (f"{np.median(shares):.3g} % of the time of the middle worker (least {shares.min():.3g} "
            f"%, most {shares.max():.3g} %)")


def spectrum(one: Survey) -> list:
    loud = sorted((p for p in one.portraits if p.spectrum), key=lambda p: -p.lost)
    if not loud:
        return []
    ticks = sorted({t.frequency for p in loud for t in p.ticks if t.found})
    made, [axes] = figure(2.8)
    plot_svg.zoomable(axes)
    plot_noise.spectrum(axes, {
        f"worker {p.worker}": (p.spectrum.frequency, p.spectrum.height)
        for p in loud[:plot_noise.LINES] if p.spectrum}, ticks)
    return [page.tag("h3", "What comes back regularly"), page.plot(
        plot_svg.svg(made, "spectrum"),
        "A line that stands out comes back so many times a second. " + (
            f"The timer's tick is found at {' and '.join(f'{t:g} Hz' for t in ticks)}. " if ticks
            else "No timer tick is found. ")
        + f"Shown: the {min(len(loud), plot_noise.LINES)} workers that lost most; 1: like the "
        "frequencies around it.")]


def lengths(one: Survey) -> list:
    table = np.array([p.lengths.per_second for p in one.portraits])
    if np.isnan(table).any() or not table.any():
        return []
    kept = [i for i in range(table.shape[1]) if table[:, i].any()]
    longest = max(one.portraits, key=lambda p: p.lengths.longest)
    return [page.tag("h3", "How long interruptions are"), page.plot(
        plot_svg.svg(plot_detours.draw([detours.DECADE_NAMES[i] for i in kept], table[:, kept]),
                     "detours"),
        f"Bars: the middle worker; whiskers: from the least to the most disturbed one. The "
        f"longest interruption, {words.span(longest.lengths.longest)}, met worker "
        f"{longest.worker}.")]


def slowdown(one: Survey) -> list:
    told = [grain for grain in one.grains if len(grain.predictions) > 1]
    if not told:
        return []
    return [page.tag("h3", "What it would cost ranks that wait for each other"), page.plot(
        plot_svg.svg(plot_slowdown.draw(told), "slowdown"),
        "; ".join(map(costs, told)) + ". Bands: 95 %; dotted: at most so much. It holds for "
        "noise like that of this trace, and no further than a tenth of the steps seen.")]


def costs(one: Grain) -> str:
    last = one.predictions[-1]
    spread = "interval unknown" if math.isnan(last.low) else words.interval((last.low, last.high))
    return (f"{last.ranks} ranks that meet after every {words.span(one.grain)} take "
            f"{words.number(last.slowdown)} times as long {spread}"
            + ("" if one.steady else " (the noise is not stationary: no verdict)"))
