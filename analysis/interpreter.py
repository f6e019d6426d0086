"""Finds a Python that has the modules a script needs, and starts the script again with it.

Standard library only, and the syntax of Python 3.6: the first python3 on a cluster's PATH is
often an old one, or one without NumPy, and it must still be able to read this file.
"""

import glob
import importlib
import os
import re
import subprocess
import sys

OLDEST = (3, 9)
TRIED = "BINDOT_PYTHON_TRIED"  # set across the exec, so that nobody is started twice


def ensure(*modules: str) -> None:
    """Return if this Python can import `modules`; else become one that can; else exit 2.

    Call it before the first import of any of them. Order: this Python, $BINDOT_PYTHON,
    /usr/bin/python3, then every python3* on PATH.
    """
    tried = os.environ.pop(TRIED, None)  # popped: our own children start afresh
    missing = missing_here(modules)
    if not missing:
        return
    looked = [sys.executable]
    if tried is None and os.path.isfile(sys.argv[0]):
        wish = os.environ.get("BINDOT_PYTHON")
        for python in candidates(wish):
            looked.append(python)
            if can_import(python, modules):
                restart(python)
            if python == wish:
                say(f"BINDOT_PYTHON={wish} cannot import {', '.join(modules)}; looking further")
    say(advice(missing, looked))
    sys.exit(2)


def missing_here(modules):
    """Those of `modules` that this Python cannot import; all of them if it is too old."""
    if sys.version_info < OLDEST:
        return list(modules)
    missing = []
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(module)
    return missing


def candidates(wish=None):
    """Other Pythons, best first, each once. A virtual environment's link counts as its own."""
    paths = [wish] if wish else []
    paths.append("/usr/bin/python3")
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        found = glob.glob(os.path.join(glob.escape(folder), "python3*"))
        paths += sorted(p for p in found if re.search(r"/python3(\.\d+)?$", p))
    seen = set()
    for path in paths:
        name = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if name not in seen and (path == wish or os.access(path, os.X_OK)):
            seen.add(name)
            yield path


def can_import(python, modules):
    """Ask a child, because a module that is there may still be broken."""
    check = f"import sys; assert sys.version_info >= {OLDEST}; import {', '.join(modules)}"
    try:
        return 0 == subprocess.call(
            [python, "-c", check],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False


def restart(python):
    """Become the same script under another Python. Does not return."""
    os.environ[TRIED] = sys.executable
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(python, [python, os.path.abspath(sys.argv[0])] + sys.argv[1:])


def advice(missing, looked):
    """One line: what is missing, and how to get it on the usual systems."""
    packages = " ".join("python3-" + m for m in missing)  # Debian's and Fedora's names
    spack = " ".join("py-" + m for m in missing)
    return (f"missing Python modules: {', '.join(missing)} (Python {OLDEST[0]}.{OLDEST[1]} or "
            f"newer; looked at {', '.join(looked)}); install with one of: "
            f"apt-get install {packages} | dnf install {packages} | "
            f"pip install {' '.join(missing)} | spack install {spack}; "
            "or name a Python that has them in BINDOT_PYTHON")


def say(text):
    """One line on stderr, with the script's name."""
    sys.stderr.write(f"{os.path.basename(sys.argv[0]) or 'bindot'}: {text}\n")
