#!/usr/bin/env python3
"""The training text's statements on parallelism in Python, each with a measured verdict."""

import argparse
import collections
import sys

import interpreter

interpreter.ensure("numpy", "scipy", "h5py")

import claim  # noqa: E402
import console  # noqa: E402
import traces  # noqa: E402
import words  # noqa: E402
from claims_limits import LIMIT_ROWS  # noqa: E402
from claims_lock import LOCK_ROWS  # noqa: E402
from claims_marshal import MARSHAL_ROWS  # noqa: E402
from claims_memory import MEMORY_ROWS  # noqa: E402
from claims_named import NAMED_ROWS  # noqa: E402
from claims_numpy import NUMPY_ROWS  # noqa: E402
from claims_wait import WAIT_ROWS  # noqa: E402
from claims_workers import ROWS, SHARE_ROWS  # noqa: E402

HELP = """\
record what it needs (about ten minutes on two cores):
  drivers/study python

examples:
  claims.py results/python-2025-01-31
  claims.py --json - results/python-2025-01-31 | jq '.claims[] | select(.verdict != "holds")'

how to read it:
  effect     the measured number, with its 95 % interval over launches
  true if    the values for which the statement is true
  verdict    holds: the whole interval is in that range. does not hold: none of it is.
             cannot tell here: the interval reaches over the edge, a run is missing, or there are
             fewer than three launches of it. Nothing holds by default.
Some of the text's statements are wrong, or right for another reason; the lines marked with >
say what the measurement teaches.

exit status: 0 done, 1 nothing could be read, 2 bad usage
Needs NumPy, SciPy and h5py; looks for a Python that has them.
"""
BOOK: list = [*ROWS, *LOCK_ROWS, *WAIT_ROWS, *MEMORY_ROWS, *SHARE_ROWS, *NUMPY_ROWS, *MARSHAL_ROWS,
        *LIMIT_ROWS, *NAMED_ROWS]
SIGNS = {claim.HOLDS: "yes", claim.FAILS: "NO", claim.UNTOLD: "?"}


def main() -> int:
    options = parse(sys.argv[1:])
    found, bad = traces.read_all(options.paths)
    console.say_all("claims.py", bad)
    if not found:
        console.say("claims.py", "no trace could be read")
        return 1
    claims = judge(found)
    if options.json != "-":
        print(words.shown("\n".join(text(claims))))
    return console.write("claims.py", options.json, words.json_text(as_json(claims, found))) \
        if options.json else 0


def parse(argv: list) -> argparse.Namespace:
    parser = console.parser("claims.py", __doc__, HELP)
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")
    return parser.parse_args(argv)


def judge(found: list) -> list:
    """All rows of the book, each judged by the traces that it needs."""
    return claim.judged(BOOK, claim.Runs(found))


# ------------------------------------------------------------------------------------ the text

def text(claims: list) -> list[str]:
    """Lines: how many of which verdict, then every statement by its group."""
    counts = collections.Counter(one.verdict for one in claims)
    lines = [", ".join(f"{counts[verdict]} {words_}" for verdict, words_ in (
        (claim.HOLDS, "statements hold"), (claim.FAILS, "do not hold"),
        (claim.UNTOLD, "cannot be told here")))]
    for group in dict.fromkeys(one.group for one in claims):
        lines += ["", group]
        for one in claims:
            if one.group == group:
                lines += paragraph(one)
    return lines


def paragraph(one: claim.Claim) -> list[str]:
    """A statement: verdict, effect, and what it teaches."""
    lines = words.wrap(f"  {SIGNS[one.verdict]:>3}  {one.statement}.", " " * 7)
    lines += words.wrap(f"       {one.verdict}: {measured(one)}", " " * 9)
    lines += words.wrap(f"       measured: {one.experiment}", " " * 9)
    return lines + (words.wrap(f"       > {one.lesson}", " " * 9) if one.lesson else [])


def measured(one: claim.Claim) -> str:
    """The effect with its interval and what would be true, or why there is none."""
    if one.effect is None:
        return one.reason
    e = one.effect
    spread = words.known(words.interval((e.low, e.high), digits=3))
    told = (f"{one.what} = {words.number(e.value, 3)} {spread}, {e.n} launches; "
            f"true if {condition(*one.true)}")
    return f"{told}; {one.reason}" if one.reason else told


def condition(low: float, high: float) -> str:
    """The range in words."""
    if low == high:
        return f"exactly {low:g}"
    if high == float("inf"):
        return f"above {low:g}"
    return f"below {high:g}" if low <= 0 else f"{low:g} to {high:g}"


def as_json(claims: list, found: list) -> dict:
    """Everything in the table. true: [low, high], null for no limit."""
    return {
        "format": "bindot-claims", "format_version": "1.0", "traces": len(found),
        "claims": [{
            "key": one.key, "group": one.group, "statement": one.statement,
            "experiment": one.experiment, "what": one.what, "verdict": one.verdict,
            "true": list(one.true),
            "effect": one.effect.value if one.effect else None,
            "interval": [one.effect.low, one.effect.high] if one.effect else None,
            "launches": one.effect.n if one.effect else 0,
            "reason": one.reason, "lesson": one.lesson,
        } for one in claims],
    }


if __name__ == "__main__":
    console.run(main)
