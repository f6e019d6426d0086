"""How a cell becomes a command line: mpirun on one machine, srun in a Slurm allocation."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from studies import cores
from studies.design import Place

PYTHON = Path(__file__).resolve().parents[1] / "python"


class NoLauncher(Exception):
    pass


@dataclass(frozen=True)
class Site:
    """launcher: mpirun or srun. usable: CPU numbers on each node, one per core.
    allocation: which of several, in which the same study runs."""

    launcher: str
    usable: tuple
    hosts: tuple
    allocation: str = ""

    @property
    def place(self):
        return Place(len(self.usable), self.hosts)


def look(environ=os.environ):
    """The site that this process finds itself in. Raises NoLauncher."""
    launcher = choose(environ)
    allocation = environ.get("SLURM_ARRAY_TASK_ID", "")
    return Site(launcher, tuple(usable_cores(launcher)), hosts(environ), allocation)


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


def hosts(environ):
    """Names of the nodes of the Slurm allocation; elsewhere, of this machine."""
    listed = environ.get("SLURM_JOB_NODELIST")
    if not listed:
        return (os.uname().nodename,)
    asked = subprocess.run(
        ["scontrol", "show", "hostnames", listed], stdout=subprocess.PIPE, text=True, timeout=300
    )
    if asked.returncode or not asked.stdout.strip():
        raise NoLauncher(f"scontrol does not tell the nodes of {listed}")
    return tuple(asked.stdout.split())


def speaks_mpi(cell):
    return cell.layout in ("mpi", "hybrid") or "mpi4py" in cell.options


def is_crowded(cell, site):
    return cell.per_node > len(site.usable)


def srun(cell, site):
    """-K: without it a rank that dies leaves the others waiting for the time limit. --hint:
    -c then counts cores, as the kit does, and not their hardware threads."""
    per_node = cell.ranks // cell.nodes if speaks_mpi(cell) else 1
    command = ["srun", "--mpi=pmix" if speaks_mpi(cell) else "--mpi=none", "-K", f"-N{cell.nodes}"]
    command += [f"-n{per_node * cell.nodes}", f"--ntasks-per-node={per_node}"]
    if cell.hosts:
        command += ["-w", ",".join(cell.hosts)]
    if is_crowded(cell, site):
        return [*command, "-c1", "--overcommit", "--cpu-bind=none"]
    return [*command, f"-c{cell.per_node // per_node}", "--hint=nomultithread"]


def mpirun(cell, site):
    """mpirun binds by the machine, not by the CPUs that it was itself given, so
    where those are fewer it is told; threads find their own place in a free mask."""
    own = os.uname().nodename
    names = cell.hosts or (site.hosts[: cell.nodes] if cell.nodes > 1 else (own,))
    if not speaks_mpi(cell):
        return [] if names == (own,) else ["mpirun", "-n", "1", "--host", *names]
    command = ["mpirun", "-n", str(cell.ranks)]
    free = ["--bind-to", "none"]
    if "SLURM_JOB_ID" in os.environ:  # slots are Slurm's tasks, however many cores there are
        slots = ",".join(f"{name}:{cell.ranks // cell.nodes}" for name in names)
        spin = [] if is_crowded(cell, site) else ["--mca", "mpi_yield_when_idle", "0"]
        return [*command, "--host", slots, "--oversubscribe", *free, *spin]
    if cell.ranks > len(site.usable):
        return [*command, "--oversubscribe", *free]
    if cell.threads * cell.blas > 1:
        return [*command, *free]
    if len(os.sched_getaffinity(0)) < cores.online():
        chosen = ",".join(map(str, site.usable[: cell.ranks]))
        return [*command, "--cpu-list", chosen, "--bind-to", "cpu-list:ordered"]
    return [*command, "--bind-to", "core"]


PREFIX = {"srun": srun, "mpirun": mpirun}


def program(cell, build):
    """The driver with what its layout takes."""
    if cell.layout == "python":
        return [sys.executable, os.path.relpath(PYTHON), cell.kernel]
    words = [os.path.join(build, f"bindot-{cell.layout}"), cell.kernel]
    if cell.layout in ("openmp", "hybrid"):
        words += ["--threads", str(cell.threads)]
    if cell.blas > 1:
        words += ["--blas-threads", str(cell.blas)]
    return words


def command(launch, *, site, build, trace, study):
    """The whole command line of one launch."""
    cell = launch.cell
    words = [*PREFIX[site.launcher](cell, site)]
    if cell.environment:
        words += ["env", *(f"{name}={value}" for name, value in cell.environment)]
    if cell.cpus:
        words += ["taskset", "-c", ",".join(map(str, site.usable[: cell.cpus]))]
    words += [*program(cell, build), *cell.options]
    number = f"{site.allocation}.{launch.number}" if site.allocation else launch.number
    labels = {"study": study, "cell": cell.name, "launch": number, **dict(cell.labels)}
    for key, value in labels.items():
        words += ["--label", f"{key}={value}"]
    return [*words, "-o", str(trace)]
