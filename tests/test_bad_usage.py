"""Bad command lines by the hundred: exit 2, one line that names the option, nothing written."""

import os
import subprocess
import sys

import pytest

import kit

KERNEL_OF = {"bins": "binning", "width": "binning", "detour": "binning", "detours": "binning",
             "wait": "binning", "sync-every": "binning", "unit": "binning", "storage": "binning",
             "lock": "binning"}  # fmt: skip
BROKEN = b"\xff\xfe\x80"  # no UTF-8
NUMBERS = ("", "-5", "+5", " 5", "5 ", "0", "1.5", "nan", "inf", "-inf", "0x10", "1e99", "1e400", "1e", "e5",
           "5GB", "5k5", "5ki", "9007199254740993", "99999999999999999999", "five", "½", "١", "5\n", "5;ls",
           "$(id)", "--", BROKEN)  # fmt: skip
TIMES = ("", "50", "0us", "-1ms", "+1ms", " 1ms", "1 ms", "1m", "1MS", "nanms", "infs", "1e99s", "1e400s",
         "0x1ms", "ms", "1ms1us", "five ms", "1ms\n", "µs", BROKEN)  # fmt: skip
WORDS = ("", "maybe", "CORES", "strong weak", "strong,weak", "strong\n", "½", BROKEN)
VALUES = {
    "size": NUMBERS, "bins": NUMBERS, "repeats": NUMBERS, "iterations": NUMBERS, "detours": NUMBERS[:12],
    "sync-every": NUMBERS[:12], "width": (*TIMES, "501ms"), "wait": TIMES[:12], "detour": TIMES[:12], "warmup": TIMES[3:],
    "max-time": TIMES[3:], "threads": (*NUMBERS[:12], "4097", BROKEN), "blas-threads": (*NUMBERS[:8], "4097"),
    "until-ci": ("", "0", "0%", "1", "5", "100%", "101%", "-1%", "nan%", "inf%", "%", "1 %", "1%%", BROKEN),
    "scaling": WORDS, "bind": WORDS, "unit": WORDS, "storage": WORDS,
    "method": ("", "magic", "BLOCKED", "½", BROKEN), "lock": ("", "gil:", "gil:5", "gil:0ms", "GIL", BROKEN),
    "label": ("", "novalue", "=x", "a/b=c"),
    "inject": ("", "kill", "kill=after3@rank0", "kill=after-1s@rank0", "steal=5@worker0", "steal=200%@worker0",
               "slow=5%", "slow=nan%@node0", "bind=other", "steal=5%@worker-1", ",", BROKEN),
    "output": ("",),
}  # fmt: skip
ALONE = [  # not about one value; what the line must name
    ((), "kernel"), (("",), "kernel"), (("dance",), "dance"), (("½",), "kernel"), ((BROKEN,), "kernel"),
    (("binning", "dot"), "dot"), (("dot", "--size"), "size"), (("dot", "--unknown"), "--unknown"),
    (("dot", "--=5"), "--=5"), (("dot", "-z"), "-z"), (("dot", "--bins="), "bins"), (("recover",), "recover"),
    (("binning", "--size", "5"), "--size"), (("binning", "--scaling", "weak"), "--scaling"),
    (("binning", "--detour", "1ms"), "--detour"), (("binning", "--lock", "gil", "--sync-every", "5"), "--lock"),
    (("binning", "--wait", "1ms", "--unit", "alu"), "--wait"),
    (("binning", "--iterations", "5"), "--iterations"),
    (("dot", "--wait", "1ms"), "--wait goes with binning"), (("--bins", "5", "matmul"), "--bins"),
    (("marshal", "--lock", "none"), "--lock"), (("matmul", "--row", "8"), "--row goes with marshal"),
    (("dot", "--resume"), "--resume"), (("dot", "--resume", "-o", "."), "--resume"),
    (("dot", "--resume", "--force", "-o", "x.h5"), "--resume"),
    (("dot", "--quiet", "--verbose"), "--verbose"), (("dot", "--size", "1e15"), "--size"),
    (("matmul", "--size", "1e7"), "--size"), (("dot", "--label", "novalue\x1b[31m"), "--label"),
    (("dot", "--label", "k" * 129 + "=v"), "--label"), (("dot", "--repeats", "5", "--until-ci", "1%"), "--until-ci"),
    (("dot", "--inject", "bind=same-core", "--inject", "nodes=1"), "--inject: once"),
    (("dot", "--inject", "slow=5%@node0,slow=6%@node0"), "slow= only once"),
    (("binning", "--wait", "1ms", "--inject", "slow=5%@node0"), "--inject slow and --wait"),
    (("binning", "--blas-threads", "2"), "--blas-threads: binning"),
    (("dot", "--blas-threads", "2"), "--blas-threads: dot, method blocked"),
    (("marshal", "--blas-threads", "2"), "--blas-threads: marshal"),
    (("dot", "--method", "library", "--size", "3e9"), "--size: method library"),
    (("matmul", "--method", "summa", "--size", "5e4", "--panel", "5e4"), "--panel"),
]  # fmt: skip
CASES = [((KERNEL_OF.get(name, "dot"), f"--{name}", value), name)
         for name, values in VALUES.items() for value in values] + ALONE  # fmt: skip


