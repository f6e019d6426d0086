"""report.py writes one page that any parser reads, that needs nothing else and believes nobody."""

import base64
import hashlib
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import fleets
import heat
import page
import plot_efficiency
import plot_speedup
import plot_svg
import traces
from synthetic import Run, launches, write

REPORT = Path(traces.__file__).parent / "report.py"
HOSTILE = '<script>alert("x")</script>&amp;$x^2$\x1b[2J'


def run(*arguments):
    return subprocess.run([sys.executable, REPORT, *map(str, arguments)], capture_output=True,
                          text=True, encoding="utf-8", timeout=300)


def report(folder):
    """The page's text and its tree."""
    out = folder / "report.html"
    done = run(folder, "-o", out)
    assert done.returncode == 0, done.stderr
    text = out.read_text(encoding="utf-8")
    return text, xml.fromstring(text)


def words_of(tree):
    return " ".join("".join(tree.itertext()).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    noise = {"noise": 0.01, "launch_noise": 0.01}
    launches(folder, 3, Run(**noise))
    launches(folder, 3, Run(layout="openmp", threads=2, rate=0.9e9, compute=[0.95, 0.9], seed=1,
                            **noise))
    launches(folder, 3, Run(kernel="matmul", **noise))
    launches(folder, 3, Run(kernel="binning", rate=2e7, seed=2, **noise))
    turn = np.arange(200) // 20 % 2
    launches(folder, 3, Run(
        kernel="binning", layout="mpi", ranks=2, repetitions=3, seed=3,
        counts=1000 * np.stack([[turn, 1 - turn]] * 3),
        attrs={"valid": 0, "invalid_reasons": "two workers on one core"},
        provenance={"compiler": "clang 15"}))
    return report(folder)


def test_the_page_is_whole_and_needs_nothing_else(made):
    text, tree = made
    assert tree.tag == "html"
    for name, value in re.findall(r'\b(src|href|xlink:href|action|data)="([^"]*)"', text):
        assert value.startswith(("#", "data:")), (name, value)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe", text)


def test_its_own_script_is_all_that_may_run(made):
    text, tree = made
    [script] = [e for e in tree.iter() if e.tag.endswith("script")]
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    known = base64.b64encode(hashlib.sha256(
        re.search(r"<script>(.*)</script>", text, re.DOTALL)[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{known}'" in policy and "default-src 'none'" in policy
    assert "fetch(" not in script.text and "innerHTML" not in script.text


def test_ids_are_unique_and_every_reference_has_one(made):
    text, _ = made
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) and all(
        (a or b) in ids for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))


def test_it_answers_the_questions(made):
    words = words_of(made[1])
    assert "3 of 15 launches are INVALID" in words and "two workers on one core" in words
    assert re.search(r"openmp 1×2 has the largest speed-up: 1\.[78]\d \(95 % interval", words)
    assert "did 50 % of what their own best rate would give" in words
    assert "GB/s" in words and "GFLOP/s" in words
    assert "compiler (differs)" in words and "clang 15" in words
    assert "compiler flags (differs)" not in words


def test_every_plot_has_its_sentence(made):
    text, tree = made
    figures = list(tree.iter("figure"))
    # dot: 2; binning: its rest, the largest run, all layouts, what noise would cost; matmul lost
    # nothing, which is a sentence
    assert len(figures) == 6
    assert "No part takes more than 1 % of the core time of any layout in: matmul" in text
    for figure in figures:
        assert figure.find("figcaption").text.rstrip().endswith(".")
        [drawn] = [e for e in figure.iter() if e.tag.endswith("}svg")]
        assert drawn.get("role") == "img" and drawn.get("aria-label")


def test_it_names_the_layout_the_node_and_how_sure(tmp_path):
    """In short, for someone who has not read the code; and a second run makes a bad one of a
    suspect."""
    for make in (fleets.alone, fleets.ladder):
        make(tmp_path / "first")
    launches(tmp_path / "first", 5, Run(rate=1.1e8, noise=0.003, launch_noise=0.003, begin=900))
    fleets.alone(tmp_path / "second", rounds=6)
    for more, verdict in ((), "suspected"), (("--confirm", tmp_path / "second"), "bad"):
        out = tmp_path / "report.html"
        done = run(tmp_path / "first", *more, "-o", out)
        assert done.returncode == 0, done.stderr
        text = words_of(xml.fromstring(out.read_text(encoding="utf-8")))
        short = text[text.index("In short"):text.index("Every interval is a 95 % one")]
        assert f"node2: {verdict}." in short and "--exclude=node2" in short
        assert re.search(r"node2: dot: pace -1\d\.\d\d% \[-1\d\.\d\d, -\d+\.\d\d\] against", short)
        assert re.search(r"Use mpi 8×1\. ?dot.*mpi 8×1, [\d.]+ times serial 1×1 \(\[[\d.]+, [\d.]+\], 5 launches\)", short)
        assert re.search(r"smallest effect that would have been seen .* dot: pace [\d.]+ %", short, re.I)
        assert re.search(r"at 4 nodes the speed-up over 1 is [\d.]+ \[[\d.]+, [\d.]+\]", short)
        assert "without node2: measured" in text and "if they were median" in text


def test_what_nobody_may_judge_yet_is_told(tmp_path):
    text, tree = report(fleets.together(tmp_path))
    assert "node2 stands out (binning: pace -" in words_of(tree)
    assert "that is no verdict: too few launches or peers" in words_of(tree)
    assert "Look at worker 2 on node2: it did 8" in words_of(tree)
    assert "known to ±2 us" in words_of(tree)


def test_both_themes(made):
    text, _ = made
    assert "prefers-color-scheme: dark" in text and "var(--ink)" in text
    for stand_in in plot_svg.VARIABLES:
        assert stand_in not in text
    assert "<text" in text  # text stays text


def test_without_its_script_marks_tell_as_well(made):
    """What page.js shows are SVG titles, which every browser knows."""
    titles = [e.text for e in made[1].iter("{http://www.w3.org/2000/svg}title")]
    assert any(re.fullmatch(r"worker 0 on node1: [\d.]+ %", text) for text in titles)
    assert any(text.startswith("1 rank, steps of 100 us: ") for text in titles)


def test_hostile_text_stays_text(tmp_path):
    hostile = Run(
        attrs={"warnings": HOSTILE, "invalid_reasons": HOSTILE, "unit": HOSTILE, "valid": 0,
               "method": HOSTILE, "kernel_hash": HOSTILE, "blas_core": HOSTILE, "source": HOSTILE},
        provenance={"compiler": HOSTILE, "command_line": HOSTILE}, hostnames=(HOSTILE,),
        labels={"note": HOSTILE, "<b>": "x"}, cpu=HOSTILE)
    launches(tmp_path, 3, hostile)
    named = {**hostile.__dict__, "attrs": {**hostile.attrs, "valid": 1, "layout": HOSTILE}}
    launches(tmp_path, 3, Run(**{**named, "layout": "x", "ranks": 2}))
    (tmp_path / "bad<i>.h5").write_text("x")
    text, tree = report(tmp_path)
    assert text.count("<script") == 1 and "<b>" not in text and "<i>" not in text
    assert "\x1b" not in text
    assert '<script>alert("x")</script>&amp;$x^2$' in words_of(tree)


NAMES = ("<script>alert(1)<_script>.h5", "$(touch owned).h5", "`touch owned`.h5",
         "'\" & ;touch owned.h5", "a\n<i>b.h5", "\x1b[2J.h5", "-o.h5", "$x^2$.h5",
         b"\xff.h5".decode("utf-8", "surrogateescape"))


def test_hostile_file_names_stay_text(tmp_path):
    """Of good traces and of bad ones; no shell sees them."""
    folder = tmp_path / "traces"
    folder.mkdir()
    for name in NAMES:
        write(folder / name, Run())
        (folder / f"bad{name}").write_text("x")
    text, tree = report(folder)
    assert text.count("<script") == 1 and "<i>" not in text and "\x1b" not in text
    for name in NAMES:
        longest = max(re.findall(r"[!-~ ]+", name), key=len)
        assert words_of(tree).count(longest) >= 2, name
    assert not list(tmp_path.rglob("owned"))


def test_hostile_layouts_in_plots():
    """A layout's name is neither a formula nor markup."""
    names = ["$\\frac{$", "<g>&", "x"]
    ones = np.ones(3)
    for cores in (ones, np.array([1.0, 2, 4, 8])):
        labels = [names[i % 3] for i in range(len(cores))]
        drawn = plot_speedup.draw(labels, labels, cores, cores, cores * 0.9, cores * 1.1)
        assert "frac" in plot_svg.svg(drawn, "a")
        xml.fromstring(plot_svg.svg(drawn, "b"))
    drawn = plot_efficiency.draw(names, {"useful work": ones * 0.5, "lost time": ones * 0.5})
    xml.fromstring(plot_svg.svg(drawn, "c"))


def test_pooling_keeps_the_mean():
    table = np.arange(1000.0).reshape(10, 100)
    assert heat.pooled(table.T, 20).shape == (20, 10)
    assert heat.pooled(table.T, 20)[0, 0] == 2  # mean of 0 .. 4
    assert heat.pooled(table, 3).shape == (3, 100)
    assert heat.pooled(table, 500) is not table
    assert np.array_equal(heat.pooled(table, 500), table)


def test_escaping():
    assert page.tag("p", "<b>", page.tag("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert page.tag("p", "x", cls='"') == '<p class="&quot;">x</p>'


def test_unknowns_are_told_not_drawn(tmp_path):
    """One launch, no serial, no efficiency, no bins: a page all the same."""
    write(tmp_path / "a.h5", Run(layout="openmp", without=("compute_ns",)))
    text, tree = report(tmp_path)
    assert not list(tree.iter("figure"))
    assert "no serial run of the same work" in words_of(tree)
    assert "only one launch" in words_of(tree) and "nan" not in words_of(tree)


def test_many_core_counts_are_a_curve(tmp_path):
    for threads in (1, 2, 4, 8):
        launches(tmp_path, 3, Run(layout="serial" if threads == 1 else "openmp", threads=threads,
                                  noise=0.01, launch_noise=0.01, seed=threads))
    text, _ = report(tmp_path)
    assert ">ideal<" in text


def test_exit_codes(tmp_path):
    assert run("--help").returncode == 0
    assert run().returncode == 2
    nothing = run(tmp_path, "-o", tmp_path / "r.html")
    assert nothing.returncode == 1 and not (tmp_path / "r.html").exists()
    path = write(tmp_path / "a.h5", Run())
    unwritable = run(path, "-o", tmp_path / "no" / "r.html")
    assert unwritable.returncode == 1 and "cannot write" in unwritable.stderr
