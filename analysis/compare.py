#!/usr/bin/env python3
"""Compares layouts: rate, speed-up against serial, efficiency, with intervals over launches."""

import argparse
import math
import os
import sys
from collections.abc import Sequence

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import cells  # noqa: E402
import change  # noqa: E402
import change_text  # noqa: E402
import console  # noqa: E402
import export  # noqa: E402
import traces  # noqa: E402
import words  # noqa: E402

HELP = """\
examples:
  compare.py results/quick-2025-01-31          every trace (*.h5) in a folder
  compare.py serial.h5 openmp.h5               two runs
  compare.py --json - results | jq .groups     numbers for a program
  compare.py --csv cells.csv results           tidy: one row for each cell and measure
  compare.py --extra-p models results/strong-1 extrap --json models/dot-….json
  compare.py --baseline-layout openmp results  speed-up against OpenMP's smallest run
  compare.py --baseline results/monday results/today   what changed, cell by cell

how to read the table:
  workers    ranks x threads of each (x BLAS threads of each, when more than one)
  launches   how many traces of this cell; 4/5: one was INVALID and does not count
  rate       median over launches; each launch is the median of its repetitions
             binning: sum over workers of the median bin; time off the CPU counts, lost
             time inside a bin does not and has its own column
  interval   95 %, over launches (exact from 6 on, log t for 3 to 5). A * marks the spread
             within one launch: it says nothing about the next launch
  speed-up   rate / serial's rate; its interval holds serial's uncertainty too (Welch);
             Python's ways: / the rate of python single
  of C       rate of Python's ways / serial's rate: the same unit of work, another language
  per core   speed-up / cores: strong scaling T1 / (P TP), weak T1 / TP, binning: fixed time
  parallel   = balance x comm: share of the wall time in which the workers compute
  balance    mean / largest compute time over workers
  comm       largest compute time / wall time: what is left after waiting and combining
  imbalance  largest / mean compute time - 1
  lost       binning: time taken from the workers (interruptions), mean over workers
  of roof    dot, matmul: share of the most that these nodes can do, the smaller of multiply-adds
             in registers and memory read for them; over 100 % where data stay in caches

With --baseline, cells of both studies are compared: rate after / rate before with its interval
over launches. Among cells called slower or faster at most 5 % are expected to be so by chance
(Benjamini and Hochberg), and their intervals are widened to match. "no change shown" says how
large a change would have shown.

--csv, and "records" of --json: value (median over launches), unit, low and high (95 %; empty:
unknown), what interval that is, and n launches. --extra-p: values are those of each launch;
parameters are the fewest of nodes, ranks, threads, blas_threads and size that tell the points
apart; time_s is one call of the kernel. INVALID cells are not exported to Extra-P.

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
             with --baseline: 3 some cell is slower, 4 no cell could be told
Needs NumPy, SciPy and h5py; looks for a Python that has them (see BINDOT_PYTHON).
"""

FAILED, SLOWER, UNTOLD = 1, 3, 4

# title, right-aligned, order in which columns leave a narrow terminal (0: never)
COLUMNS = (("layout", False, 0), ("workers", False, 0), ("launches", True, 5), ("rate", True, 0),
           ("interval", False, 6), ("speed-up", True, 0), ("interval", False, 7),
           ("of C", True, 0), ("interval", False, 10),
           ("per core", True, 4), ("parallel", True, 8), ("balance", True, 2), ("comm", True, 3),
           ("imbalance", True, 1), ("lost", True, 9), ("of roof", True, 10))


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    groups = analyse(read(options.paths, bad), bad, rules(options))
    console.say_all("compare.py", bad)
    if not groups:
        print("compare.py: no trace could be read", file=sys.stderr)
        return 1
    if options.baseline:
        return against(groups, options)
    if "-" not in (options.json, options.csv):
        print("\n\n".join(table(group, words.width(), console.colours()) for group in groups))
    return written(groups, bad, options)


def written(groups: list, bad: list, options: argparse.Namespace) -> int:
    """The files that were asked for; returns the exit status."""
    failed = 0
    if options.json:
        failed |= console.write("compare.py", options.json,
                                words.json_text(as_json(groups, bad, options)))
    if options.csv:
        failed |= console.write("compare.py", options.csv, export.csv_text(export.records(groups)))
    if options.extra_p:
        failed |= extra_p(groups, options.extra_p)
    return failed


def extra_p(groups: list, folder: str) -> int:
    """A file for each curve, and which; returns the exit status."""
    made = export.extra_p(groups)
    if not made:
        console.say("compare.py", "no layout was run at two points or more: nothing for Extra-P")
        return FAILED
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        console.say("compare.py", f"cannot write {folder}: {error.strerror}")
        return FAILED
    return max(console.write("compare.py", os.path.join(folder, name), words.json_text(content))
               for name, content in made.items())


