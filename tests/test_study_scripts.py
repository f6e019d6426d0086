"""Every script of the kit is free of the mistakes that a linter sees."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("analysis", "drivers", "tests", "slurm", ".ci")


def scripts(language, suffix):
    """Files of the rooms whose first line names the language, or that end as it does."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if not path.is_file() or "data" in path.parts:
                continue
            with open(path, "rb") as file:
                first = file.readline(80)
            if path.suffix == suffix or (first.startswith(b"#!") and language in first):
                yield str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", scripts(b"python", ".py"))
def test_pyflakes_finds_nothing(path):
    ended = subprocess.run(
        [sys.executable, "-m", "pyflakes", path], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("path", scripts(b"bash", ".sh"))
def test_shellcheck_finds_nothing(path):
    ended = subprocess.run(["shellcheck", "-x", path], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
