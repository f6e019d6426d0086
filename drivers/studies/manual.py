"""A study's page: the text that --help shows, and the options that it names.

The page is the docstring of the study's module, so that what is documented is what is taken.
An option is a line "  --name KIND  what it means [default]"; drivers/study reads the same lines
and checks by the KIND what was given.
"""

import re
from dataclasses import dataclass

OPTION = re.compile(r"^ +(?:-\w, )?--([a-z]+)(?: ([A-Z]+))?  +(\S.*)$")
SIZES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip
TIMES = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10}
MOST = 2**53  # up to here a double has every whole number


@dataclass(frozen=True)
class Option:
    """default: its value where none is given; None: the study sees to it."""

    name: str
    kind: str
    text: str

    @property
    def default(self):
        found = re.search(r"\[([^]]*)\]$", self.text)
        if found is None:
            return None
        return value(self, found[1])

    @property
    def choices(self):
        found = re.search(r"(?:some|one) of: (\S+)", self.text)
        return tuple(found[1].split(",")) if found else ()


def options(page):
    """The options of a page, by name. What is indented below an option belongs to it."""
    found, last = {}, None
    for line in page.splitlines():
        match = OPTION.match(line)
        if match:
            last = match[1]
            found[last] = [match[2], match[3]]
        elif last and line.startswith("      "):
            found[last][1] += " " + line.strip()
        else:
            last = None
    return {name: Option(name, kind, text) for name, (kind, text) in found.items()}


def value(option, text):
    """What was typed, as Python takes it, nothing twice; its form was checked before.
    Raises ValueError for a number that is none of anything."""
    parts = tuple(part for part in text.split(",") if part)
    if option.kind in ("N", "S"):
        return int(text)
    if option.kind == "COUNTS":
        return tuple(dict.fromkeys(map(int, parts)))
    if option.kind == "LIST":
        return option.choices if text == "all" else tuple(x for x in option.choices if x in parts)
    if option.kind == "SIZE":
        return scaled(option, text, SIZES)
    if option.kind in ("SIZES", "TIMES"):
        units = SIZES if option.kind == "SIZES" else TIMES
        return tuple(dict.fromkeys(scaled(option, part, units) for part in parts))
    return text


def scaled(option, text, units):
    """64Ki -> 65536, 50us -> 50000 ns."""
    number, unit = re.fullmatch(r"([0-9.]+(?:e[0-9]+)?)([A-Za-z]*)", text).groups()
    value = float(number) * units[unit]
    if not 1 <= value <= MOST:
        raise ValueError(f"--{option.name} takes numbers from 1 to 2^53, not '{text}'")
    return round(value)
