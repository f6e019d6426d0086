"""The kit's sources, read by clang-tidy, cppcheck and mypy."""

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

import kit


def needs(*programs):
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (drivers/setup test)")


def run(command, env=None, timeout=1800, cwd=None):
    return subprocess.run(list(map(str, command)), env={**os.environ, **(env or {})}, cwd=cwd,
                          capture_output=True, text=True, timeout=timeout, check=False)  # fmt: skip


def test_clang_tidy():
    """Every compiled source, each with the flags that it is compiled with; .clang-tidy says what
    is looked for."""
    needs("clang-tidy")
    units = json.loads((kit.BUILD / "compile_commands.json").read_text())
    sources = sorted({unit["file"] for unit in units})
    assert len(sources) > 50, "hardly anything is compiled here"
    with ThreadPoolExecutor(kit.CORES) as pool:
        seen = list(pool.map(lambda source: run(["clang-tidy", "-p", kit.BUILD, "--quiet", source]),
                             sources))  # fmt: skip
    wrong = [done.stdout + done.stderr[-2000:] for done in seen if done.returncode != 0]
    assert not wrong, "\n".join(wrong)[-8000:]


def test_cppcheck():
    """Suppressions stand in the source, and in .cppcheck where the source has no place for them."""
    needs("cppcheck")
    done = run(["cppcheck", "--quiet", "--enable=warning,performance,portability", "--inline-suppr",
                f"--suppressions-list={kit.SOURCE / '.cppcheck'}", "--error-exitcode=1",
                f"-j{kit.CORES}", f"--project={kit.BUILD / 'compile_commands.json'}"])  # fmt: skip
    assert done.returncode == 0, done.stderr[-8000:]


ANALYSIS = sorted(path.relative_to(kit.SOURCE) for path in (kit.SOURCE / "analysis").glob("*.py"))


@pytest.mark.parametrize("words", [("-p", "drivers.studies"), ("-p", "drivers.cpython"),
                                   ("--check-untyped-defs", *ANALYSIS)],
                         ids=("studies", "cpython", "analysis"))  # fmt: skip
def test_python_types(words):
    """.mypy.ini says how it is looked at; of the analysis, the insides of functions too that have
    no types themselves."""
    needs("mypy")
    cache = kit.BUILD / "checks" / "mypy"
    done = run(["mypy", "--cache-dir", cache, *words], cwd=kit.SOURCE)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
