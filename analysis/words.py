"""Numbers as text, and text that a terminal can show."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
ASCII = str.maketrans({"×": "x", "µ": "u", "–": "-", "…": "...", "·": ".", "≥": ">=", "²": "2",
                       "±": "+-"})
UNKNOWN = "–"
LINE = 100  # characters of a paragraph at most


def prefix(values: list[float]) -> tuple[float, str]:
    """One SI prefix for a column: (divisor, letter), by its largest value."""
    top = max((abs(v) for v in values if math.isfinite(v)), default=0)
    power = 3 * math.floor(math.log10(top) / 3 + 1e-12) if top > 0 else 0
    power = min(max(power, min(PREFIXES)), max(PREFIXES))
    return 10.0**power, PREFIXES[power]


def number(value: float | None, digits: int = 4) -> str:
    """A value with `digits` significant digits, without an exponent where that is possible."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value)) + 1e-12), 0)
    return f"{value:.{decimals}f}"


def ratio(value: float, digits: int = 3) -> str:
    """A ratio; far below 1 as the fraction that it is: 1/25."""
    if not 0 < value < 0.1:
        return number(value, digits)
    return f"1/{number(1 / value, digits)}"


def interval(bounds: tuple | None, scale: float = 1.0, digits: int = 4) -> str:
    """[low, high] with as many decimals for both; a dash if unknown."""
    if bounds is None or not all(map(math.isfinite, bounds)):
        return UNKNOWN
    decimals = max(digits - 1 - math.floor(math.log10(abs(bounds[1] / scale) or 1) + 1e-12), 0)
    return f"[{bounds[0] / scale:.{decimals}f}, {bounds[1] / scale:.{decimals}f}]"


def known(interval: str) -> str:
    """An interval as a sentence says it: a dash would say nothing there."""
    return "(interval unknown)" if interval == UNKNOWN else interval


def share(value: float, decimals: int = 3) -> str:
    """A share of 1, or a dash."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else UNKNOWN


def percent(value: float) -> str:
    return f"{100 * value:.1f} %" if math.isfinite(value) else UNKNOWN


def signed(value: float) -> str:
    """A change: +1.23%"""
    return f"{100 * value:+.2f}%" if math.isfinite(value) else UNKNOWN


def span(ns: float, digits: int = 3) -> str:
    """A time with its unit: 250 us, 2.5 ms."""
    if not math.isfinite(ns):
        return UNKNOWN
    for limit, unit in ((1e3, "ns"), (1e6, "us"), (1e9, "ms")):
        if abs(ns) < limit * (1 - 0.5 * 10.0**-digits):
            return f"{ns / limit * 1e3:.{digits}g} {unit}"
    return f"{ns / 1e9:.{digits}g} s"


def rate_unit(letter: str, unit: str) -> str:
    """"M clock reads/s", "G multiply-adds/s": the kernel's own word."""
    return f"{letter} {plural(unit)}/s".strip()


def plural(unit: str) -> str:
    return unit if unit.endswith("s") else unit + "s"


def width(pipe: int = 1000) -> int:
    """Columns of the terminal, or COLUMNS; `pipe` where there is neither."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return pipe


def wrap(line: str, indent: str = "  ") -> list[str]:
    """A paragraph; its lines after the first are indented."""
    return textwrap.wrap(line, min(max(width(), 20), LINE), subsequent_indent=indent,
                         break_on_hyphens=False)


def aligned(rows: Sequence[Sequence[str]], left: int = 0) -> list[str]:
    """Columns, the first `left` of them left-aligned, the others right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]


def shown(text: str, encoding: str | None = None) -> str:
    """Text that the stream can carry. Control characters of a file never reach a terminal."""
    text = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    encoding = encoding or getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
        return text
    except (UnicodeEncodeError, LookupError):
        return text.translate(ASCII).encode("ascii", "replace").decode()


def carries(text: str) -> bool:
    """Standard output can show it as it is."""
    return shown(text) == text


def json_text(numbers: object) -> str:
    """JSON that every reader takes: no NaN, no infinity."""
    return json.dumps(plain(numbers), indent=2, allow_nan=False)


def plain(value: object) -> object:
    """What JSON can say: NaN and infinity become null, NumPy's numbers become Python's."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
