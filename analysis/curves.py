"""From cells to curves of time against scale, and what may be said of them. Nothing is printed.

A curve stays inside one regime: workers inside a node, or full nodes across the machine. A socket
or a network between two points is no trend, and a fit across it has no meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import ladder
import models
import tree
from cells import Cell, Group, Launch
from models import Fit

INSIDE, ACROSS = "inside a node", "across full nodes"
FEWEST = 3  # launches of a point before it has a band
MANY = 8  # launches from which a bootstrap is for publication


@dataclass(frozen=True)
class Point:
    """One scale. times (launch,): s if the size of the work is known, else relative."""

    scale: int
    cell: Cell
    times: np.ndarray
    tree: tree.Tree

    @property
    def median(self) -> float:
        return float(np.median(self.times))


@dataclass(frozen=True)
class Curve:
    """Points of one layout in one regime, smallest scale first. kind: strong, weak, fixed time.

    way: its name, with the kernels' hash where several ran in it.
    """

    group: str
    way: str
    regime: str
    kind: str
    seconds: bool
    points: tuple[Point, ...]
    notes: tuple[str, ...]

    @property
    def unit(self) -> str:
        return "workers" if self.regime == INSIDE else "nodes"

    @property
    def strong(self) -> bool:
        return self.kind == "strong"

    @property
    def title(self) -> str:
        return f"{self.group}: {self.way}, {self.regime}" + (
            f" ({self.kind})" if self.kind == "fixed time" else "")

    @property
    def key(self) -> tuple:
        """The same for the same curve of other nodes. Only the first point can be another way's."""
        return self.group, self.regime, way_of(self.points[-1].cell)

    @property
    def scales(self) -> np.ndarray:
        return np.array([p.scale for p in self.points])


@dataclass(frozen=True)
class Beyond:
    """What the models say of a scale that was not measured: speed-ups of all, and their span."""

    scale: float
    each: tuple[tuple[str, float, float, float], ...]  # model, speed-up, low, high
    low: float
    high: float
    apart: bool  # some two models' bands do not overlap


@dataclass(frozen=True)
class Study:
    """A curve with everything that is said about it.

    p : (n,) relative scales; speedup, karp_flatt: (n, 3) value and 95 % interval, nan: unknown
    compute : (n,) speed of a busy core against the smallest scale's (POP's computation scaling)
    refusal : why nothing is said beyond the largest scale; "": beyond says it
    """

    curve: Curve
    p: np.ndarray
    speedup: np.ndarray
    karp_flatt: np.ndarray
    compute: np.ndarray
    fits: tuple[Fit, ...]
    beyond: tuple[Beyond, ...]
    refusal: str
    ladder: ladder.Ladder | None

    @property
    def efficiency(self) -> np.ndarray:
        return self.speedup / self.p[:, None]

    @property
    def knee(self) -> bool:
        """There are models, and none of them predicts the largest scale from the others."""
        known = [f for f in self.fits if not math.isnan(f.forward)]
        return bool(known) and not any(f.holds for f in known)


# ------------------------------------------------------------------------------------- the curves

def curves(groups: Iterable[Group], allow_invalid: bool = False) -> list[Curve]:
    """All curves of two scales and more, group by group."""
    found = []
    for group in groups:
        good = [c for c in group.cells if (c.valid or allow_invalid) and c.rate > 0]
        seen = dict.fromkeys(map(way_of, good))
        for way in seen:
            mine = [c for c in good if way_of(c) == way]
            name = _shown(way, seen)
            found += [c for c in (_inside(group, name, mine, good), _across(group, name, mine))
                      if len(c.points) > 1]
    return found


def _shown(way: tuple, seen: Iterable[tuple]) -> str:
    """Its name; with the kernels' hash where one of the same name has another."""
    name, kernel_hash = way
    twins = sum(other == name for other, _ in seen)
    return name if twins < 2 else f"{name}, kernels {kernel_hash[:12] or 'without a hash'}"


