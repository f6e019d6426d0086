"""README and METHODS.md stay true: studies, folders, files, options and places in the code."""

import ast
import re
import subprocess
import sys

import pytest

import kit

README = (kit.SOURCE / "README.md").read_text(encoding="utf-8")
METHODS = (kit.SOURCE / "analysis" / "METHODS.md").read_text(encoding="utf-8")
STUDIES = [path.stem for path in (kit.SOURCE / "drivers" / "studies").glob("*.py")
           if "\noptions of its own:" in path.read_text(encoding="utf-8")]


def page(name):
    """A study's text without its options."""
    tree = ast.parse((kit.SOURCE / "drivers" / "studies" / f"{name}.py").read_text("utf-8"))
    return ast.get_docstring(tree, clean=False).split("\noptions of its own:")[0].strip()


@pytest.mark.parametrize("name", STUDIES)
def test_each_study_is_in_the_readme_as_in_its_help(name):
    """Question, what to look for, what it cannot say: one text."""
    question, rest = page(name).split("\n", 1)
    assert f"<code>drivers/study {name}</code> {question.removeprefix(name + ': ')}" in README
    assert rest.strip() in README
    assert "look for" in rest and "it cannot say" in rest
    done = subprocess.run([kit.SOURCE / "drivers" / "study", name, "--help"], text=True,
                          capture_output=True, timeout=60, check=True)
    assert rest.strip() in done.stdout


def test_there_are_ten_studies():
    assert len(STUDIES) == 10


def test_the_map_has_every_folder():
    listed = subprocess.run(["git", "-C", kit.SOURCE, "ls-files"], capture_output=True, text=True,
                            check=False)  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    there = {path.rsplit("/", 1)[0] + "/" for path in listed.stdout.split() if "/" in path}
    assert set(re.findall(r"^\| `([\w/]+/)` \|", README, re.MULTILINE)) == there - {".ci/"}


def test_files_that_are_named_exist():
    named = set(re.findall(r"\b((?:analysis|drivers|slurm|tests|kernels)/[\w./]*\w)", README))
    missing = {name for name in named if not (kit.SOURCE / name).exists()}
    assert len(named) > 30 and missing == set()


def commands():
    """(script, option) of every line of a code block that calls an analysis script."""
    found = set()
    for block in re.findall(r"^```\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if match := re.match(r"(analysis/\w+\.py)(.*)", line):
                found |= {(match[1], option) for option in re.findall(r"--[a-z-]+", match[2])}
    return found


def test_options_that_are_named_exist():
    asked = commands()
    assert len(asked) > 5
    for script in sorted({script for script, _ in asked}):
        page_ = subprocess.run([sys.executable, kit.SOURCE / script, "--help"], text=True,
                               capture_output=True, timeout=60, check=True).stdout
        for option in (option for name, option in asked if name == script):
            assert re.search(rf"{option}\b", page_), (script, option)


def test_every_method_says_where_it_stands():
    """Each section ends with its places, and each place is there."""
    sections = METHODS.split("\n## ")[1:]
    assert len(sections) > 15
    for section in sections:
        title, _, rest = section.partition("\n")
        assert "\nCode: " in rest, title
        for path, name in re.findall(r"`([\w./]+\.\w+):(\w+)`", rest.split("\nCode: ")[1]):
            file = kit.SOURCE / "analysis" / path
            assert file.exists(), (title, path)
            code = file.read_text(encoding="utf-8")
            assert re.search(rf"^(?:def|class|struct|[\w*\s]*\b)\s*\**{name}\b", code,
                             re.MULTILINE), (title, path, name)
