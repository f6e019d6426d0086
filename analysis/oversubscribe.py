#!/usr/bin/env python3
"""What do more workers and library threads than cores cost, against the best that fills them?"""

import argparse
import sys
from dataclasses import dataclass

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import cells  # noqa: E402
import console  # noqa: E402
import stats  # noqa: E402
import traces  # noqa: E402
import words  # noqa: E402

NAME = "oversubscribe.py"
HELP = """\
record what can answer: one product under several ranks x threads x BLAS threads, from one to
beyond the cores, five launches each
  drivers/study oversubscribe

how to read the table:
  workers   ranks x threads of each x BLAS threads of each; asks for: their product over the cores
  of best   rate over the rate of the best that asks for exactly the cores, and its 95 % interval
            over launches (Welch). The best was chosen after looking: it is a little lucky
  verdict   of "asking for more than the cores costs": holds (the whole interval lies below 1),
            does not hold (above), undecided (it includes 1)
  INVALID   as every such run is marked, and should be. Where a cell has valid launches, only
            they count (launches 3/5: three of five)

exit status: 0 done, 1 nothing could be read or written, 2 bad usage
"""


@dataclass(frozen=True)
class Row:
    """One cell. ratio: against the best that fills the cores; None for itself or unknown."""

    cell: cells.Cell
    asks: float
    ratio: stats.Ratio | None
    is_best: bool

    @property
    def verdict(self) -> str:
        if self.is_best:
            return "the best that fills the cores"
        if self.asks <= 1:
            return "leaves cores idle" if self.asks < 1 else "fills the cores"
        if self.ratio is None:
            return "cannot tell: under 3 launches"
        if self.ratio.high < 1:
            return "holds"
        return "does not hold" if self.ratio.low > 1 else "undecided"


@dataclass(frozen=True)
class Work:
    """One kernel at one size. rows: by what they ask for."""

    group: cells.Group
    cores: int
    rows: tuple


def main() -> int:
    options = parse(sys.argv[1:])
    read, bad = traces.read_all(options.paths)
    console.say_all(NAME, bad)
    found = [work for group in cells.compare(read, cells.Rules())
             if (work := work_of(group, options.cores))]
    if not found:
        console.say(NAME, "no work with a valid cell that fills the cores")
        return 1
    told = "\n\n".join("\n".join(text(work)) for work in found)
    return console.answer(NAME, options.json, told, as_json(found, bad))


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser(NAME, __doc__, HELP)
    console.add_traces(parser)
    parser.add_argument("--cores", type=int, metavar="N",
                        help="cores that there were to fill (default: the most that a valid "
                             "launch used)")
    return parser.parse_args(argv)


# ------------------------------------------------------------------------------------- compute

def work_of(group: cells.Group, given: int | None) -> Work | None:
    """None where nothing fills the cores: there is nothing to be compared with."""
    valid = [cell for cell in group.cells if cell.valid]
    cores = given if given else max((cell.cores or 0 for cell in valid), default=0)
    full = [cell for cell in valid if cell.cores == cores]
    if not full:
        return None
    best = max(full, key=lambda cell: cell.rate)
    rows = [Row(cell, (cell.cores or 0) / cores,
                None if cell is best else stats.ratio_interval(cell.rates, best.rates),
                cell is best) for cell in group.cells]
    return Work(group, cores, tuple(sorted(rows, key=lambda row: (
        row.asks, cells.order_of(row.cell.layout), -row.cell.ranks, row.cell.threads))))


# ---------------------------------------------------------------------------------------- show

def text(work: Work) -> list:
    scale, letter = words.prefix([row.cell.rate for row in work.rows])
    head = ["layout", "workers", "asks for", "launches",
            words.rate_unit(letter, work.group.unit), "of best", "interval", "verdict", ""]
    rows = [[row.cell.label, row.cell.workers, f"{row.asks:g} x cores",
             row.cell.counted, words.number(row.cell.rate / scale),
             "1" if row.is_best else words.number(row.ratio and row.ratio.ratio, 3),
             words.interval(row.ratio and row.ratio[1:3], digits=3), row.verdict,
             "" if row.cell.valid else "INVALID"] for row in work.rows]
    title = f"{work.group.title}: asking for more than {work.cores} cores"
    return [*words.wrap(title), "", *words.aligned([head, *rows], 2), "", *words.wrap(sum_up(work))]


def sum_up(work: Work) -> str:
    """One sentence that a reader came for."""
    over = [row for row in work.rows if row.asks > 1 and row.ratio]
    sure = [row for row in over if row.verdict == "holds"]
    if not over:
        return "Nothing here asks for more than the cores."
    if not sure:
        return (f"No loss is certain in any of the {len(over)} ways that ask for more than the "
                "cores.")
    worst = min(sure, key=lambda row: row.ratio.ratio)
    return (f"A loss is certain in {len(sure)} of {len(over)} ways that ask for more than the "
            f"cores; the worst, {worst.cell.name}, keeps {100 * worst.ratio.ratio:.0f} % "
            f"{words.interval((100 * worst.ratio.low, 100 * worst.ratio.high))}.")


def as_json(found: list, bad: list) -> dict:
    """Rates in units per second; unknown is null."""
    return {
        "format": "bindot-oversubscribe", "format_version": "1.0",
        "unreadable": [{"file": e.path, "reason": e.why} for e in bad],
        "works": [{**work.group.work, "title": work.group.title, "cores": work.cores, "rows": [{
            "layout": row.cell.layout, "ranks": row.cell.ranks,
            "threads_per_rank": row.cell.threads, "blas_threads": row.cell.blas_threads,
            "asks_for": row.asks, "valid": row.cell.valid,
            "invalid_reasons": cells.reasons(row.cell), "launches": len(row.cell.launches),
            "launches_used": len(row.cell.used),
            "rate": row.cell.rate, "launch_rates": list(row.cell.rates),
            "of_best": row.ratio and row.ratio.ratio,
            "of_best_interval": row.ratio and list(row.ratio[1:3]),
            "is_best": row.is_best, "verdict": row.verdict,
        } for row in work.rows]} for work in found],
    }


if __name__ == "__main__":
    console.run(main)
