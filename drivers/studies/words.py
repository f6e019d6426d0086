"""Paths and counts as a person reads them."""

import os
from pathlib import Path


def near(path):
    """As one would type it from here."""
    there = os.path.relpath(path)
    return Path(path) if there.startswith("..") else Path(there)


def several(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("h") else "s")
