"""Section of the report: did the workers run at the same time? Work over time, worker by worker."""

from __future__ import annotations

import numpy as np

import cells
import page
import plot_bins
import plot_svg
import stats
import traces
from material import Material

TITLE = "Did the workers really run at the same time?"
MOST = 8  # heat maps of one work


def section(found: Material) -> list:
    parts = []
    for i, group in enumerate(found.groups):
        parts += bins(group, f"map{i}")
    return parts


def bins(group: cells.Group, name: str) -> list:
    """Work over time of the middle launch of each cell."""
    timed = [cell for cell in group.cells if cell.used[0].trace.bins]
    if not timed:
        return []
    shown = timed[:MOST]
    work, titles, lengths = [], [], []
    for cell in shown:
        launch = sorted(cell.used, key=lambda x: x.rate)[len(cell.used) // 2]
        rep = int(np.argsort(launch.rates)[len(launch.rates) // 2])
        work.append(over_time(launch.trace, rep))
        titles.append(cell.name + (", INVALID" if not cell.valid else ""))
        lengths.append(launch.trace.bins[2] * (launch.trace.number("bin_width_ns") or 1) * 1e-6)
    made = plot_bins.draw(titles, work, lengths)
    worst = min(zip((w.mean() for w in work), titles))
    sentence = (f"Even colour means undisturbed work; dark means that the worker did not run. "
                f"The most disturbed is {worst[1]}: its workers did {100 * worst[0]:.0f} % of what "
                "their own best rate would give. Shown: the middle repetition of the middle launch"
                + ("." if len(shown) == len(timed) else
                   f", first {MOST} of {len(timed)} layouts."))
    return [page.tag("h3", group.title), page.plot(plot_svg.svg(made, name), sentence)]


def over_time(trace: traces.Trace, repetition: int) -> np.ndarray:
    """(row, column) share of each worker's own best bin; workers and bins pooled to fit a page."""
    rows = []
    for _, _, counts in trace.blocks("counts", repetition):
        best = np.maximum(stats.best_counts(counts), 1)[:, None]
        rows.append(plot_bins.columns(np.minimum(counts / best, 1)).astype(np.float32))
    return plot_bins.rows(np.vstack(rows))
