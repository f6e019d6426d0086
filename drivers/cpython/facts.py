"""What a trace says about the machine, the interpreter and the libraries."""

import ctypes
import importlib
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

ROOM = Path(__file__).resolve().parent
# As the C drivers' list (drivers/facts.c), and Python's own.
KEPT = ("OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "OPENBLAS_", "SLURM_", "OMPI_MCA_",
        "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "UCX_", "HDF5_", "MALLOC_", "BINDOT_",
        "PYTHON_GIL", "PYTHONMALLOC", "PYTHONHASHSEED", "PYTHONOPTIMIZE")
SECRET = ("TOKEN", "KEY", "PASS", "SECRET", "CRED", "AUTH", "COOKIE", "JWT", "USER", "EMAIL")


def environment():
    """Variables that steer a run; nothing that looks like a secret."""
    return {name: value for name, value in sorted(os.environ.items())
            if name.startswith(KEPT) and not any(word in name.upper() for word in SECRET)}


def gil_is_on():
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else check()


def gil():
    if platform.python_implementation() != "CPython":
        return "not known"
    known = "" if hasattr(sys, "_is_gil_enabled") else " (this version has no other)"
    return ("enabled" if gil_is_on() else "disabled") + known


def command(words):
    return shlex.join(["drivers/python", *words])


def provenance(words):
    release = os.uname()
    return {
        "command_line": command(words),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "python_build": " ".join(sys.version.split()),
        "compiler": platform.python_compiler(),
        "gil": gil(),
        "switch_interval_s": repr(sys.getswitchinterval()),
        "numpy": np.__version__,
        "blas": blas_name(),
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        "kernel_release": f"{release.sysname} {release.release} {release.machine}",
        "cpu_model": cpu_model(),
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        or "not visible",
        "git_commit": git("rev-parse", "HEAD"),
        "git_dirty": {"": "no"}.get(git("status", "--porcelain"), "yes"),
        "cwd": os.getcwd(),
        **versions("joblib", "dask", "mpi4py"),
    }


def versions(*packages):
    """Of those that this run has imported."""
    return {name: str(getattr(sys.modules[name], "__version__", "unknown"))
            for name in packages if name in sys.modules}


def git(*words):
    try:
        done = subprocess.run(["git", "-C", str(ROOM), *words], capture_output=True, text=True,
                              timeout=5, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def host():
    return socket.gethostname()


def cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() in ("model name", "CPU part"):
                    return value.strip()
    except OSError:
        pass
    return ""


def first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""


# ---------------------------------------------------------------------------- NumPy's library

def library():
    """The OpenBLAS that NumPy has loaded, and its version's suffix on names; or None."""
    try:
        with open("/proc/self/maps") as file:
            paths = sorted({line.split()[-1] for line in file if re.search("openblas|blas", line)
                            and line.rstrip().split(".so")[0] != line.rstrip()})
    except OSError:
        return None
    for path in paths:
        try:
            loaded = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix in ("", "scipy_"):
            for suffix in ("", "64_"):
                if hasattr(loaded, f"{prefix}openblas_get_num_threads{suffix}"):
                    return loaded, prefix, suffix
    return None


def blas_pool():
    """Threads that NumPy's library runs; -1 where it cannot be asked."""
    try:
        pools = importlib.import_module("threadpoolctl").threadpool_info()
        threads = [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]
        if threads:
            return max(threads)
    except ImportError:
        pass
    found = library()
    if found is None:
        return -1
    loaded, prefix, suffix = found
    return int(loaded[f"{prefix}openblas_get_num_threads{suffix}"]())


def blas_name():
    found = library()
    if found is None:
        return blas_of_build()
    loaded, prefix, suffix = found
    ask = loaded[f"{prefix}openblas_get_config{suffix}"]
    ask.restype = ctypes.c_char_p
    return ask().decode("utf-8", "replace").strip()


def blas_core():
    found = library()
    if found is None:
        return ""
    loaded, prefix, suffix = found
    ask = loaded[f"{prefix}openblas_get_corename{suffix}"]
    ask.restype = ctypes.c_char_p
    return ask().decode("utf-8", "replace")


def blas_of_build():
    try:
        return str(np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])
    except (TypeError, KeyError):  # NumPy before 1.25 only prints
        return "unknown"
