"""Work over time, worker by worker, pooled until a page can show it. Arrays in, arrays out.

Where there are more workers than rows, a mean alone would hide the one bad worker among a thousand:
every cell, every row and every moment keeps the least and the most of its workers as well. Nothing
larger than the picture and a block of workers is ever held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import stats

ROWS, COLUMNS = 96, 300  # more than a screen shows well; more only makes the page heavy


@dataclass(frozen=True)
class Heat:
    """Rates over the middle worker's own best one; 1: as fast, undisturbed. nan: nobody there.

    cells : (3, row, column) least, mean, most of the row's workers
    each  : (3, row) likewise, over the whole time; moments: (3, column) over all workers
    row   : (worker,) where each is; rows are in the order of nodes
    whole : (worker,) over the whole time
    """

    cells: np.ndarray
    each: np.ndarray
    moments: np.ndarray
    row: np.ndarray
    whole: np.ndarray

    @property
    def pooled(self) -> bool:
        return self.each.shape[1] < len(self.row)


class Pool:
    """Least, sum and most of what is put into each place. Shape: of all places."""

    def __init__(self, shape: tuple[int, ...]):
        self.low, self.high = np.full(shape, np.inf), np.full(shape, -np.inf)
        self.sum, self.number = np.zeros(shape), np.zeros(shape)

    def put(self, at: np.ndarray, x: np.ndarray) -> None:
        """at (worker,): its place; x (worker, ...), nan: nothing there."""
        order = np.argsort(at, kind="stable")
        places, first = np.unique(at[order], return_index=True)
        x, known = x[order], ~np.isnan(x[order])
        self.low[places] = np.minimum(
            self.low[places], np.minimum.reduceat(np.where(known, x, np.inf), first))
        self.high[places] = np.maximum(
            self.high[places], np.maximum.reduceat(np.where(known, x, -np.inf), first))
        self.sum[places] += np.add.reduceat(np.where(known, x, 0.0), first)
        self.number[places] += np.add.reduceat(known.astype(float), first)

    def three(self) -> np.ndarray:
        """(3, ...) least, mean, most; nan where nothing was put."""
        nothing = self.number == 0
        mean = self.sum / np.where(nothing, 1, self.number)
        return np.where(nothing, np.nan, np.stack([self.low, mean, self.high]))


def heat(blocks: Iterable[tuple[np.ndarray, np.ndarray]], nodes: np.ndarray, span: float,
         rows: int = ROWS, columns: int = COLUMNS) -> Heat:
    """blocks: (counts (worker, bin), where (2, worker)) of all workers in their order.

    where: edge k of a worker's bins lies at where[0] + k * where[1] on the axis, which ends at
    span; in bins. nodes: (worker,) no row holds parts of two nodes, unless it holds whole ones.
    """
    row = row_of(nodes, rows)
    edges = np.linspace(0, span, min(columns, int(np.ceil(span))) + 1)
    shape = (int(row.max()) + 1, len(edges) - 1)
    cells, each, moments = Pool(shape), Pool(shape[:1]), Pool((1, shape[1]))
    best: list[np.ndarray] = []
    whole: list[np.ndarray] = []
    done = 0
    for counts, where in blocks:
        mine = row[done:done + len(counts)]
        done += len(counts)
        rates = on_axis(counts, where, edges)
        cells.put(mine, rates)
        whole.append(counts.mean(axis=1) / where[1])
        each.put(mine, whole[-1])
        moments.put(np.zeros(len(counts), int), rates)
        best.append(stats.best_counts(counts) / where[1])
    unit = float(np.median(np.concatenate(best))) or 1.0
    return Heat(cells.three() / unit, each.three() / unit, moments.three()[:, 0] / unit, row,
                np.concatenate(whole) / unit)


def row_of(nodes: np.ndarray, rows: int) -> np.ndarray:
    """(worker,) row of each; nodes (worker,): numbers in the order in which they are shown."""
    order = np.argsort(nodes, kind="stable")
    _, node, size = np.unique(nodes, return_inverse=True, return_counts=True)
    row = np.empty(len(nodes), int)
    row[order] = np.arange(len(nodes))
    if len(nodes) <= rows:
        return row
    if len(size) > rows:
        return node * rows // len(size)
    inside = row - (np.cumsum(size) - size)[node]
    share = np.minimum(rows // len(size), size)  # rows of each node
    return (np.cumsum(share) - share)[node] + inside * share[node] // size[node]


def on_axis(counts: np.ndarray, where: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(worker, column) units per bin of the axis; nan where less than half a column was seen."""
    done = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1, dtype=float)], 1)
    bins = counts.shape[1]
    found = np.empty((len(counts), len(edges) - 1))
    for begin, step in np.unique(where, axis=1).T:
        mine = np.flatnonzero((where[0] == begin) & (where[1] == step))
        at = np.clip((edges - begin) / step, 0, bins)
        below = np.minimum(at.astype(int), bins - 1)
        inside = done[np.ix_(mine, below)] + (at - below) * counts[np.ix_(mine, below)]
        seen = np.diff(at) * step
        enough = seen >= 0.5 * np.diff(edges)
        found[mine] = np.where(enough, np.diff(inside, axis=1) / np.where(enough, seen, 1), np.nan)
    return found


def pooled(table: np.ndarray, most: int) -> np.ndarray:
    """Means over neighbouring rows until at most `most` are left. (row, column)"""
    edges = np.unique(np.linspace(0, len(table), min(most, len(table)) + 1).astype(int))
    return np.add.reduceat(table, edges[:-1], axis=0) / np.diff(edges)[:, None]


def names(found: Heat, hosts: Sequence[str], numbers: np.ndarray) -> list[str]:
    """How each row is called. hosts, numbers: (worker,) of each, the number in its own run."""
    order = np.argsort(found.row, kind="stable")
    each = np.split(order, np.flatnonzero(np.diff(found.row[order])) + 1)
    return [_name(numbers[workers], [hosts[worker] for worker in workers]) for workers in each]


def _name(numbers: np.ndarray, hosts: Sequence[str]) -> str:
    """Workers of several runs have no range of numbers."""
    there = list(dict.fromkeys(hosts))
    where = there[0] if len(there) == 1 else f"{there[0]} … {there[-1]} ({len(there)} nodes)"
    if len(numbers) == 1:
        return f"worker {numbers[0]} on {where}"
    if len(set(numbers.tolist())) < len(numbers):
        return f"{len(numbers)} workers on {where}"
    return f"{len(numbers)} workers, {numbers.min()} … {numbers.max()}, on {where}"


def told(found: Heat, called: Sequence[str], end: float, unit: str) -> dict:
    """What page.js tells of a cell: shares in thousandths. end: of the axis, in the unit."""
    least, mean, most = ([[None if np.isnan(x) else round(1000 * x) for x in row]
                          for row in table.tolist()] for table in found.cells)
    pooled = {"low": least, "high": most} if found.pooled else {}
    return {"rows": list(called), "begin": 0, "end": end, "unit": unit, "mean": mean, **pooled}
