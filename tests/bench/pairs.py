"""Side by side in one run: peers asked turn by turn, the machine's placement probed around each.

    rounds = pairs.run({"kit": lambda: kit.ask(1000), "blas": lambda: blas.ask(1000)}, 15)
    pairs.ratios(rounds, "kit", "blas")["near"]   # speed of kit over blas: median [low, high], n

A question returns seconds, or anything of which less is faster; nan: no answer. The importer has
put analysis/ and tests/ on sys.path and named the build (BINDOT_BUILD), as the benchmarks do.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

import kit
import stats

# ns for a cache line, one way. 27 to 70 were seen on one last-level cache, 217 to 464 over two.
FAR_NS = 120


class Sample(NamedTuple):
    """One answer. state: "near" or "far", or "" where it changed meanwhile."""

    seconds: float
    state: str


class Ratio(NamedTuple):
    """Speeds of two peers, paired by round: n ratios, their median and its 95 % interval."""

    median: float
    low: float  # low, high: nan below six rounds
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Peer:
    """A process that answers each line with a number; it has a library for itself."""

    def __init__(self, command: Sequence[object], cpus: Sequence[int] = (), **environment: str):
        self.process = subprocess.Popen(
            [*map(str, command)], env={**os.environ, **environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)  # fmt: skip

    def ask(self, *words: object) -> float:
        with contextlib.suppress(BrokenPipeError):  # it has ended: reading says so
            print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return float(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def library_path(folder: str, name: str) -> str | None:
    """Where Debian keeps one flavour of a library; None: it is not here."""
    paths = glob.glob(f"/usr/lib/*/{folder}/{name}") or glob.glob(f"/usr/lib/{folder}/{name}")
    return paths[0] if paths else None


def probe() -> str:
    """The placement state of the first two CPUs now; about 5 ms. One CPU is near to itself."""
    done = subprocess.run([kit.BUILD / "tests" / "state"], capture_output=True, text=True, check=True)
    return "far" if float(done.stdout) > FAR_NS else "near"


def run(questions: Mapping[str, Callable[[], float]], rounds: int) -> list[dict[str, Sample]]:
    """Each question once in each round; who begins changes from round to round."""
    names, found = list(questions), []
    before = probe()
    for turn in range(rounds):
        answers = {}
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            seconds = questions[name]()
            after = probe()
            answers[name] = Sample(seconds, after if before == after else "")
            before = after
        found.append(answers)
        progress(f"round {turn + 1} of {rounds}")
    progress("")
    return found


def progress(text: str) -> None:
    """On a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def seconds(rounds: Sequence[Mapping[str, Sample]], name: str, state: str) -> np.ndarray:
    """The answers of one peer in one state."""
    return np.array([r[name].seconds for r in rounds if r[name].state == state])


def ratios(rounds: Sequence[Mapping[str, Sample]], ours: str, theirs: str) -> dict[str, Ratio]:
    """Speed of `ours` over that of `theirs` in each state, from rounds in which both were in it."""
    found = {}
    for state in ("near", "far"):
        pairs = np.array([r[theirs].seconds / r[ours].seconds for r in rounds
                          if r[ours].state == r[theirs].state == state])  # fmt: skip
        pairs = pairs[np.isfinite(pairs)]
        if len(pairs):
            spread = stats.median_interval(pairs)
            low, high = spread[:2] if spread else (math.nan, math.nan)
            found[state] = Ratio(float(np.median(pairs)), low, high, len(pairs))
    return found


def settled(found: Mapping[str, Ratio]) -> list[Ratio]:
    """Those of the states that were seen often enough for an interval; if there is none, all."""
    known = [ratio for ratio in found.values() if math.isfinite(ratio.high)]
    return known or list(found.values())


def verdict(what: str, value: float, least: float, high: float = math.nan) -> bool:
    """One line for a criterion: is the value as large as it must be?

    Open: it is not, but its interval reaches as far (high); more rounds would tell.
    """
    met = value >= least
    word = "met   " if met else "open  " if high >= least else "MISSED"
    print(f"{word}  {what}: {value:.3f}, at least {least:g} wanted")
    return met
