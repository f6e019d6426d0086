"""Work over time as a picture of characters: a row for each worker, time from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import report_maps
import words
from maps import Map

ROWS = 16  # of a map; more workers than that share rows
NAME = 28  # characters of a row's name at most
SIGNS = {True: " ▁▂▃▄▅▆▇█", False: " .:-=+*#@"}  # nothing .. the whole rate


def text(those: Sequence[Map], columns: int) -> list[str]:
    lines: list[str] = []
    for one in those:
        lines += [*words.wrap(one.title), *picture(one, columns),
                  *words.wrap(report_maps.worst(one)), ""]
    if lines:
        signs = SIGNS[words.carries(SIGNS[True])]
        lines += words.wrap(f"'{signs[-1]}': as fast as the middle worker at its best, '{signs[4]}'"
                            ": half, blank: no work. At the right the share of that over the "
                            "whole time. Where workers share a row it shows the slowest of them.")
    return lines


def picture(one: Map, columns: int) -> list[str]:
    names, shares, each = rows(one)
    wide = min(max(map(len, names)), NAME, max(columns // 3, 8))
    length = max(columns - wide - 10, 10)
    table = means(shares, length)
    lines = [f"{clipped(name, wide)} {characters(row)} {percent(share)}"
             for name, row, share in zip(names, table, each)]
    begin, end = "0", f"{one.millis:.4g} ms"
    axis = begin + end.rjust(max(table.shape[1] - len(begin), len(end) + 1))
    return [*lines, " " * (wide + 1) + axis]


def rows(one: Map) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(names, (row, column) shares, (row,) over the whole time); of pooled workers the slowest."""
    least = 0 if one.heat.pooled else 1
    shares, each, names = one.heat.cells[least], one.heat.each[least], list(one.rows)
    if len(names) <= ROWS:
        return names, shares, each
    edges = np.linspace(0, len(names), ROWS + 1).astype(int)
    first = edges[:-1]
    return ([f"{names[a]} … {names[b - 1]}" for a, b in zip(first, edges[1:])],
            np.fmin.reduceat(shares, first, axis=0), np.fmin.reduceat(each, first))


def means(table: np.ndarray, most: int) -> np.ndarray:
    """Neighbouring columns together, until at most `most` are left; nan are not counted."""
    edges = np.unique(np.linspace(0, table.shape[1], min(most, table.shape[1]) + 1).astype(int))
    known = np.add.reduceat(~np.isnan(table), edges[:-1], axis=1)
    sums = np.add.reduceat(np.nan_to_num(table), edges[:-1], axis=1)
    return np.where(known > 0, sums / np.maximum(known, 1), np.nan)


def characters(row: np.ndarray) -> str:
    signs = SIGNS[words.carries(SIGNS[True])]
    level = np.rint(np.clip(row, 0, 1) * (len(signs) - 1))
    return "".join("?" if np.isnan(at) else signs[int(at)] for at in level)


def percent(share: float) -> str:
    return f"{100 * share:6.1f} %" if np.isfinite(share) else words.UNKNOWN.rjust(6)


def clipped(name: str, wide: int) -> str:
    shown = words.shown(name)
    return (shown if len(shown) <= wide else shown[:wide - 1] + "~").ljust(wide)
