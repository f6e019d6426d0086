"""Section of the report: how was it measured?"""

from __future__ import annotations

from collections.abc import Callable

import circumstances
import page
from material import Material
from report_words import few, named
from traces import Trace

TITLE = "How was it measured?"
MOST = 500  # traces that are listed with their commands
VALUES = 4  # of a property in which traces differ
UNSET = "(not set)"
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
    told = [(what, values(value, traces)) for what, value in circumstances.TOLD]
    variables = sorted({name for _, trace in traces for name in trace.environment})
    around = [(name, values(variable(name), traces)) for name in variables]
    files = [page.tag("li", page.tag("code", trace.path), " ",
                      str(trace.provenance.get("command_line", "")), labels(trace))
             for _, trace in traces[:MOST]]
    listed = f"All {len(traces)} traces" if len(traces) <= MOST else (
        f"The first {MOST} of {len(traces)} traces")
    return [properties([(what, seen) for what, seen in told if seen]),
            page.folded(f"The environment: {len(variables)} variables, "
                        f"{sum(len(seen) > 1 for _, seen in around)} of them differ",
                        properties(sorted(around, key=lambda item: len(item[1]) < 2))),
            page.folded(f"{listed} and their commands", page.tag("ul", *files)), meanings()]


def variable(name: str) -> Callable[[Trace], str]:
    return lambda trace: str(trace.environment.get(name, UNSET))


def values(value: Callable[[Trace], str], traces: list) -> dict[str, list[str]]:
    """Each value that some trace has, and the names of those that have it."""
    seen: dict[str, dict] = {}
    for name, trace in traces:
        seen.setdefault(value(trace), {})[name] = None
    return {text: list(names) for text, names in seen.items() if text}


def properties(rows: list) -> page.Markup:
    """Rows of (what, values); those in which traces differ are marked."""
    return page.tag("div", page.tag("table", page.tag("tbody", *(
        one_value(what, seen) if len(seen) == 1 else differing(what, seen)
        for what, seen in rows))), cls="wide told")


def one_value(what: str, seen: dict) -> page.Markup:
    return page.tag("tr", page.tag("td", what), page.tag("td", next(iter(seen))))


def differing(what: str, seen: dict) -> page.Markup:
    told = [page.tag("div", text, " ", page.tag("span", few(names, 4), cls="muted"))
            for text, names in list(seen.items())[:VALUES]]
    if len(seen) > VALUES:
        told.append(page.tag("div", f"and {len(seen) - VALUES} other values", cls="muted"))
    return page.tag("tr", page.tag("td", f"{what} (differs)"), page.tag("td", *told),
                    cls="differs")


def labels(trace: Trace) -> str:
    text = ", ".join(f"{key}={value}" for key, value in trace.labels.items())
    return f" [{text}]" if text else ""


def meanings() -> page.Markup:
    items = [part for word, text in WORDS
             for part in (page.tag("dt", word), page.tag("dd", text))]
    return page.folded("What the words mean", page.tag("dl", *items))
