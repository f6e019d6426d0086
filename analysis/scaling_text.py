"""Scaling curves as text for a person. Nothing is computed here."""

from __future__ import annotations

import math

import numpy as np

import curves
import models
import stats
import words
from curves import Beyond, Study
from models import Fit
from words import aligned, share, wrap


def text(whole) -> str:
    """whole: scaling.Whole."""
    if not whole.studies:
        return "no curve: every layout was run at one scale only"
    parts = [part for one in whole.studies for part in curve_parts(one)]
    parts += bad_nodes(whole) if whole.bad else []
    return "\n\n".join("\n".join(part) for part in parts if part)


def curve_parts(one: Study) -> list[list[str]]:
    return [title(one), table(one), model_table(one), verdict(one), node_and_scale(one)]


def title(one: Study) -> list[str]:
    lines = wrap(one.curve.title)
    few = min(len(p.times) for p in one.curve.points)
    notes = list(one.curve.notes)
    if curves.FEWEST <= few < curves.MANY:
        notes.append(f"{few} launches of a scale: bands from fewer than {curves.MANY} are a first "
                     "look")
    for note in notes:
        lines += wrap("! " + note)
    return lines


# -------------------------------------------------------------------------------------- the table

HEAD = ("launches", "time", "speed-up", "interval", "efficiency", "e", "interval", "parallel",
        "threads", "ranks", "nodes", "meeting", "combining", "OpenMP", "MPI", "compute")


def table(one: Study) -> list[str]:
    lines = aligned(rows(one))
    return lines + [line for note in attribution(one) for line in wrap(note)]


def rows(one: Study) -> list[list[str]]:
    """A head and one row for each scale; columns that are unknown everywhere are left out."""
    found: list[tuple[str, ...]] = [(one.curve.unit, *HEAD)]
    for i, point in enumerate(one.curve.points):
        t, (openmp, mpi) = point.tree, point.tree.parts(point.cell.layout)
        found.append((
            str(point.scale), str(len(point.times)),
            words.span(1e9 * point.median) if one.curve.seconds else words.number(
                point.median / one.curve.points[0].median, 3),
            words.number(one.speedup[i, 0], 3), interval(one.speedup[i]),
            share(one.efficiency[i, 0]), words.number(one.karp_flatt[i, 0], 2),
            interval(one.karp_flatt[i], 2), *map(share, (
                t.parallel, t.threads, t.ranks, t.nodes, t.meeting, t.combining, openmp, mpi,
                one.compute[i]))))
    kept = [i for i in range(len(found[0]))
            if any(row[i] not in (words.UNKNOWN, "0") for row in found[1:])]
    return [[row[i] for i in kept] for row in found]


def interval(row, digits: int = 3) -> str:
    return words.interval((row[1], row[2]), digits=digits)


def attribution(one: Study) -> list[str]:
    """What the columns cannot tell apart."""
    layouts = {point.cell.layout for point in one.curve.points}
    if all(math.isnan(point.tree.threads) for point in one.curve.points):
        return ["binning gives each worker the same time: parallel is the share of it in which "
                "workers run; there is nothing that they wait for"]
    notes = ["meeting holds serialisation and the cost of the barrier; they cannot be told apart "
             "here"]
    if "hybrid" in layouts:
        notes.append("hybrid: meeting and combining hold the threads' own too, so MPI is a lower "
                     "bound and OpenMP an upper one")
    return notes


# ------------------------------------------------------------------------------------- the models

def model_table(one: Study) -> list[str]:
    if not one.fits:
        return []
    lines = ["speed-up against scale, as the models see it:", *aligned(model_rows(one), 2)]
    return lines + wrap(MODEL_WORDS)


MODEL_WORDS = ("left out: mean error of each scale predicted from the others (SMAPE); "
               "held out: the largest one from the smaller ones")


