#!/usr/bin/env python3
"""Writes one self-contained page: is the data valid, what each layout gained, where time went."""

import argparse
import math
import os
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")

import numpy as np  # noqa: E402

import cells  # noqa: E402
import circumstances  # noqa: E402
import compare  # noqa: E402
import console  # noqa: E402
import page  # noqa: E402
import plot_bins  # noqa: E402
import plot_efficiency  # noqa: E402
import plot_roofline  # noqa: E402
import plot_speedup  # noqa: E402
import plot_svg  # noqa: E402
import stats  # noqa: E402
import traces  # noqa: E402
import words  # noqa: E402

HELP = """\
examples:
  report.py results/quick-2025-01-31 -o report.html    all traces (*.h5) of a folder
  report.py *.h5                                       writes report.html here

The page needs no network and no other file; it follows the reader's light or dark theme.
exit status: 0 done, 1 nothing could be read or the page could not be written, 2 bad usage
"""
MOST_MAPS = 8  # heat maps on one page


def main() -> int:
    options = parse(sys.argv[1:])
    found, bad = traces.read_all(options.paths)
    groups = compare.analyse(found, bad, compare.rules(options))
    for error in bad:
        print(words.shown(f"report.py: {error}"), file=sys.stderr)
    if not groups:
        print("report.py: no trace could be read", file=sys.stderr)
        return 1
    return write(options.output, build(groups, bad, options.title))


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser("report.py", __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("-o", "--output", metavar="FILE", default="report.html",
                        help="the page (report.html)")
    parser.add_argument("--title", default="bindot report", help="heading of the page")
    compare.add_rules(parser)
    return parser.parse_args(argv)


def write(path: str, text: str) -> int:
    """The page takes its name when it is whole."""
    try:
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)
    except OSError as error:
        print(f"report.py: cannot write {path}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def build(groups: list, bad: list, title: str) -> str:
    """The whole page."""
    launches = [launch for group in groups for cell in group.cells for launch in cell.launches]
    return page.whole(
        title, page.tag("h1", title), page.tag("p", summary(launches), cls="muted"),
        page.tag("h2", "Is the data valid?"), validity(groups, launches, bad),
        *(part for i, group in enumerate(groups) for part in section(group, f"g{i}")),
        page.tag("h2", "How it was measured"), *measured(groups), how_to_read())


def summary(launches: list) -> str:
    hosts = sorted({host for launch in launches for host in launch.trace.hostnames})
    days = sorted({launch.trace.text("created")[:10] for launch in launches} - {""})
    return " · ".join(text for text in (
        f"{len(launches)} launch{'es' * (len(launches) != 1)}",
        ("hosts: " if len(hosts) > 1 else "host: ") + few(hosts) if hosts else "",
        " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "") if text)


def few(names: list, most: int = 6) -> str:
    """Names, not a phone book."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# ------------------------------------------------------------------------------- is it valid?

def validity(groups: list, launches: list, bad: list) -> page.Markup:
    wrong = [launch for launch in launches if not launch.valid]
    silent = sum("valid" not in launch.trace.attrs for launch in launches)
    notes = [f"{page_name(group, cell)}: {'; '.join(cells.reasons(cell))} "
             f"({sum(not x.valid for x in cell.launches)} of {len(cell.launches)} launches)"
             for group in groups for cell in group.cells if cells.reasons(cell)]
    notes += [f"left out: {error}" for error in bad]
    if wrong:
        verdict, mark = f"{len(wrong)} of {len(launches)} launches are INVALID", "bad"
    elif silent or bad:
        verdict, mark = f"No launch is marked invalid, {silent} did not record it", "warn"
        if not silent:
            verdict = f"All {len(launches)} launches that could be read are valid"
    else:
        verdict, mark = f"All {len(launches)} launches are valid", "good"
    text = ("Workers ran where and when they should: CPUs, migrations, quotas, page faults and "
            "clocks were checked during each run." if mark == "good" else
            "What is invalid is shown below, but not ranked." if wrong else "")
    return page.tag("div", page.tag("strong", verdict + ". "), text, page.bullets(notes),
                    cls=f"verdict {mark}")


def page_name(group: cells.Group, cell: cells.Cell) -> str:
    return f"{group.work['kernel']} {cell.name}"


# ------------------------------------------------------------------------------- one kernel

def section(group: cells.Group, name: str) -> list:
    """Table, plots and warnings of one group."""
    parts = [page.tag("h2", group.title), numbers(group)]
    for draw in (speedups, rooflines, efficiencies, bins):
        parts += draw(group, name)
    if group.warnings:
        parts += [page.tag("h3", "Before you trust these numbers"), page.bullets(group.warnings)]
    return parts


def numbers(group: cells.Group) -> page.Markup:
    """The table of compare.py, its intervals below their numbers, and rates that people know."""
    scale, letter = words.prefix([cell.rate for cell in group.cells])
    more = list(cells.secondary(group.work["kernel"], 1.0))
    rows = []
    for cell in group.cells:
        known = cells.secondary(group.work["kernel"], cell.rate)
        rows.append([*compare.row(cell, scale), *(words.number(known[unit]) for unit in more)])
    head = [*(column[0] for column in compare.COLUMNS), *more]
    used = [i for i in range(len(head)) if head[i] != "interval"
            and any(row[i] != words.UNKNOWN for row in rows)]
    texts = [[with_interval(row, head, i) for i in used] for row in rows]
    return page.table([head[i] for i in used], texts, left=2,
                      caption=f"Rates in {words.rate_unit(letter, group.unit)}, median over "
                              "launches; below: 95 % interval (*: within one launch only).")


def with_interval(row: list, head: list, i: int) -> object:
    below = row[i + 1] if head[i + 1:i + 2] == ["interval"] else words.UNKNOWN
    return row[i] if below == words.UNKNOWN else page.joined(
        [page.escape(row[i]), page.tag("small", below)])


def speedups(group: cells.Group, name: str) -> list:
    ranked = [cell for cell in group.cells if math.isfinite(cell.speedup)]
    others = [cell for cell in ranked if not cell.is_base]
    if not others:
        return []
    unknown = (math.nan, math.nan)
    spread = np.array([(1, 1) if c.is_base else c.speedup_interval or unknown for c in ranked])
    made = plot_speedup.draw(
        [c.name for c in ranked], [c.label for c in ranked],
        np.array([c.ideal for c in ranked]), np.array([c.speedup for c in ranked]),
        spread[:, 0], spread[:, 1])
    return [page.tag("h3", "What each layout gained"),
            page.plot(plot_svg.svg(made, f"{name}s"), best_of(others))]


def rooflines(group: cells.Group, name: str) -> list:
    known = [(cell, cells.roofline(cell)) for cell in group.cells if cells.roofline(cell)]
    if not known:
        return []
    columns = {key: np.array([roof[key] for _, roof in known]) for key in known[0][1]}
    made = plot_roofline.draw([c.name for c, _ in known], columns["intensity"],
                              columns["attained"], columns["peak_flops"], columns["peak_read"])
    best = int(np.nanargmax(columns["fraction"])) if np.isfinite(columns["fraction"]).any() else 0
    sentence = (f"{known[best][0].name} comes nearest to its roof: "
                f"{words.percent(columns['fraction'][best])} of what its nodes can do by the peaks "
                "that the run measured itself.")
    return [page.tag("h3", "How far from the machine's limit"),
            page.plot(plot_svg.svg(made, f"{name}r"), sentence)]


def best_of(others: list) -> str:
    """The largest speed-up, and which ones of as many cores the data cannot tell from it."""
    best = max(others, key=lambda c: c.speedup)
    known = (f"95 % interval {words.interval(best.speedup_interval, digits=3)}"
             if best.speedup_interval else best.speedup_missing)
    rivals = [c for c in others if c.cores == best.cores and c is not best]
    pairs = [(c.name, stats.ratio_interval(best.rates, c.rates)) for c in rivals]
    open_ = [name for name, ratio in pairs if ratio is None or ratio.low <= 1]
    return (f"{best.name} has the largest speed-up: {words.number(best.speedup, 3)} ({known}), "
            f"where {best.ideal:g} would be ideal."
            + (f" The data do not settle whether it beats {few(open_)}." if open_ else "")
            + (" Hollow points have no interval." if any(
                not c.speedup_interval for c in others) else ""))


def efficiencies(group: cells.Group, name: str) -> list:
    known = [(cell, cells.losses(cell)) for cell in group.cells if cells.losses(cell)]
    if not known:
        return []
    parts = {what: np.array([p[what] for _, p in known]) for what in known[0][1]}
    made = plot_efficiency.draw([c.name + (" INVALID" if not c.valid else "") for c, _ in known],
                                parts)
    losses = [(p[what], what, cell.name) for cell, p in known for what in list(p)[1:]]
    share, what, where = max(losses)
    sentence = ("No part takes more than 1 % of the core time." if share < 0.01 else
                f"The largest loss is {what} in {where}: {100 * share:.0f} % of its core time.")
    return [page.tag("h3", "Where the rest went"),
            page.plot(plot_svg.svg(made, f"{name}e"), sentence)]


def bins(group: cells.Group, name: str) -> list:
    """Work over time of the middle launch of each cell."""
    timed = [cell for cell in group.cells if cell.used[0].trace.bins]
    if not timed:
        return []
    shown = timed[:MOST_MAPS]
    work, titles, lengths = [], [], []
    for cell in shown:
        launch = sorted(cell.used, key=lambda x: x.rate)[len(cell.used) // 2]
        rep = int(np.argsort(launch.rates)[len(launch.rates) // 2])
        work.append(over_time(launch.trace, rep))
        titles.append(cell.name + (", INVALID" if not cell.valid else ""))
        lengths.append(launch.trace.bins[2] * (launch.trace.number("bin_width_ns") or 1) * 1e-6)
    made = plot_bins.draw(titles, work, lengths)
    worst = min(zip((w.mean() for w in work), titles))
    sentence = (f"Even colour means undisturbed work; dark means that the worker did not run. "
                f"The most disturbed is {worst[1]}: its workers did {100 * worst[0]:.0f} % of what "
                "their own best rate would give. Shown: the middle repetition of the middle launch"
                + ("." if len(shown) == len(timed) else
                   f", first {MOST_MAPS} of {len(timed)} layouts."))
    return [page.tag("h3", "Did the workers really run at the same time?"),
            page.plot(plot_svg.svg(made, f"{name}b"), sentence)]


def over_time(trace: traces.Trace, repetition: int) -> np.ndarray:
    """(row, column) share of each worker's own best bin; workers and bins pooled to fit a page."""
    rows = []
    for _, _, counts in trace.blocks("counts", repetition):
        best = np.maximum(stats.best_counts(counts), 1)[:, None]
        rows.append(plot_bins.columns(np.minimum(counts / best, 1)).astype(np.float32))
    return plot_bins.rows(np.vstack(rows))


# ----------------------------------------------------------------------------- how measured

def measured(groups: list) -> list:
    """Provenance: one value where all traces agree, else who has which."""
    named = [(page_name(group, cell), launch.trace) for group in groups for cell in group.cells
             for launch in cell.launches]
    rows = []
    for what, value in circumstances.ALL:
        seen: dict = {}
        for name, trace in named:
            seen.setdefault(value(trace), {})[name] = None
        seen.pop("", None)
        if seen:
            rows.append(property_row(what, seen))
    files = [page.tag("li", page.tag("code", trace.path), " ",
                      str(trace.provenance.get("command_line", "")), labels(trace))
             for _, trace in named]
    return [page.tag("div", page.tag("table", page.tag("tbody", *rows)), cls="wide"),
            page.tag("details", page.tag("summary", f"All {len(named)} traces and their commands"),
                     page.tag("ul", *files))]


def property_row(what: str, seen: dict) -> page.Markup:
    if len(seen) == 1:
        return page.tag("tr", page.tag("td", what), page.tag("td", next(iter(seen))))
    values = [page.tag("div", value, " ", page.tag("span", few(list(names), 4), cls="muted"))
              for value, names in seen.items()]
    return page.tag("tr", page.tag("td", f"{what} (differs)"), page.tag("td", *values),
                    cls="differs")


def labels(trace: traces.Trace) -> str:
    text = ", ".join(f"{key}={value}" for key, value in trace.labels.items())
    return f" [{text}]" if text else ""


def how_to_read() -> page.Markup:
    words_ = (
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
    items = [part for word, text in words_
             for part in (page.tag("dt", word), page.tag("dd", text))]
    return page.tag("details", page.tag("summary", "What the words mean"), page.tag("dl", *items))


if __name__ == "__main__":
    sys.exit(main())
