"""Which of very many to look at closely. Pure."""

from __future__ import annotations

import numpy as np


def chosen(value: np.ndarray, most: int) -> list[int]:
    """At most `most` (>= 2) of value (n,), in order: half of them the largest, the others evenly.

    The largest are where something is to be found; the others show what is usual.
    """
    if len(value) <= most:
        return list(range(len(value)))
    largest = np.argsort(-value, kind="stable")[:most // 2]
    rest = np.setdiff1d(np.arange(len(value)), largest)
    evenly = rest[np.linspace(0, len(rest) - 1, most - len(largest)).astype(int)]
    return sorted({*largest.tolist(), *evenly.tolist()})
