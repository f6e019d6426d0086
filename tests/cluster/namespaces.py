"""Two kinds of namespace that unshare(1) cannot make as they are needed here.

namespaces.py mounts COMMAND...          own mounts that never reach the outside
namespaces.py clock SECONDS COMMAND...   own CLOCK_MONOTONIC and CLOCK_BOOTTIME, ahead by SECONDS
"""

import ctypes
import os
import sys
from decimal import Decimal

CLONE_NEWTIME, CLONE_NEWNS = 0x80, 0x20000
MS_REC, MS_SLAVE = 0x4000, 0x80000


def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        sys.exit(f"cluster: {name}: {os.strerror(ctypes.get_errno())}")


def own_mounts():
    """As unshare --mount --propagation slave, also where / is no mount point (a chroot):
    only from outside can its mounts be cut off, so that we go there and come back."""
    call("unshare", CLONE_NEWNS)
    root = os.open("/", os.O_RDONLY)  # our copy of it
    outside = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    call("setns", outside, CLONE_NEWNS)
    call("mount", None, b"/", None, MS_REC | MS_SLAVE, None)
    os.fchdir(root)
    os.chroot(".")


def own_clock(seconds):
    """The offsets can be written only before the first process enters, which exec does:
    unshare --time is too late for a fraction of a second, that it does not know."""
    whole = seconds // 1 if seconds % 1 == 0 or seconds > 0 else seconds // 1 - 1
    nanoseconds = int((seconds - whole) * 1_000_000_000)
    call("unshare", CLONE_NEWTIME)
    with open("/proc/self/timens_offsets", "w") as offsets:
        for clock in ("monotonic", "boottime"):
            offsets.write(f"{clock} {whole} {nanoseconds}\n")


def main(kind, *words):
    if kind == "mounts":
        own_mounts()
    else:
        seconds, *words = words
        own_clock(Decimal(seconds))
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(*sys.argv[1:])