def against(groups: list, options: argparse.Namespace) -> int:
    """What changed since the baseline; the exit status is for nightly checks."""
    bad: list = []
    before = analyse(read([options.baseline], bad), bad, rules(options))
    console.say_all("compare.py", bad)
    if not before:
        print(f"compare.py: no trace could be read in {options.baseline}", file=sys.stderr)
        return FAILED
    changes = change.compare(before, groups, options.threshold, options.allow_invalid)
    if options.json != "-":
        lines = change_text.text(changes, options.threshold)
        print("\n".join(map(words.shown, lines)).rstrip())
    if options.json and console.write("compare.py", options.json, words.json_text(
            change_text.as_json(changes, options.threshold))):
        return FAILED
    if changes.count(change.SLOWER):
        return SLOWER
    return UNTOLD if changes.count(change.UNTOLD) == len(changes.changes) else 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser("compare.py", __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    parser.add_argument("--baseline", metavar="DIR",
                        help="an earlier study: tell what changed since then")
    parser.add_argument("--threshold", type=console.share, default=0.02, metavar="SHARE",
                        help="with --baseline: smaller changes count as none (2%%)")
    parser.add_argument("--csv", metavar="FILE",
                        help="also write tidy records, one for each cell and measure; -: to stdout "
                             "only")
    parser.add_argument("--extra-p", metavar="DIR",
                        help="also write Extra-P's JSON input, a file for each work and layout")
    add_rules(parser)
    options = parser.parse_args(argv)
    if options.baseline and (options.csv or options.extra_p):
        parser.error("--csv and --extra-p are of one study: leave out --baseline")
    if options.json == options.csv == "-":
        parser.error("--json - and --csv -: standard output takes one of them")
    return options


def add_rules(parser: argparse.ArgumentParser) -> None:
    """The options that report.py shares."""
    parser.add_argument("--allow-invalid", action="store_true",
                        help="rank INVALID launches too; they stay marked")
    parser.add_argument("--across-kernels", action="store_true",
                        help="speed-ups even between different kernel hashes")
    parser.add_argument("--baseline-layout", default="serial", metavar="LAYOUT",
                        help="whose smallest run is the base of the speed-up (serial)")


def rules(options: argparse.Namespace) -> cells.Rules:
    return cells.Rules(options.baseline_layout, options.allow_invalid, options.across_kernels)


def read(paths: list, bad: list):
    """Traces one at a time."""
    return console.counted(traces.each(paths, bad), len(traces.find(paths)), "traces read")


def analyse(found, bad: list, allowed: cells.Rules) -> list:
    """Groups of all traces whose bins can be read too; the others join `bad`.

    A trace is reduced before the next one is read.
    """
    launches = list(launched(found, bad))
    return cells.grouped(launches, allowed) if launches else []


def launched(found, bad: list):
    """Each trace as a launch."""
    for trace in found:
        try:
            yield cells.measure(trace)
        except traces.BadTrace as error:
            bad.append(error)


# ----------------------------------------------------------------------------------- the table

def table(group: cells.Group, columns: int, colour: bool) -> str:
    """One group as text no wider than `columns`, if its first columns allow that."""
    lines = heading(group, columns, colour)
    rows, hidden, marked = grid(group, columns, colour)
    lines += ["", *rows, ""]
    if marked:
        lines += console.wrapped("* spread within one launch; the next launch may differ by more",
                                 columns)
    if hidden:
        lines += console.wrapped(f"not shown for want of width: {', '.join(hidden)} (--json)",
                                 columns)
    for text in group.warnings:
        lines += console.wrapped("! " + text, columns, "  ")
    return "\n".join(lines).rstrip()


def heading(group: cells.Group, columns: int, colour: bool) -> list:
    """What the work is and in which units its rates are."""
    _, letter = words.prefix([cell.rate for cell in group.cells])
    lines = console.wrapped(group.title, columns)
    lines[0] = console.paint(lines[0], "1", colour)
    lines += console.wrapped(f"rates in {words.rate_unit(letter, group.unit)}; "
                             "intervals: 95 %, over launches", columns)
    return lines + (console.wrapped(bases(group), columns) if len(group.bases) > 1 else [])


def grid(group: cells.Group, columns: int, colour: bool,
         wanted: Sequence[str] = ()) -> tuple[list, list, bool]:
    """(lines of the table, titles that found no room, some interval is of one launch only).

    wanted: titles of the columns to show; none: all.
    """
    scale, _ = words.prefix([cell.rate for cell in group.cells])
    rows = [row(cell, scale) for cell in group.cells]
    used = [i for i in range(len(COLUMNS)) if (not wanted or COLUMNS[i][0] in wanted)
            and any(r[i] not in ("", words.UNKNOWN) for r in rows)]
    kept = fit(rows, used, columns)
    lines = aligned([[c[0] for c in COLUMNS], *rows], kept, group, colour)
    return (lines, list(dict.fromkeys(COLUMNS[i][0] for i in used if i not in kept)),
            any("*" in r[4] for r in rows))


def bases(group: cells.Group) -> str:
    """What each speed-up is over, where languages stand side by side."""
    over = "; ".join(f"{language} over {base}" for language, base in group.bases.items())
    return (f"speed-up within a language: {over}. of C: rate / the C base's, what a unit costs in "
            "the other language; no gain of a layout")


def row(cell: cells.Cell, scale: float) -> list:
    """The texts of one row, in the order of COLUMNS."""
    parts, (spread, kind) = cell.efficiency, cell.interval
    ranked = math.isfinite(cell.speedup)
    mark = " *" if kind == "within one launch" else ""
    return [
        cell.label + (" (INVALID)" if ranked and not cell.valid else ""),
        cell.workers,
        cell.counted,
        words.number(cell.rate / scale),
        words.interval(spread[:2], scale) + mark if spread else words.UNKNOWN,
        "1 (base)" if cell.is_base else words.number(cell.speedup, 3) if ranked
        else "INVALID" if not cell.valid else words.UNKNOWN,
        words.interval(cell.speedup_interval, digits=3),
        words.ratio(cell.across),
        words.interval(cell.across_interval, digits=3),
        words.share(cell.per_core),
        words.share(parts.parallel),
        words.share(parts.balance),
        words.share(parts.communication),
        words.percent(cell.middle(lambda launch: launch.imbalance)),
        words.percent(cell.middle(lambda launch: launch.lost)),
        words.percent(cells.roofline(cell).get("fraction", math.nan)),
    ]


def fit(rows: list, used: list, columns: int) -> list:
    """The columns that fit, least important ones dropped first."""
    def wide(i: int) -> int:
        return 2 + max(len(COLUMNS[i][0]), *(len(r[i]) for r in rows))
    kept = list(used)
    for i in sorted((i for i in used if COLUMNS[i][2]), key=lambda i: COLUMNS[i][2]):
        if sum(map(wide, kept)) - 2 > columns:
            kept.remove(i)
    return kept


def aligned(rows: list, kept: list, group: cells.Group, colour: bool) -> list:
    widths = {i: max(len(r[i]) for r in rows) for i in kept}
    lines = []
    for at, texts in enumerate(rows):
        padded = [texts[i].rjust(widths[i]) if COLUMNS[i][1] else texts[i].ljust(widths[i])
                  for i in kept]
        line = words.shown("  ".join(padded).rstrip())
        code = "4" if at == 0 else "" if group.cells[at - 1].valid else "31"
        lines.append(console.paint(line, code, colour))
    return lines


# ------------------------------------------------------------------------------------ the JSON

def as_json(groups: list, bad: list, options: argparse.Namespace) -> dict:
    """Everything in the table and more. Rates in units per second; unknown is null."""
    return {
        "format": "bindot-compare",
        "format_version": "1.0",
        "options": {"baseline_layout": options.baseline_layout,
                    "allow_invalid": options.allow_invalid,
                    "across_kernels": options.across_kernels},
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "records": export.records(groups),
        "groups": [{**group.work, "title": group.title, "unit": group.unit,
                    "warnings": list(group.warnings),
                    "cells": [cell_json(group, cell) for cell in group.cells]}
                   for group in groups],
    }


def cell_json(group: cells.Group, cell: cells.Cell) -> dict:
    parts, (spread, kind) = cell.efficiency, cell.interval
    return {
        "layout": cell.layout, "way": cell.way, "language": cell.language,
        "nodes": cell.nodes, "ranks": cell.ranks,
        "threads_per_rank": cell.threads, "blas_threads": cell.blas_threads, "cores": cell.cores,
        "kernel_hash": cell.kernel_hash, "valid": cell.valid,
        "invalid_reasons": cells.reasons(cell), "pinned": cell.pinned,
        "launches": len(cell.launches), "launches_used": len(cell.used),
        "launch_rates": list(cell.rates), "outliers": cells.stats.outliers(cell.rates),
        "rate": cell.rate, "rate_interval": list(spread[:2]) if spread else None,
        "rate_interval_kind": kind,
        "rate_interval_confidence": spread.confidence if spread else None,
        "rate_delivered": cell.middle(lambda x: x.delivered),
        "secondary": cells.secondary(group.work["kernel"], cell.rate),
        "speedup": cell.speedup, "speedup_interval": cell.speedup_interval,
        "speedup_note": cell.speedup_missing, "is_base": cell.is_base, "base": cell.base,
        "across": cell.across, "across_interval": cell.across_interval,
        "speedup_per_core": cell.per_core, "compute_scaling": cell.compute,
        "parallel_efficiency": parts.parallel, "load_balance": parts.balance,
        "communication_efficiency": parts.communication,
        "imbalance": cell.middle(lambda x: x.imbalance),
        "lost_share": cell.middle(lambda x: x.lost),
        "lost_share_worst_worker": cell.middle(lambda x: x.lost_worst),
        "off_cpu_share": cell.middle(lambda x: x.off),
        "losses": cells.losses(cell),
        "roofline": cells.roofline(cell),
        "files": [x.trace.path for x in cell.launches],
        "files_used": [x.trace.path for x in cell.used],
    }


if __name__ == "__main__":
    console.run(main)