def way_of(cell: Cell) -> tuple:
    """Cells of one way differ in scale only."""
    single = cell.layout == "hybrid" and cell.ranks == (cell.nodes or 1)
    name = cell.label + (", one rank a node" if single else "") + (
        ", BLAS threads" if cell.blas_threads > 1 else "") + ("" if cell.pinned else ", unpinned")
    return name, cell.kernel_hash


def _inside(group: Group, way: str, mine: Sequence[Cell], everyone: Sequence[Cell]) -> Curve:
    chosen, notes = _one_each([c for c in mine if (c.nodes or 1) == 1], lambda c: c.cores)
    serial = [c for c in everyone if c.label == "serial" and c.cores == 1
              and c.language == mine[0].language]
    twins = [c for c in serial if c.kernel_hash == mine[0].kernel_hash]
    if chosen and 1 not in chosen and twins:
        chosen[1] = twins[0]
        notes.append("1 worker: the serial layout, for this one has no run with one")
    elif chosen and 1 not in chosen and serial:
        notes.append("no point at 1 worker: serial ran other kernels (hash differs)")
    return _curve(group, way, INSIDE, chosen, notes)


def _across(group: Group, way: str, mine: Sequence[Cell]) -> Curve:
    """Only full nodes: as many workers on each as the fullest run has."""
    full = max((c.cores // c.nodes for c in mine if c.nodes and c.nodes > 1), default=0)
    fits = [c for c in mine if c.cores == full * (c.nodes or 1)]
    chosen, notes = _one_each(fits, lambda c: c.nodes or 1)
    left = sum((c.nodes or 1) > 1 for c in mine) - sum((c.nodes or 1) > 1 for c in fits)
    if left:
        notes.append(f"{left} cells that do not fill their nodes are left out")
    return _curve(group, way, ACROSS, chosen, notes)


def _one_each(those: Sequence[Cell],
              scale: Callable[[Cell], int]) -> tuple[dict[int, Cell], list[str]]:
    """The fastest cell of every scale, and a word about the others."""
    chosen: dict[int, Cell] = {}
    for cell in sorted(those, key=lambda c: -c.rate):
        chosen.setdefault(scale(cell), cell)
    more = len(those) - len(chosen)
    return chosen, [f"{more} slower splits of the same scales are left out"] if more else []


def _curve(group: Group, way: str, regime: str, chosen: dict[int, Cell],
           notes: list[str]) -> Curve:
    kernel = group.work["kernel"]
    kind = "fixed time" if kernel == "binning" else str(group.work["scaling"] or "strong")
    points = tuple(_point(chosen[scale], scale, kernel, group.work["size"], kind == "strong")
                   for scale in sorted(chosen))
    notes = [*notes, *(f"{p.scale}: {len(p.times)} launches, too few for a band"
                       for p in points if len(p.times) < FEWEST)]
    return Curve(group.title, way, regime, kind, units(kernel, group.work["size"]) > 0, points,
                 tuple(notes))


def units(kernel: object, size: int | None) -> float:
    """Units of work of the whole problem (strong) or of each worker's share (weak); 0: unknown."""
    return {"dot": float(size or 0), "matmul": float(size or 0) ** 3}.get(str(kernel), 0.0)


def _point(cell: Cell, scale: int, kernel: object, size: int | None, strong: bool) -> Point:
    work = (units(kernel, size) or 1.0) * (1 if strong else cell.cores)
    return Point(scale, cell, work / cell.rates, tree.middle([_tree(x) for x in cell.used]))


def _tree(launch: Launch) -> tree.Tree:
    if not math.isnan(launch.tree.parallel):
        return launch.tree
    nan = math.nan  # a window waits for nobody
    return tree.Tree(launch.efficiency.parallel, nan, nan, nan, nan, nan)


# -------------------------------------------------------------------------------- what they say

def study(curve: Curve, at: Sequence[float] = ()) -> Study:
    """at: scales to predict; empty: twice and four times the largest."""
    scales = curve.scales
    p = scales / scales[0]
    t = models.draws([point.times for point in curve.points])
    banded = min(len(point.times) for point in curve.points) >= FEWEST
    if not banded:
        t = t[:, :1]
    wanted = np.array(at or (2 * scales[-1], 4 * scales[-1]), float)
    allowed = wanted[wanted <= models.FARTHEST * scales[-1]]
    fits = models.family(p, t, np.concatenate([p, allowed / scales[0]]), curve.strong)
    refusal = why_not(curve, fits, banded)
    base = 1.0 if curve.strong else p[:, None]
    speedup = _three(base * t[:1] / t)
    parallel = np.array([point.tree.parallel for point in curve.points])
    return Study(
        curve, p, speedup,
        models.karp_flatt(p, t) if curve.strong else np.full((len(p), 3), np.nan),
        (speedup[:, 0] / p) / (parallel / parallel[0]), tuple(fits),
        () if refusal else tuple(_beyond(curve, fits, t[0, 0], scale, len(p) + i)
                                 for i, scale in enumerate(allowed)),
        refusal, _ladder(curve))


def _three(draws: np.ndarray) -> np.ndarray:
    """(n, draw), the first being the data's own -> (n, 3): value, low, high."""
    low, high = models.bounds(draws[:, 1:])
    return np.stack([draws[:, 0], low, high], axis=1)


def why_not(curve: Curve, fits: Sequence[Fit], banded: bool) -> str:
    """Why nothing can be said beyond the largest scale, or ""."""
    number = len(curve.points)
    if number < models.FEWEST_SCALES:
        return (f"{number} distinct scales: nothing is extrapolated from fewer than "
                f"{models.FEWEST_SCALES}")
    if not banded:
        return f"a scale with fewer than {FEWEST} launches: no band, so nothing is extrapolated"
    if not any(f.holds for f in fits):
        told = ", ".join(f"{f.name} {100 * f.forward:+.0f} %" for f in fits)
        return (f"no model predicts the time at {curve.points[-1].scale} {curve.unit} from the "
                f"smaller scales ({told}): another regime begins, and there is nothing to "
                "extrapolate")
    if not usable(fits):
        return "the models that hold have too many parameters for so few scales"
    return ""


def usable(fits: Sequence[Fit]) -> list[Fit]:
    """Models that may speak: enough scales, and the largest one predicted."""
    return [f for f in fits if f.enough and f.holds]


def _beyond(curve: Curve, fits: Sequence[Fit], first: float, scale: float, i: int) -> Beyond:
    """Speed-ups of the models at the i-th of their scales; first: time of the smallest scale."""
    good = usable(fits)
    work = first if curve.strong else first * scale / curve.points[0].scale
    each = tuple((f.name, work / f.time[i], work / f.high[i], work / f.low[i]) for f in good)
    low, high = models.envelope(good)
    apart = max(e[2] for e in each) > min(e[3] for e in each)
    return Beyond(float(scale), each, work / high[i], work / low[i], apart)


def corrected(one: Study, bad: Sequence[str]) -> np.ndarray:
    """Speed-ups as they would be if the bad nodes were median ones: (n,); nan without a ladder.

    A model's statement, not a measurement: each launch's time by what the ladder says its very
    nodes did to it.
    """
    if one.ladder is None:
        return np.full(len(one.p), math.nan)
    times = [float(np.median([time * one.ladder.without(launch.trace.hostnames, bad)
                              for launch, time in zip(point.cell.used, point.times)]))
             for point in one.curve.points]
    return np.asarray(1.0 if one.curve.strong else one.p) * times[0] / np.array(times)


def _ladder(curve: Curve) -> ladder.Ladder | None:
    """Scale and node told apart, if the runs were on different subsets of the nodes."""
    if curve.regime != ACROSS:
        return None
    subsets, times = [], []
    for point in curve.points:
        for launch, time in zip(point.cell.used, point.times):
            if len(launch.trace.hostnames) == point.scale:
                subsets.append(tuple(sorted(launch.trace.hostnames)))
                times.append(time)
    return ladder.fit(subsets, times) if len(set(subsets)) > len(curve.points) else None
