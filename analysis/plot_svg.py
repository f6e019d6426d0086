"""What all plots share: their look, and SVG that a page can hold. Knows no files and no traces.

Text stays text, and ink, lines and paper become CSS variables, so one plot serves a light and a
dark page. Series use one palette that is readable on both and by colour-blind readers (Okabe, Ito).
"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Sequence

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

import words

INK, MUTED, LINE, PAPER = "#010203", "#040506", "#070809", "#0a0b0c"  # stand-ins, see VARIABLES
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", LINE: "var(--line)", PAPER: "var(--paper)"}
LONGEST = 28  # characters of a name beside a plot
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "bindot", "font.size": 10, "text.color": INK,
    "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "xtick.color": LINE, "ytick.color": LINE,
    "xtick.labelcolor": MUTED, "ytick.labelcolor": INK, "axes.facecolor": "none",
    "figure.facecolor": "none", "legend.frameon": False,
}
WIDTH = 8.0  # inches; the page scales it
SVG = "{http://www.w3.org/2000/svg}"
TELLS, ZOOM = "tells:", "zoom"  # ids by which artists are known again in the picture

matplotlib.rcParams.update(STYLE)
xml.register_namespace("", SVG[1:-1])
xml.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def figure(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of `rows` plots, one below the other."""
    made = Figure(figsize=(WIDTH, height), constrained_layout=True)
    return made, [made.add_subplot(rows, 1, i + 1) for i in range(rows)]


def plain(*those: Axis) -> None:
    """Ticks as plain numbers, 0.5 and 20, also on a logarithmic axis."""
    for axis in those:
        axis.set_major_formatter(lambda value, _: f"{value:g}")


def logarithmic(axes: Axes, base: float = 10) -> None:
    """Both axes, with plain numbers and a faint grid."""
    axes.set_xscale("log", base=base)
    axes.set_yscale("log", base=base)
    plain(axes.xaxis, axes.yaxis)
    axes.grid(color=LINE, linewidth=0.6, alpha=0.5)


def tell(artist: Artist, texts: str | Sequence[str]) -> None:
    """What a reader sees who points at it: one text, or one for each of its markers."""
    artist.set_gid(TELLS + json.dumps([texts] if isinstance(texts, str) else list(texts)))


def zoomable(axes: Axes) -> None:
    """A reader may look at a part of it."""
    axes.set_gid(ZOOM)


def svg(made: Figure, name: str) -> str:
    """The figure as one <svg> element; its ids start with `name`, unique in the page."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    made.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    tree = xml.fromstring(text[text.index("<svg"):])
    for parent in [tree, *tree.iter()]:
        for child in list(parent):
            if child.tag in (SVG + "metadata", SVG + "style"):
                parent.remove(child)
    for group in tree.iter(SVG + "g"):
        _marked(group)
    text = xml.tostring(tree, encoding="unicode")
    text = re.sub(r'((?:id="|href="#|url\(#))', rf"\g<1>{name}-", text)
    for stand_in, variable in VARIABLES.items():
        text = text.replace(stand_in, variable)
    return text


def _marked(group: xml.Element) -> None:
    """What tell and zoomable said of it, as titles and as a class."""
    name = group.get("id", "")
    if name == ZOOM:
        del group.attrib["id"]
        group.set("class", "zoom")
    elif name.startswith(TELLS):
        del group.attrib["id"]
        marks = list(group.iter(SVG + "use")) or [group]
        for mark, text in zip(marks, json.loads(name[len(TELLS):])):
            title = xml.Element(SVG + "title")
            title.text = words.shown(text, "utf-8")
            mark.insert(0, title)


def literal(text: str) -> str:
    """Text from a trace is no formula, and control characters are no XML."""
    return words.shown(text, "utf-8").replace("$", r"\$")


def shortened(name: str, most: int = LONGEST) -> str:
    """A name as a label: its middle left away where it is too long."""
    half = (most - 1) // 2
    return literal(name if len(name) <= most else f"{name[:half]}…{name[-half:]}")
