"""What all plots share: their look, and SVG that a page can hold. Knows no files and no traces.

Text stays text, and ink, lines and paper become CSS variables, so one plot serves a light and a
dark page. Series use one palette that is readable on both and by colour-blind readers (Okabe, Ito).
"""

from __future__ import annotations

import io
import re

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import words

INK, MUTED, LINE = "#010203", "#040506", "#070809"  # stand-ins, see VARIABLES
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)"}
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "bindot", "font.size": 10, "text.color": INK,
    "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.color": LINE, "ytick.color": LINE,
    "xtick.labelcolor": MUTED, "ytick.labelcolor": INK, "axes.facecolor": "none",
    "figure.facecolor": "none", "legend.frameon": False,
}
WIDTH = 8.0  # inches; the page scales it

matplotlib.rcParams.update(STYLE)


def figure(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of `rows` plots, one below the other."""
    made = Figure(figsize=(WIDTH, height), constrained_layout=True)
    return made, [made.add_subplot(rows, 1, i + 1) for i in range(rows)]


def svg(made: Figure, name: str) -> str:
    """The figure as one <svg> element; its ids start with `name`, unique in the page."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    made.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'((?:id="|href="#|url\(#))', rf"\g<1>{name}-", text)
    for stand_in, variable in VARIABLES.items():
        text = text.replace(stand_in, variable)
    return text


def literal(text: str) -> str:
    """Text from a trace is no formula, and control characters are no XML."""
    return words.shown(text, "utf-8").replace("$", r"\$")