def model_rows(one: Study) -> list[list[str]]:
    last, n = one.curve.points[-1].scale, len(one.p)
    ahead = [f"at {b.scale:g}" for b in one.beyond]
    found = [["model", "parameters", "left out", f"held out {last}", *ahead]]
    for fit in one.fits:
        said = [speed(one, fit, n + i, b) for i, b in enumerate(one.beyond)]
        found.append([fit.name, parameters(fit), words.signed(fit.smape).lstrip("+"),
                      held_out(fit), *said])
    return found


def parameters(fit: Fit) -> str:
    if fit.name == "PMNF":
        chosen = fit.values["draws that choose this term"][0]
        return f"{fit.formula} (in {100 * chosen:.0f} % of the draws)"
    told = []
    for name, (value, low, high) in fit.values.items():
        bounds = "" if math.isnan(low) else f" [{low:.2g}, {high:.2g}]"
        loose = ", not identified" if low <= 1e-9 else ""
        told.append(f"{name} = {value:.2g}{bounds}{loose}")
    return "; ".join(told)


def held_out(fit: Fit) -> str:
    if math.isnan(fit.forward):
        return words.UNKNOWN
    return f"{words.signed(fit.forward)} {'holds' if fit.holds else 'FAILS'}"


def speed(one: Study, fit: Fit, i: int, ahead: Beyond) -> str:
    for name, value, low, high in ahead.each:
        if name == fit.name:
            return f"{words.number(value, 3)} {words.interval((low, high), digits=3)}"
    return "too few scales" if fit.holds else words.UNKNOWN


# ------------------------------------------------------------------------------------ the verdict

def verdict(one: Study) -> list[str]:
    """What may be said beyond what was measured."""
    return [line for sentence in sentences(one) for line in wrap(sentence)]


def sentences(one: Study) -> list[str]:
    last, found = one.curve.points[-1], [measured(one)]
    if one.curve.strong and trend(one):
        found.append(trend(one))
    if one.refusal:
        return [*found, f"beyond {last.scale}: nothing. {one.refusal}"]
    return [*found, *(beyond(ahead, one) for ahead in one.beyond),
            f"nothing is said beyond {models.FARTHEST * last.scale:g}, and all of this only if no "
            "new regime begins (another socket, another switch, a cache that overflows)"]


def measured(one: Study) -> str:
    last, best = one.curve.points[-1], one.speedup[:, 0].argmax()
    return (f"measured: at {last.scale} {one.curve.unit} the speed-up over "
            f"{one.curve.points[0].scale} is {words.number(one.speedup[-1, 0], 3)} "
            f"{words.known(interval(one.speedup[-1]))}, "
            f"{words.percent(one.efficiency[-1, 0])} of the ideal"
            + (f"; the best is {words.number(one.speedup[best, 0], 3)} at "
               f"{one.curve.points[best].scale}" if best < len(one.p) - 1 else ""))


def beyond(ahead: Beyond, one: Study) -> str:
    names = [name for name, *_ in ahead.each]
    told = (f"at {ahead.scale:g} {one.curve.unit}: speed-up {words.number(ahead.low, 3)} to "
            f"{words.number(ahead.high, 3)}, the span of all models that hold")
    if len(names) < 2:
        return told + f" ({names[0]} alone)"
    return told + (f"; they disagree there ({', '.join(names)}), and these data cannot say which "
                   "is right" if ahead.apart else
                   f"; the bands of {', '.join(names)} overlap: these data do not tell them apart")


def trend(one: Study) -> str:
    """What Karp and Flatt's number does."""
    known = [row for row in one.karp_flatt if not math.isnan(row[0])]
    if len(known) < 2 or math.isnan(known[0][1]):
        return ""
    first, last = known[0], known[-1]
    if last[1] > first[2]:
        return "e rises: an overhead grows with the scale, a serial part alone does not explain it"
    if last[2] < first[1]:
        return "e falls: faster than Amdahl allows (caches), or the smallest run was a slow one"
    if any(fit.name == "Amdahl" and fit.holds for fit in one.fits):
        return "e does not change beyond its intervals: a constant serial part explains the curve"
    return "e does not change beyond its intervals"


# ---------------------------------------------------------------------------------- node and scale

