#!/usr/bin/env python3
"""Writes one self-contained page: is the data valid, what each layout gained, where time went."""

import argparse
import os
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")

import compare  # noqa: E402
import console  # noqa: E402
import page  # noqa: E402
import report_claims  # noqa: E402
import report_gain  # noqa: E402
import report_measured  # noqa: E402
import report_nodes  # noqa: E402
import report_noise  # noqa: E402
import report_pays  # noqa: E402
import report_rest  # noqa: E402
import report_roof  # noqa: E402
import report_scaling  # noqa: E402
import report_summary  # noqa: E402
import report_text  # noqa: E402
import report_valid  # noqa: E402
import words  # noqa: E402
from material import Material  # noqa: E402
from report_words import count, few  # noqa: E402

NAME = "report.py"
HELP = """\
examples:
  report.py results/quick-2025-01-31 -o report.html    all traces (*.h5) of a folder
  report.py *.h5                                       writes report.html here
  report.py --text results/quick-2025-01-31            the first answers, in the terminal

The page needs no network and no other file; it follows the reader's light or dark theme.
exit status: 0 done, 1 nothing could be read or the page could not be written, 2 bad usage
"""

# The page, from top to bottom. Each module has a TITLE and section(Material): a list of elements,
# empty where the traces do not answer its question.
SECTIONS = (report_summary, report_valid, report_gain, report_rest, report_nodes, report_scaling,
            report_roof, report_noise, report_pays, report_claims, report_measured)


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    first, second = ([trace.slim() for trace in compare.read(paths, bad)]
                     for paths in (options.paths, options.confirm))
    found = Material(first, bad, compare.rules(options), second)
    if not found.groups:
        tell(found)
        console.say(NAME, "no trace could be read")
        return 1
    if options.text:
        print(report_text.text(found, words.width(words.LINE), console.colours()))
    page_text = build(found, options.title) if options.output else ""
    tell(found)
    return write(options.output, page_text) if options.output else 0


def tell(found: Material) -> None:
    for error in found.bad:
        console.say(NAME, str(error))


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="the page (report.html; with --text: none)")
    parser.add_argument("--text", action="store_true",
                        help="the first answers as text for this terminal: its width or COLUMNS, "
                             "NO_COLOR, ASCII where it has nothing else")
    parser.add_argument("--confirm", nargs="+", metavar="TRACE|DIR", default=[],
                        help="a second run: suspected nodes and some healthy ones again")
    parser.add_argument("--title", default="bindot report", help="heading of the page")
    compare.add_rules(parser)
    options = parser.parse_args(argv)
    options.output = options.output or ("" if options.text else "report.html")
    return options


def write(path: str, text: str) -> int:
    """The page takes its name when it is whole."""
    try:
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)
    except OSError as error:
        console.say(NAME, f"cannot write {path}: {error.strerror}")
        return 1
    return 0


def build(found: Material, title: str) -> str:
    """The whole page: heading, what it leads to, and the sections that have something to say."""
    told = [(f"s{i}", one.TITLE, parts) for i, one in enumerate(SECTIONS)
            for parts in [one.section(found)] if parts]
    links = page.tag("nav", page.tag("ol", *(
        page.tag("li", page.tag("a", heading, href=f"#{name}")) for name, heading, _ in told[1:])))
    return page.whole(
        title, page.tag("h1", title), page.tag("p", summary(found), cls="muted"),
        *(part for i, (name, heading, parts) in enumerate(told)
          for part in (page.tag("h2", heading, id=name), *parts, *([links] if i == 0 else []))))


def summary(found: Material) -> str:
    days = sorted({trace.text("created")[:10] for trace in found.traces} - {""})
    return " · ".join(text for text in (
        count(len(found.launches), "launch"),
        ("hosts: " if len(found.hosts) > 1 else "host: ") + few(found.hosts) if found.hosts else "",
        " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "") if text)


if __name__ == "__main__":
    console.run(main)
