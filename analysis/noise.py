#!/usr/bin/env python3
"""What interrupts the workers, why, and what it would cost a program that waits for the slowest."""

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import numpy as np  # noqa: E402

import compare  # noqa: E402
import console  # noqa: E402
import noise_export  # noqa: E402
import noise_json  # noqa: E402
import noise_text  # noqa: E402
import sample  # noqa: E402
import survey  # noqa: E402
import traces  # noqa: E402
import words  # noqa: E402

HELP = """\
record a trace that can answer (60 s, one repetition; a tick and a daemon need time):
  bindot-serial binning --bins 1200000 --repeats 1 --detours 1e6 -o quiet.h5

examples:
  noise.py quiet.h5                             text: workers, spectrum, causes, prediction
  noise.py --grain 500us --procs 64,1024 q.h5   a program that synchronises every 500 us
  noise.py --plot noise.png quiet.h5            heat map of lost time, and its spectrum
  noise.py --json - quiet.h5 | jq .traces[0].findings
  noise.py --export-ftq out --export-detours out quiet.h5

how to read it:
  rate and lost time are two things. A slower clock lowers the rate of every bin; an interruption
  takes time and leaves the rate as it was. The table has both, and never their mixture.
  spectrum   what comes back regularly; a timer tick is a comb at 100, 250, 300 or 1000 Hz
  causes     each test says its statistic and threshold, also when it finds nothing: then with the
             smallest effect that it would have seen
  predicted  P ranks compute for g, wait for each other, and again: each step lasts as long as its
  slowdown   unluckiest rank. The same 2.5 % of noise costs 5 % or 250 % at large P, depending on
             whether it comes as 25 us a thousand times a second or as 2.5 ms ten times a second
  A prediction holds for noise like that of the trace. Take one before and one after the run that
  it is meant for; if they disagree, so will the run.

exit status: 0 done, 1 nothing could be read or something not be written, 2 bad usage
Needs NumPy, SciPy and h5py (and Matplotlib for --plot); looks for a Python that has them.
"""

MOST_WORKERS, MOST_TRACES = 256, 16  # that are looked at closely, unless told
UNITS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}


def main() -> int:
    options = parse(sys.argv[1:])
    bad: list = []
    paths, skipped = looked_at(options, bad)
    if options.plot and len(paths) > 1:
        return usage(f"--plot takes one trace, not {len(paths)}")
    done = []
    for path in paths:
        try:
            done.append(surveyed(path, options))
        except traces.BadTrace as error:
            bad.append(error)
        except OSError as error:
            return failed(f"cannot write {error.filename}: {error.strerror}")
    for one in bad:
        say(str(one))
    if not done:
        if not bad:
            say("no trace of the kernel binning among " + ", ".join(options.paths))
        return 1
    if skipped and options.json != "-":
        print(skipped + "\n")
    if options.json != "-":
        print(words.shown("\n\n\n".join(noise_text.text(s) for s in done)))
    return write(done, bad, options)


def looked_at(options: argparse.Namespace, bad: list) -> tuple:
    """(paths of the traces to look at, a sentence on those that are left out, or "")."""
    worst, others = {}, 0
    many = len(traces.find(options.paths)) > options.traces
    for trace in compare.read(options.paths, bad):
        if trace.text("kernel") != "binning" and trace.path not in options.paths:
            others += 1
            continue
        try:
            worst[trace.path] = survey.losses(trace).max() if many and trace.bins else 0.0
        except traces.BadTrace as error:
            bad.append(error)
    paths = list(worst)
    kept = [paths[i] for i in sample.chosen(np.array(list(worst.values())), options.traces)]
    left = [f"traces of other kernels left out: {others}"] if others else []
    if len(kept) < len(paths):
        left.append(f"looked at {len(kept)} of {len(paths)} traces, those whose workers lost most "
                    "and others evenly; --traces N looks at more")
    return kept, f"({'; '.join(left)})" if left else ""