def shown(words):
    return " ".join(word.decode("latin-1") if isinstance(word, bytes) else word for word in words) or "nothing"


def check(folder, line, start, named):
    """Exit 2; one line, from `start`, that has `named`; no file."""
    done = subprocess.run([os.fsencode(word) for word in line], cwd=folder, capture_output=True, timeout=60,
                          check=False)  # fmt: skip
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 2, said
    assert said.count("\n") == 1 and said.startswith(start), said
    assert named in said, said
    assert done.stdout == b""
    assert list(folder.iterdir()) == []


def test_there_are_hundreds():
    """As many as were promised, none twice."""
    assert len({words for words, _ in CASES}) == len(CASES) >= 300


@pytest.mark.parametrize("i", range(len(CASES)), ids=[ascii(shown(words)) for words, _ in CASES])
def test_drivers(tmp_path, i):
    """One driver after the other: they share the table of options."""
    words, named = CASES[i]
    layout = kit.LAYOUTS[i % len(kit.LAYOUTS)]
    check(tmp_path, [kit.program(layout), *words], f"bindot-{layout}: ", named)


PYTHON = [((KERNEL_OF.get(name, "dot"), f"--{name}", value), name)
          for name in ("size", "bins", "width", "repeats") for value in ("", "-5", "0", "nan", "1e99", "½")]
PYTHON += [(("dot", "--resume"), "--resume"), (("dot", "--resume", "-o", "."), "--resume"),
           (("dot", "--resume", "--force", "-o", "x.h5"), "--resume")]
STUDY = [((), "study"), (("dance",), "dance"), (("quick", "--launches", "0"), "--launches"),
         (("quick", "--launches", "five"), "--launches"), (("quick", "--kernels", "dance"), "dance"),
         (("quick", "--cores", "0"), "--cores"), (("quick", "--cores", "1e9"), "--cores"),
         (("quick", "--seed", "x"), "--seed"), (("quick", "--resume", "nowhere"), "nowhere"),
         (("quick", "--resume"), "--resume"), (("quick", "--dance"), "--dance")]  # fmt: skip
ANALYSIS = sorted(path.stem for path in (kit.SOURCE / "analysis").glob("*.py")
                  if "__main__" in path.read_text())  # fmt: skip
SCRIPTED = [("python", words, named) for words, named in PYTHON] + [
    ("study", words, named) for words, named in STUDY]  # fmt: skip


@pytest.mark.parametrize("script,words,named", SCRIPTED, ids=lambda value: ascii(value))
def test_scripts(tmp_path, script, words, named):
    """drivers/python and drivers/study refuse as the drivers do."""
    line = [kit.SOURCE / "drivers" / script, *words]
    check(tmp_path, line, ("drivers/", "bindot-python: ", "study: ", "python: "), named)


@pytest.mark.parametrize("words,named", [(("--dance",), ""), (("--json",), "--json")],
                         ids=("unknown", "nothing"))  # fmt: skip
@pytest.mark.parametrize("name", ANALYSIS)
def test_analysis(tmp_path, name, words, named):
    """Every analysis script: the same."""
    if words == ("--json",) and name == "report":
        words, named = ("--title",), "--title"  # it writes a page, no numbers
    check(tmp_path, [sys.executable, kit.SOURCE / "analysis" / f"{name}.py", *words], name, named)
