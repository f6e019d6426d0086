"""Cells as others take them: tidy records, CSV, and Extra-P's JSON input. Nothing is read here."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import cells
import stats
import words
from cells import Cell, Group, Launch

# ------------------------------------------------------------------------------- tidy records

KEYS = ("kernel", "method", "scaling", "size", "bins", "bin_width_ns")  # of the work
FIELDS = ("work", *KEYS, "layout", "way", "nodes", "ranks", "threads_per_rank", "blas_threads",
          "cores", "kernel_hash", "valid", "measure", "unit", "value", "low", "high", "confidence",
          "interval", "n")


@dataclass(frozen=True)
class Measure:
    """value of each launch; unit: "" is a share or a ratio. nan: a launch does not know it.

    most: what no value, and so no interval, can exceed.
    """

    name: str
    unit: Callable[[Group], str]
    value: Callable[[Launch], float]
    most: float = math.inf


def unitless(group: Group) -> str:
    return ""


MEASURES = (
    Measure("rate", lambda group: f"{group.unit}/s", lambda x: x.rate),
    Measure("rate_delivered", lambda group: f"{group.unit}/s", lambda x: x.delivered),
    Measure("parallel_efficiency", unitless, lambda x: x.efficiency.parallel, most=1),
    Measure("load_balance", unitless, lambda x: x.efficiency.balance, most=1),
    Measure("communication_efficiency", unitless, lambda x: x.efficiency.communication,
            most=1),
    Measure("imbalance", unitless, lambda x: x.imbalance),
    Measure("lost_share", unitless, lambda x: x.lost, most=1),
    Measure("lost_share_worst_worker", unitless, lambda x: x.lost_worst, most=1),
    Measure("off_cpu_share", unitless, lambda x: x.off, most=1),
)


def records(groups: Iterable[Group]) -> list[dict]:
    """One for each cell and measure that it knows: FIELDS. Median over launches, n of them."""
    return [record for group in groups for cell in group.cells
            for record in of_cell(group, cell)]


def of_cell(group: Group, cell: Cell) -> list[dict]:
    shared: dict[str, object] = {
        "work": group.title, **{key: group.work[key] for key in KEYS}, "layout": cell.layout,
        "way": cell.way, "nodes": cell.nodes, "ranks": cell.ranks,
        "threads_per_rank": cell.threads, "blas_threads": cell.blas_threads, "cores": cell.cores,
        "kernel_hash": cell.kernel_hash, "valid": cell.valid}
    found = [{**shared, **one} for measure in MEASURES if (one := measured(measure, group, cell))]
    if math.isfinite(cell.speedup):
        low, high = cell.speedup_interval or (math.nan, math.nan)
        known = cell.speedup_interval is not None
        found.append({**shared, "measure": "speedup", "unit": "", "value": cell.speedup,
                      "low": low, "high": high,
                      "confidence": stats.CONFIDENCE if known else math.nan,
                      "interval": f"Welch, log t, over {cell.base}" if known
                      else cell.speedup_missing, "n": len(cell.used)})
    return found


def measured(measure: Measure, group: Group, cell: Cell) -> dict | None:
    """The measure's own fields; None where no launch knows it."""
    x = np.array([v for launch in cell.used if not math.isnan(v := measure.value(launch))])
    if not len(x):
        return None
    spread, kind = over_launches(x)
    return {"measure": measure.name, "unit": measure.unit(group), "value": float(np.median(x)),
            "low": spread.low if spread else math.nan,
            "high": min(spread.high, measure.most) if spread else math.nan,
            "confidence": spread.confidence if spread else math.nan, "interval": kind, "n": len(x)}


def over_launches(x: np.ndarray) -> tuple[stats.Interval | None, str]:
    """The interval over launches, x (n,), and what it is; never the spread within one launch."""
    found = stats.launch_interval(x)
    if found is None:
        return None, "unknown"
    return found, "median, exact" if stats.median_ranks(len(x)) else "log t"


def csv_text(rows: Sequence[dict]) -> str:
    """RFC 4180, a head line, lines end in LF; unknown is empty, yes and no are 1 and 0."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell_text(row[name]) for name in FIELDS})
    return out.getvalue().rstrip("\n")


def cell_text(value: object) -> object:
    """Numbers with all their digits."""
    value = words.plain(value)
    if isinstance(value, bool):
        return int(value)
    return "" if value is None else repr(value) if isinstance(value, float) else value


# ------------------------------------------------------------------------------------- Extra-P

# Extra-P wants every call path and metric at every point, so what was measured at other points
# goes into another file: one for each work (but for its size) and layout.
PARAMETERS: dict[str, Callable[[Cell], int]] = {
    "nodes": lambda cell: cell.nodes or 1, "blas_threads": lambda cell: cell.blas_threads,
    "threads": lambda cell: cell.threads, "ranks": lambda cell: cell.ranks,
    "size": lambda cell: dict(zip(cells.WORK, cell.work))["size"] or 0}


def extra_p(groups: Iterable[Group]) -> dict[str, dict]:
    """File name -> Extra-P's JSON input, the newer of its two forms (its docs/file-formats.md).

    Parameters: the fewest that tell the points apart. Metrics: METRICS, one value for each launch.
    Cells that are INVALID are left out, and curves with fewer than two points.
    """
    curves: dict[tuple, list[Cell]] = {}
    for group in groups:
        for cell in group.cells:
            if cell.valid:
                curves.setdefault(curve_of(group, cell), []).append(cell)
    return {file_name(key): made for key, those in curves.items() if (made := curve(those))}


def curve_of(group: Group, cell: Cell) -> tuple:
    work = ", ".join(cells.describe({**group.work, "size": None}))
    return (work, cell.label + ("" if cell.pinned else " unpinned"), cell.kernel_hash[:8])


def file_name(key: tuple) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(filter(None, key)).replace("µ", "u")) + ".json"


def curve(those: Sequence[Cell]) -> dict | None:
    """One file's content; None: a point is no curve."""
    names = parameters(those)
    if not names:
        return None
    ordered = sorted(those, key=lambda cell: point(cell, names))
    path = f"{dict(zip(cells.WORK, those[0].work))['kernel']}->{those[0].label}"
    return {"parameters": names, "measurements": {path: {
        metric: [{"point": point(cell, names), "values": [value(x) for x in cell.used]}
                 for cell in ordered]
        for metric, value in METRICS.items()
        if all(math.isfinite(value(x)) for cell in ordered for x in cell.used)}}}


def parameters(those: Sequence[Cell]) -> list[str]:
    """A parameter that follows from the others would be no second dimension: 2 ranks on each node."""
    kept = list(PARAMETERS)
    for name in PARAMETERS:
        rest = [other for other in kept if other != name]
        if len({tuple(point(cell, rest)) for cell in those}) == len(those):
            kept = rest
    return kept


def point(cell: Cell, names: Sequence[str]) -> list[int]:
    return [PARAMETERS[name](cell) for name in names]


def part_seconds(name: str) -> Callable[[Launch], float]:
    """Seconds of one call that the mean worker spends so; nan: the trace does not say."""
    def of(launch: Launch) -> float:
        spent = launch.trace.array(name)
        if spent is None:
            return math.nan
        return float(np.median(spent.mean(axis=1))) * 1e-9 / cells.calls(launch.trace)
    return of


METRICS: dict[str, Callable[[Launch], float]] = {
    "time_s": cells.call_seconds, "computing_s": part_seconds("compute_ns"),
    "waiting_s": part_seconds("wait_ns"), "combining_s": part_seconds("combine_ns"),
    "units_per_s": lambda launch: launch.rate,
}