def surveyed(path: str, options: argparse.Namespace) -> survey.Survey:
    """Of at most --workers of its workers; its first note says which."""
    trace, visit = traces.read(path), exporter(path, options)
    if trace.nworkers <= options.workers or not trace.bins:
        return survey.survey(trace, options.wishes, visit)
    some = trace.only(sample.chosen(survey.losses(trace), options.workers))
    found = survey.survey(some, options.wishes, visit)
    return replace(found, notes=[
        f"looked at {some.nworkers} of {trace.nworkers} workers, those that lost most and others "
        "evenly; --workers N looks at more", *found.notes])


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser("noise.py", __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR",
                        help="traces of the kernel binning, or folders of them")
    parser.add_argument("--grain", type=times, metavar="TIME[,TIME]", default=(1e5, 1e6, 1e7),
                        help="work between two synchronisations (100us,1ms,10ms)")
    parser.add_argument("--procs", type=counts, metavar="P[,P]",
                        help="ranks (1,4,16 ... as far as the trace reaches)")
    parser.add_argument("--barrier", type=time, default=0.0, metavar="TIME",
                        help="what a synchronisation costs without noise (0us)")
    parser.add_argument("--work", choices=("lost", "counts"), default="lost",
                        help="what slows a step: lost time (default), or all that lowers the count "
                             "of a bin, rate included (for --unit alu or memory)")
    parser.add_argument("--workers", type=several, metavar="N",
                        help="look at N workers of a trace at most: those that lost most, and "
                             f"others evenly ({MOST_WORKERS}; all where they are exported)")
    parser.add_argument("--traces", type=several, default=MOST_TRACES, metavar="N",
                        help=f"likewise at N of many traces ({MOST_TRACES})")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    parser.add_argument("--plot", metavar="FILE", type=console.picture,
                        help="heat map and spectrum (.png, .svg)")
    parser.add_argument("--export-ftq", metavar="DIR", help="counts per bin as FTQ text")
    parser.add_argument("--export-detours", metavar="DIR",
                        help="detours as LogGOPSim reads them (selfish format)")
    options = parser.parse_args(argv)
    if options.workers is None:
        exports = options.export_ftq or options.export_detours
        options.workers = sys.maxsize if exports else MOST_WORKERS
    options.wishes = survey.Wishes(options.grain, options.procs, options.barrier, options.work)
    if options.plot:
        interpreter.ensure("numpy", "scipy", "h5py", "matplotlib")
    return options


def time(text: str) -> float:
    """A time with its unit, in ns."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*(ns|us|µs|ms|s)", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time with a unit, such as 500us or 1ms")
    return float(match[1]) * UNITS[match[2]]


def times(text: str) -> tuple:
    found = tuple(sorted({time(part) for part in text.split(",")}))
    if not min(found) > 0:
        raise argparse.ArgumentTypeError("a grain must be longer than 0")
    return found


def counts(text: str) -> tuple:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of ranks, such as 64,1024")
    return tuple(sorted({int(part) for part in parts}))


def several(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 2 on")
    return int(text)


def exporter(path: str, options: argparse.Namespace):
    """A function that writes each worker's files as it comes by, or None."""
    if not (options.export_ftq or options.export_detours):
        return None
    trace, setting = traces.read(path), None

    def visit(worker, series):
        nonlocal setting
        setting = setting or survey.settings(trace, options.wishes)
        if options.export_ftq:
            noise_export.ftq(options.export_ftq, trace, setting, worker, series)
        if options.export_detours:
            noise_export.selfish(options.export_detours, trace, setting, worker, series)
    return visit


def say(text: str) -> None:
    console.say("noise.py", text)


def usage(text: str) -> int:
    say(text)
    return 2


def failed(text: str) -> int:
    say(text)
    return 1


# -------------------------------------------------------------------------------------- output

def write(done: list, bad: list, options: argparse.Namespace) -> int:
    if options.plot and console.save("noise.py", plot(done[0]), options.plot):
        return 1
    if options.json:
        return console.write("noise.py", options.json, noise_json.text(done, bad))
    return 0


def plot(one: survey.Survey):
    import plot_noise
    loud = sorted((p for p in one.portraits if p.spectrum), key=lambda p: -p.lost)
    return plot_noise.draw(
        f"{Path(one.trace.path).name}: time lost, by worker",
        {p.worker: p.lane for p in one.portraits},
        [one.setting.whole * 1e-9] * one.trace.repetitions,
        {f"worker {p.worker}": (p.spectrum.frequency, p.spectrum.height)
         for p in loud[:4] if p.spectrum},
        sorted({t.frequency for p in loud for t in p.ticks if t.found}))


if __name__ == "__main__":
    console.run(main)
