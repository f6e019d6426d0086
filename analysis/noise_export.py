"""Writes one worker's series in the formats of other tools. Text files, one worker each.

FTQ: lines "ns count" under a # header, one file per repetition, because its time axis must be even.
Selfish: lines "start<TAB>duration" in ns, what LogGOPSim reads as --noise-trace. That reader takes
the start of the last line as the length of the trace and reads once more after a final newline
(its Noise.hpp): so the last line here is the end of the trace with a detour of 0 ns, and no newline
follows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import words
from portrait import Series, Setting
from traces import Trace


def name(trace: Trace, worker: int, suffix: str) -> str:
    return f"{Path(trace.path).stem}-w{worker:04d}{suffix}"


def ftq(folder: str, trace: Trace, setting: Setting, worker: int, series: Series) -> list[str]:
    """The files written. Time: left edge of each bin since the agreed start of the repetition."""
    written = []
    for rep, counts in enumerate(series.counts):
        suffix = f"-r{rep:03d}.ftq" if len(series.counts) > 1 else ".ftq"
        head = (f"{trace.text('unit')}s per bin of {setting.width:g} ns, repetition {rep}; "
                "columns: ns since start, count",
                f"frequency {1e9 / setting.width:.6f} Hz: pwelch(count, [], [], [], frequency)")
        times = np.arange(len(counts)) * int(setting.width)
        lines = (f"{t} {c}" for t, c in zip(times.tolist(), counts.tolist()))
        written.append(_write(folder, name(trace, worker, suffix), trace, worker, head, lines,
                              end="\n"))
    return written


def selfish(folder: str, trace: Trace, setting: Setting, worker: int, series: Series) -> list[str]:
    """The file written; none if the trace has no list.

    Repetitions are put end to end, each for as long as its list is complete.
    """
    if series.listed is None:
        return []
    end, lines = 0, []
    for listed in series.listed:
        covered = int(listed.covered(setting.whole))
        keep = (listed.start >= 0) & (listed.start < covered)
        starts = (end + listed.start[keep]).astype(np.int64)
        lengths = listed.length[keep].astype(np.int64)
        lines += [f"{s}\t{d}" for s, d in zip(starts.tolist(), lengths.tolist())]
        end += covered
    lines.append(f"{end}\t0")
    head = (f"detours of {setting.threshold:g} ns or more; columns: start ns, duration ns",
            f"{len(series.listed)} repetitions end to end, {end} ns; the last line closes it")
    return [_write(folder, name(trace, worker, ".detours"), trace, worker, head, lines)]


def _write(folder: str, file: str, trace: Trace, worker: int, head: Iterable[str],
           lines: Iterable[str], end: str = "") -> str:
    """Raises OSError."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, file)
    run = f"{trace.text('layout')} run {trace.text('run_id')}"
    comments = [words.shown(f"# {text}", "ascii").replace("\n", " ")
                for text in (f"bindot {run}, worker {worker} of {trace.nworkers}", *head)]
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(comments))
        for line in lines:
            out.write("\n" + line)
        out.write(end)
    return path
