"""report.py --text: the page's first answers, on any terminal."""

import ast
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import cells
import heat_text
import report_text
import traces
import words
from material import Material
from synthetic import Run, launches

REPORT = Path(traces.__file__).parent / "report.py"
NOISE = {"noise": 0.005, "launch_noise": 0.005}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A gain, a worker that loses 60 % for a while, an INVALID layout."""
    made = tmp_path_factory.mktemp("traces")
    launches(made, 4, Run(**NOISE))
    launches(made, 4, Run(layout="openmp", threads=2, rate=0.9e9, compute=[0.95, 0.9], seed=1,
                          **NOISE))
    counts = np.full((3, 4, 1000), 1000)
    counts[:, 2, 300:500] = 400
    launches(made, 2, Run(kernel="binning", layout="mpi", ranks=4, repetitions=3, seed=3,
                          bins=1000, counts=counts))
    launches(made, 2, Run(layout="hybrid", ranks=2, threads=2, seed=4, attrs={
        "valid": 0, "invalid_reasons": "two workers on one core\x1b[2J"}))
    return made


@pytest.fixture(scope="module")
def material(folder):
    found, bad = traces.read_all([str(folder)])
    return Material(found, bad, cells.Rules())


def shown(material, monkeypatch, encoding="utf-8", columns=80):
    """The text as a stream of that encoding and width would carry it."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    monkeypatch.setenv("COLUMNS", str(columns))
    text = report_text.text(material, columns, False)
    text.encode(encoding)
    return text


def test_it_answers_what_the_page_answers(material, monkeypatch):
    text = shown(material, monkeypatch)
    assert "2 of 12 launches are INVALID" in text and "two workers on one core" in text
    flat = " ".join(text.split())
    assert "Use openmp 1×2. " in flat
    assert re.search(r"openmp 1×2, 1\.[78]\d* times serial 1×1 \(\[1\.\d+, 1\.\d+\], 4 launches", flat)
    assert "Look at worker 2 on node1: it did 88.0 % of the middle worker's best rate" in flat
    [bar] = re.findall(r"openmp 1×2 +(█+▓+▒*░+) +9\d %", text)
    assert len(bar) == report_text.BAR and bar.count("█") == round(0.9 * len(bar))
    assert text.index("Is the data valid?") < text.index("What did each layout gain?") < text.index(
        "Where did the rest go?") < text.index("In short")


def test_the_map_shows_when_a_worker_was_slow(material, monkeypatch):
    """Bins 300 to 500 of 1000 at 40 % of the rate: the picture has them there, and only there."""
    text = shown(material, monkeypatch)
    [row] = re.findall(r"^worker 2 on node1 (.*?) +[\d.]+ %$", text, re.MULTILINE)
    low = [i for i, sign in enumerate(row) if sign in heat_text.SIGNS[True][1:7]]
    assert low and low == list(range(low[0], low[-1] + 1))
    assert low[0] / len(row) == pytest.approx(0.3, abs=0.04)
    assert (low[-1] + 1) / len(row) == pytest.approx(0.5, abs=0.04)
    [other] = re.findall(r"^worker 1 on node1 (.*?) +[\d.]+ %$", text, re.MULTILINE)
    assert set(other) == {heat_text.SIGNS[True][-1]}


@pytest.mark.parametrize("columns", [50, 80, 132])
def test_it_keeps_to_the_width(material, monkeypatch, columns):
    lines = shown(material, monkeypatch, columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    [row] = [line for line in lines if line.startswith("worker 2 on node1"[:columns // 3 - 1])
             and line.endswith("%")]
    assert len(row) > 0.8 * columns


def test_a_terminal_without_utf_8_gets_ascii(material, monkeypatch):
    text = shown(material, monkeypatch, encoding="ascii")
    assert "openmp 1x2" in text and "#" in text
    [row] = re.findall(r"^worker 2 on node1 (.*?) +[\d.]+ %$", text, re.MULTILINE)
    assert set(row) <= set(heat_text.SIGNS[False])
    assert re.search(r"openmp 1x2 +#+\+*-*\.* +9\d %", text)


def test_every_sign_that_a_sentence_may_hold_has_its_ascii():
    """Those of pictures are chosen by what the terminal carries."""
    pictures = set(heat_text.SIGNS[True] + report_text.SIGNS[True])
    for path in REPORT.parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and (
                    id(node) not in docs):
                for sign in {c for c in node.value if not c.isascii()} - pictures:
                    assert words.shown(sign, "ascii") != "?", f"{path.name}:{node.lineno}: {sign}"
    assert words.shown("known to ±3 µs", "ascii") == "known to +-3 us"


def test_many_workers_share_rows_and_the_slowest_shows(monkeypatch):
    """1 of 400 is slow; its row says so."""
    from heat import heat, names
    from maps import Map
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    counts = np.full((400, 100), 1000)
    counts[123] = 500
    where = np.stack([np.zeros(400), np.ones(400)])
    made = heat([(counts, where)], np.zeros(400, int), 100)
    workers = np.arange(400)
    one = Map("many", made, names(made, ["node1"] * 400, workers), [], workers, 5.0, False, 0.0)
    lines = heat_text.picture(one, 100)[:-1]
    assert len(lines) == heat_text.ROWS
    assert sum(" 50.0 %" in line for line in lines) == 1
    assert sum("100.0 %" in line for line in lines) == heat_text.ROWS - 1


def test_an_exclude_line_stands_in_it(tmp_path, monkeypatch):
    """A node that is 8 % slower than its three peers in ten launches."""
    for node in range(1, 5):
        launches(tmp_path / f"n{node}", 10, Run(
            rate=(0.92 if node == 2 else 1) * 1e9, seed=node, hostnames=(f"node{node}",), noise=0.003,
            launch_noise=0.003))
    found, bad = traces.read_all([str(tmp_path)])
    text = shown(Material(found, bad, cells.Rules()), monkeypatch)
    assert text.count("--exclude=node2") >= 2  # where nodes are told, and in short


def terminal(folder, **more):
    """What report.py --text writes to a real terminal of 72 columns."""
    lead, follow = pty.openpty()
    subprocess.run(["stty", "cols", "72", "rows", "40"], stdin=follow, check=True)
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
    child = subprocess.Popen([sys.executable, REPORT, "--text", folder], stdout=follow,
                             env={**clean, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **more},
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(follow)
    said = b""
    try:
        while block := os.read(lead, 65536):
            said += block
    except OSError:  # the other end is closed
        pass
    os.close(lead)
    assert child.wait(timeout=300) == 0, child.stderr.read()
    return said.decode()


def test_a_terminal_has_colours_and_its_own_width(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = terminal(folder)
    assert "\x1b[1mIn short\x1b[0m" in said
    assert "\x1b[2J" not in said and "one core?[2J" in said  # a file's own control characters
    plain = re.sub(r"\x1b\[\d*m", "", said)
    assert 60 < max(map(len, plain.splitlines())) <= 72
    assert "\x1b" not in terminal(folder, NO_COLOR="1")
    assert not list(tmp_path.iterdir())  # no page was asked for


def test_words_wrap_to_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, words.wrap("word " * 50))) <= 40
    monkeypatch.delenv("COLUMNS")
    assert 90 < max(map(len, words.wrap("word " * 50))) <= words.LINE
