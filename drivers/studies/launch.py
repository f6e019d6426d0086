"""How a cell becomes a command line: mpirun on one machine, srun in a Slurm allocation."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cores


class NoLauncher(Exception):
    pass


def choose(environ=os.environ):
    """The launcher's name: what BINDOT_LAUNCHER says, else what the place offers."""
    in_slurm = "SLURM_JOB_ID" in environ and shutil.which("srun")
    name = environ.get("BINDOT_LAUNCHER") or ("srun" if in_slurm else "mpirun")
    if name not in PREFIX:
        raise NoLauncher(f"BINDOT_LAUNCHER is mpirun or srun, not '{name}'")
    return name


def usable_cores(launcher):
    """The cores of the machine that the launches will run on: in a Slurm
    allocation made by salloc, that is not the machine that this runs on."""
    if launcher == "mpirun":
        return cores.usable()
    cpus = os.environ.get("SLURM_JOB_CPUS_PER_NODE", "1").split("(")[0].split(",")[0]
    here = [sys.executable, str(Path(cores.__file__).resolve())]
    asked = subprocess.run(
        ["srun", "--mpi=none", "-N1", "-n1", f"-c{cpus}", *here],
        stdout=subprocess.PIPE,
        timeout=300,
    )
    if asked.returncode:
        raise NoLauncher("srun does not run in this allocation")
    return json.loads(asked.stdout)


def srun(cell, usable):
    """All on one node. -K: without it a rank that dies leaves the others waiting
    for the time limit."""
    mpi = "--mpi=pmix" if cell.layout in ("mpi", "hybrid") else "--mpi=none"
    tasks = [f"-n{cell.ranks}", f"--ntasks-per-node={cell.ranks}", f"-c{cell.threads}"]
    return ["srun", mpi, "-K", "-N1", *tasks]


def mpirun(cell, usable):
    """mpirun binds by the machine, not by the CPUs that it was itself given, so
    where those are fewer it is told; threads find their own place in a free mask."""
    if cell.layout not in ("mpi", "hybrid"):
        return []
    command = ["mpirun", "-n", str(cell.ranks)]
    if "SLURM_JOB_ID" in os.environ:  # slots are Slurm's tasks, however many cores there are
        here = ["--host", os.uname().nodename, "--oversubscribe", "--bind-to", "none"]
        return [*command, *here, "--mca", "mpi_yield_when_idle", "0"]
    if cell.ranks > len(usable):
        return [*command, "--oversubscribe", "--bind-to", "none"]
    if cell.threads > 1:
        return [*command, "--bind-to", "none"]
    if len(os.sched_getaffinity(0)) < cores.online():
        chosen = ",".join(map(str, usable[: cell.ranks]))
        return [*command, "--cpu-list", chosen, "--bind-to", "cpu-list:ordered"]
    return [*command, "--bind-to", "core"]


PREFIX = {"srun": srun, "mpirun": mpirun}


def command(launch, *, launcher, usable, build, trace, study):
    """The whole command line of one launch. usable: CPU numbers, one per core."""
    cell = launch.cell
    words = [*PREFIX[launcher](cell, usable), os.path.join(build, f"bindot-{cell.layout}")]
    words += [cell.kernel, *cell.options]
    if cell.layout in ("openmp", "hybrid"):
        words += ["--threads", str(cell.threads)]
    labels = {"study": study, "cell": cell.name, "launch": launch.number}
    for key, value in labels.items():
        words += ["--label", f"{key}={value}"]
    return [*words, "-o", str(trace)]
