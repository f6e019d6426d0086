"""What the command lines have in common: one clear line for bad input, files or standard output."""

from __future__ import annotations

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import words


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, not the whole usage."""
        self.exit(2, words.shown(f"{self.prog}: {message} (--help tells more)\n"))


def parser(prog: str, about: str, more: str) -> Parser:
    return Parser(prog=prog, description=about, epilog=more,
                  formatter_class=argparse.RawDescriptionHelpFormatter)


def add_traces(parser: argparse.ArgumentParser) -> None:
    """What is read, and where the numbers go."""
    parser.add_argument("paths", nargs="+", metavar="TRACE|DIR", help="traces, or folders of them")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers; -: to stdout only")


def picture(text: str) -> str:
    """The name of a plot's file."""
    if not text.endswith((".png", ".svg")):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png or .svg")
    return text


def share(text: str) -> float:
    """"3%" as 0.03."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*%", text.strip())
    if not match or not 0 < float(match[1]) < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 3%")
    return float(match[1]) / 100


def colours() -> bool:
    return (sys.stdout.isatty() and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb")


def paint(text: str, code: str, colour: bool) -> str:
    """Colour is put on last and never carries meaning alone."""
    return f"\033[{code}m{text}\033[0m" if colour and code else text


def wrapped(text: str, columns: int, indent: str = "") -> list:
    """Lines no wider than `columns`; those after the first are indented."""
    return textwrap.wrap(words.shown(text), max(columns, 20), subsequent_indent=indent,
                         break_on_hyphens=False)


def counted(things: Iterable, number: int, noun: str) -> Iterator:
    """The same things; tells on a terminal how many have gone by."""
    shows = sys.stderr.isatty() and number > 20
    for at, thing in enumerate(things, 1):
        if shows and (at % 10 == 0 or at == number):
            print(f"\r{at} of {number} {noun}", end="", file=sys.stderr, flush=True)
        yield thing
    if shows:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def say(prog: str, text: str) -> None:
    print(words.shown(f"{prog}: {text}"), file=sys.stderr)


def say_all(prog: str, errors: Iterable[Exception]) -> None:
    """Why files could not be read, a line for each."""
    for error in errors:
        say(prog, str(error))


def write(prog: str, target: str, text: str) -> int:
    """To a file, or to standard output for "-". Returns the exit status."""
    if target == "-":
        print(text)
        return 0
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        say(prog, f"cannot write {target}: {error.strerror}")
        return 1
    return 0


def answer(prog: str, target: str | None, text: str, numbers: dict) -> int:
    """The text for a person, unless the numbers take its place; then those, if they are asked for.
    Returns the exit status."""
    if target != "-":
        print(words.shown(text))
    return write(prog, target, words.json_text(numbers)) if target else 0


def save(prog: str, made, target: str) -> int:
    """A Matplotlib figure into a file. Returns the exit status."""
    try:
        made.savefig(target, dpi=150, facecolor="white")
    except OSError as error:
        say(prog, f"cannot write {target}: {error.strerror}")
        return 1
    return 0


def run(main) -> None:
    """Calls it and exits; `script ... | head` is no error."""
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
