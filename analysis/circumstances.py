"""How a trace was measured, as (name, function of a trace that gives text, "" if unknown)."""

from __future__ import annotations

from collections.abc import Callable

from traces import Trace

KEYS = ("compiler", "compiler_flags", "build_type", "git_commit", "git_dirty", "mpi", "openblas",
        "hdf5", "hwloc", "kernel_release", "governor")


def _provenance(key: str) -> Callable[[Trace], str]:
    return lambda trace: str(trace.provenance.get(key, ""))


def _environment(trace: Trace) -> str:
    return "; ".join(f"{k}={v}" for k, v in sorted(trace.environment.items()))


TOLD = (
    ("kernels (hash)", lambda trace: trace.text("kernel_hash")),
    *((key.replace("_", " "), _provenance(key)) for key in KEYS),
    ("CPU", lambda trace: ", ".join(trace.cpu_models)),
    ("instruction set", lambda trace: trace.text("dot_variant")),
    ("BLAS core", lambda trace: trace.text("blas_core")),
    ("clock", lambda trace: str(trace.clock.get("source", ""))),
    ("hosts", lambda trace: ", ".join(sorted(set(trace.hostnames)))),
    ("program", lambda trace: trace.text("source")),
)
ALL = (*TOLD, ("environment", _environment))
