"""What the sections of a report have in common: names, and numbers with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

import cells
import page
import stats
import words


def few(names: Sequence[str], most: int = 6) -> str:
    """Names, not a phone book."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def count(number: int, noun: str) -> str:
    more = "es" if noun.endswith("ch") else "s"
    return f"{number} {noun}{more * (number != 1)}"


def named(group: cells.Group, cell: cells.Cell) -> str:
    """A cell among those of all works."""
    kernel, method = group.work["kernel"], group.work["method"]
    return f"{kernel} {cell.name}" if kernel == "binning" or not method else (
        f"{kernel} {method} {cell.name}")


def above(text: str, below: str) -> object:
    """A number and, smaller and below it, its interval."""
    return text if below == words.UNKNOWN else page.joined(
        [page.escape(text), page.tag("small", below)])


def middle(cell: cells.Cell, value: Callable[[cells.Launch], float],
           show: Callable[[float], str] = words.share, most: float = math.inf) -> object:
    """Median over launches with its 95 % interval, as far as launches know the value.

    most: what the value cannot exceed, whatever the launches' scatter says.
    """
    x = np.array([v for launch in cell.used if not math.isnan(v := value(launch))])
    if not len(x):
        return words.UNKNOWN
    spread = stats.launch_interval(x)
    below = f"[{show(spread.low)}, {show(min(spread.high, most))}]" if spread else words.UNKNOWN
    return above(show(float(np.median(x))), below)


def used(head: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[list, list]:
    """Head and rows without the columns that nobody knows."""
    kept = [i for i in range(len(head)) if any(row[i] not in (words.UNKNOWN, "") for row in rows)]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    first = text if text[1:2].isspace() else text[:1].upper() + text[1:]  # e stays e
    return first + ("" if text.endswith((".", "!", "?")) else ".")
