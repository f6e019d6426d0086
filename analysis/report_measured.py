"""Section of the report: how was it measured?"""

from __future__ import annotations

import circumstances
import page
from material import Material
from report_words import few, named
from traces import Trace

TITLE = "How was it measured?"
MOST = 500  # traces that are listed with their commands
WORDS = (
    ("launch", "one start of a driver; the unit of every interval. Repetitions inside it share "
               "too much to count as independent."),
    ("speed-up", "rate over the base's rate; its interval holds the base's uncertainty too."),
    ("per core", "speed-up over the number of cores; 1 is ideal."),
    ("parallel", "share of cores × time in which workers compute = balance × comm."),
    ("balance", "mean over largest compute time of the workers."),
    ("comm", "largest compute time over wall time: what waiting and combining leave."),
    ("slower computing", "per core = parallel × this: cores that share memory, cache or power "
                         "compute more slowly than the base's."),
    ("lost", "binning: time taken from the workers, against their own best rate."))


def section(found: Material) -> list:
    """Provenance: one value where all traces agree, else who has which."""
    traces = [(named(group, cell), launch.trace) for group in found.groups
              for cell in group.cells for launch in cell.launches]
    rows = [row for what, value in circumstances.ALL if (row := property_row(what, value, traces))]
    files = [page.tag("li", page.tag("code", trace.path), " ",
                      str(trace.provenance.get("command_line", "")), labels(trace))
             for _, trace in traces[:MOST]]
    listed = f"All {len(traces)} traces" if len(traces) <= MOST else (
        f"The first {MOST} of {len(traces)} traces")
    return [page.tag("div", page.tag("table", page.tag("tbody", *rows)), cls="wide"),
            page.tag("details", page.tag("summary", f"{listed} and their commands"),
                     page.tag("ul", *files)), meanings()]


def property_row(what: str, value, traces: list) -> page.Markup | None:
    """One property; marked where traces differ in it."""
    seen: dict = {}
    for name, trace in traces:
        seen.setdefault(value(trace), {})[name] = None
    seen.pop("", None)
    if not seen:
        return None
    if len(seen) == 1:
        return page.tag("tr", page.tag("td", what), page.tag("td", next(iter(seen))))
    values = [page.tag("div", text, " ", page.tag("span", few(list(names), 4), cls="muted"))
              for text, names in seen.items()]
    return page.tag("tr", page.tag("td", f"{what} (differs)"), page.tag("td", *values),
                    cls="differs")


def labels(trace: Trace) -> str:
    text = ", ".join(f"{key}={value}" for key, value in trace.labels.items())
    return f" [{text}]" if text else ""


def meanings() -> page.Markup:
    items = [part for word, text in WORDS
             for part in (page.tag("dt", word), page.tag("dd", text))]
    return page.tag("details", page.tag("summary", "What the words mean"), page.tag("dl", *items))
