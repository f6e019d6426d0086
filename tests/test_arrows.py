"""The arrows that must not exist: what each room may include, link and leave undefined."""

import ast
import re
import subprocess

import pytest

import kit


def undefined(archive):
    """Names that the archive needs of others: not those that one of its own files has."""
    out = subprocess.run(["nm", kit.BUILD / archive], capture_output=True, text=True, check=True)
    rows = re.findall(r"^[\da-f]* +(\w) (\S+)$", out.stdout, re.MULTILINE)
    return {name for kind, name in rows if kind == "U"} - {name for kind, name in rows if kind in "TRDB"}


def needed(layout):
    out = subprocess.run(["readelf", "-d", kit.program(layout)], capture_output=True, text=True,
                         check=True)  # fmt: skip
    return set(re.findall(r"NEEDED.*\[(.*)\]", out.stdout))


def test_kernels_are_pure():
    """No threads, MPI, files or allocation: only the library, the clock and memory moves."""
    allowed = {"cblas_dgemm", "clock_gettime", "memset", "memcpy", "strcmp", "fma", "sqrt",
               "__stack_chk_fail", "__cpu_model", "__udivti3", "__divti3",
               "_GLOBAL_OFFSET_TABLE_"}  # fmt: skip
    extra = {name for name in undefined("libkernels.a") - allowed
             if not name.startswith(("__asan", "__ubsan"))}  # fmt: skip
    assert extra == set()


def test_serial_and_openmp_link_no_mpi():
    """serial has neither MPI nor OpenMP of its own; openmp has no MPI."""
    assert not any("mpi" in name for name in needed("serial") | needed("openmp"))
    assert not any("gomp" in name for name in needed("serial"))
    assert any("gomp" in name for name in needed("openmp"))
    assert any("mpi" in name for name in needed("mpi"))


ONLY = {  # header -> the files that may include it
    "mpi.h": {"drivers/team/ranks_mpi.c"},
    "omp.h": {"drivers/team/threads_openmp.c"},
    "hdf5.h": {"drivers/trace/hdf5.h"},
    "hdf5_hl.h": {"drivers/trace/hdf5.h"},
    "hwloc.h": {"drivers/place.c"},
    "argp.h": {"drivers/options.c"},
}
NEVER = [  # files, and what none of them may include
    ("kernels/*", r"drivers/"),
    ("drivers/team/*", r"kernels/|drivers/trace|drivers/options|drivers/params"),
    ("drivers/trace/*", r"kernels/|drivers/team"),
    ("drivers/experiments/*", r"drivers/trace|mpi\.h|omp\.h"),
    ("drivers/measure.c", r"drivers/trace|drivers/record"),
    ("drivers/knot*", r"drivers/(trace|record|clock|params|experiments)|kernels/|mpi\.h"),
]


def includes(path):
    return re.findall(r'#include [<"]([^>"]+)[>"]', path.read_text())


@pytest.mark.parametrize("header", ONLY)
def test_one_room_for_each_library(header):
    """Each foreign library is known to one file."""
    users = {
        str(path.relative_to(kit.SOURCE))
        for folder in ("kernels", "drivers")
        for path in (kit.SOURCE / folder).rglob("*.[ch]")
        if header in includes(path)
    }
    assert users <= ONLY[header]
    assert users or header == "hdf5_hl.h"


@pytest.mark.parametrize("files,never", NEVER)
def test_forbidden_arrows(files, never):
    """options -> experiment -> kernel -> trace, and never back."""
    paths = [path for path in kit.SOURCE.glob(files) if path.suffix in (".c", ".h")]
    assert paths
    for path in paths:
        assert [name for name in includes(path) if re.search(never, name)] == [], path


@pytest.mark.parametrize("name", ["blame", "ladder", "models", "node_cost", "peers", "tree"])
def test_what_computes_reads_nothing(name):
    """Of the analysis: arrays in, numbers out; no trace, no file, nothing printed."""
    code = list(ast.walk(ast.parse((kit.SOURCE / "analysis" / f"{name}.py").read_text())))
    imported = {alias.name for node in code if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in code if isinstance(node, ast.ImportFrom)}
    assert not imported & {"cells", "curves", "fleet", "h5py", "os", "pathlib", "sys", "traces"}
    assert not any(isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("open", "print")
                   for node in code)


def test_nothing_of_this_machine():
    """No absolute path of a home or work directory in what is committed."""
    listed = subprocess.run(["git", "-C", kit.SOURCE, "grep", "-nIE", r"/(root|home|work)/"],
                            capture_output=True, text=True, check=False)  # fmt: skip
    if listed.returncode > 1:
        pytest.skip("not a git checkout")
    ours = [line for line in listed.stdout.splitlines() if "tests/test_arrows.py" not in line]
    assert ours == []
