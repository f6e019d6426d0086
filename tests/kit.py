"""The built kit as tests use it: where the programs are, how each layout is launched."""

import os
import re
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BINDOT_BUILD", SOURCE / "build"))
SHIM = BUILD / "tests" / "libfailing_writes.so"  # system calls that fail, for LD_PRELOAD
LAYOUTS = ("serial", "openmp", "mpi", "hybrid")
CORES = len(os.sched_getaffinity(0))

MPIRUN = ["mpirun", "--oversubscribe"]
if os.geteuid() == 0:
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
    os.environ.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
# More ranks than cores: let them give way instead of spinning against each other.
os.environ.setdefault("OMPI_MCA_mpi_yield_when_idle", "1")


def program(layout):
    return str(BUILD / f"bindot-{layout}")


def command(layout, *words, ranks=1, threads=None, launch=()):
    """The whole command line; ranks and threads where the layout has them."""
    line = [program(layout), *map(str, words)]
    if threads is not None:
        line += ["--threads", str(threads)]
    if layout in ("mpi", "hybrid"):
        launch = launch or ("--bind-to", "none")
        line = [*MPIRUN, "-n", str(ranks), *launch, *line]
    return line


def run(layout, *words, env=None, cwd=None, timeout=300, **how):
    """Runs it; returns the finished process with its output as text."""
    return subprocess.run(
        command(layout, *words, **how),
        env={**os.environ, **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def own_lines(process):
    """The sentences of standard error that are ours."""
    return sentences(process.stderr)


def sentences(text):
    """Our sentences in what was printed: launchers add their own, and may leave a line open."""
    return re.findall(r"(?<!/)bindot(?:-\w+)?: .*", text)