def node_and_scale(one: Study) -> list[str]:
    first, *rest = apart(one) or [""]
    return [*wrap(first), *(line for text in rest for line in wrap(f"  {text}", "    "))]


def apart(one: Study) -> list[str]:
    """What the ladder says of scale and of node, in sentences; empty without one."""
    found = one.ladder
    if found is None:
        return []
    acts = {"slowest": "the slowest node sets the pace", "mean": "what the nodes do adds up"}
    scale = ", ".join(f"{s}: {words.number(row[0], 3)} {words.known(interval(row))}"
                      for s, row in zip(found.scales, found.scale))
    lines = [f"scale and node, told apart by runs on different subsets: {acts[found.link]} "
             f"(leaves {100 * found.residual:.2g} %; the other way {100 * found.other:.2g} %)",
             f"time of median nodes against {found.scales[0]}: {scale}"]
    told = [(h, row) for h, row in zip(found.hosts, found.node) if not math.isnan(row[0])]
    told.sort(key=lambda item: -item[1][0])
    named = ", ".join(f"{h} {words.signed(row[0])} {effect_bounds(row)}" for h, row in told[:8])
    if told:
        lines.append(f"time of a node against the median one, slowest first: {named}"
                     + (f" and {len(told) - 8} more" if len(told) > 8 else ""))
    if np.isnan(found.scale).any() or any(math.isnan(row[1]) for _, row in told):
        lines.append("an interval is unknown where one of the subsets has fewer than "
                     f"{stats.FEWEST_LAUNCHES} launches")
    mixed = [h for h, row in zip(found.hosts, found.node) if math.isnan(row[0])]
    if mixed:
        lines.append(f"not separable from the scale: {', '.join(mixed[:8])}; run them alone, or "
                     "in disjoint subsets")
    return lines


def effect_bounds(row: np.ndarray) -> str:
    """Of an effect with its interval, shares."""
    return words.known(words.UNKNOWN if math.isnan(row[1]) else
                       f"[{100 * row[1]:+.2f}, {100 * row[2]:+.2f}]")


# -------------------------------------------------------------------------------------- bad nodes

def bad_nodes(whole) -> list[list[str]]:
    """The curves beside those without the bad nodes."""
    parts = [wrap(f"without {', '.join(whole.bad)} ({whole.why_bad}):")]
    measured_ = {one.curve.key: one for one in whole.without}
    for one in whole.studies:
        if has(one, whole.bad):
            parts.append(beside(one, measured_.get(one.curve.key), whole.bad))
    return parts if len(parts) > 1 else [parts[0] + ["  no curve has them in it"]]


def has(one: Study, bad) -> bool:
    """Some of these nodes took part in it."""
    return any(set(x.trace.hostnames) & set(bad)
               for point in one.curve.points for x in point.cell.used)


def beside(one: Study, other: Study | None, bad) -> list[str]:
    lines = wrap(one.curve.title) + aligned(beside_rows(one, other, bad))
    if all(math.isnan(v) for v in curves.corrected(one, bad)):
        lines += wrap("if they were median: needs runs on different subsets (drivers/study ladder)")
    return lines


def beside_rows(one: Study, other: Study | None, bad) -> list[list[str]]:
    rest = {p.scale: (i, p) for i, p in enumerate(other.curve.points)} if other else {}
    model = curves.corrected(one, bad)
    found = [[one.curve.unit, "time", "without", "gain", "speed-up", "if they were median"]]
    for i, point in enumerate(one.curve.points):
        twin = rest.get(point.scale, (0, None))[1]
        found.append([
            str(point.scale), time_of(one, point.median), time_of(one, twin.median) if twin else
            "always in", words.signed(point.median / twin.median - 1) if twin else words.UNKNOWN,
            words.number(one.speedup[i, 0], 3), words.number(model[i], 3)])
    return found


def time_of(one: Study, seconds: float) -> str:
    if one.curve.seconds:
        return words.span(1e9 * seconds)
    return words.number(seconds / one.curve.points[0].median, 3)
