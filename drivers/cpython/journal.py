"""What is finished, on disk between repetitions: a run that is stopped or killed can go on.

A file of lines, each a CRC-32 (8 hex digits), a blank and a JSON object. What follows the last whole
line does not count. Arrays are {"array": type, "shape": numbers, "data": zlib, base64}. Knows
objects, not what they mean.
"""

import base64
import fcntl
import json
import os
import time
import zlib

import numpy as np

PATIENCE_S = 3  # for a run of the same name that is just ending
LOOK_S = 0.05


class Busy(Exception):
    """The run that writes it still goes on. Its text names it."""


class Foreign(Exception):
    """It is no journal. Its text names it."""


class Journal:
    """Open for more. found: the objects in it. Raises OSError, Busy or Foreign."""

    def __init__(self, path, fresh):
        """fresh: whatever is there is of no use."""
        self.path = path
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            self.lock()
            self.found, end = ([], 0) if fresh else read(self.handle, path)
            os.ftruncate(self.handle, end)
            os.lseek(self.handle, end, os.SEEK_SET)
        except BaseException:
            os.close(self.handle)
            raise

    def lock(self):
        """Not every file system has locks; where there are none, take the risk."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Busy(f"{self.path} belongs to a run that is still going") from None
            except OSError:
                return None
            time.sleep(LOOK_S)

    def clear(self):
        os.ftruncate(self.handle, 0)
        os.lseek(self.handle, 0, os.SEEK_SET)

    def append(self, record):
        """On disk when this returns."""
        line = json.dumps(record, default=packed).encode()
        data = b"%08x %s\n" % (zlib.crc32(line), line)
        while data:
            data = data[os.write(self.handle, data):]
        os.fdatasync(self.handle)

    def close(self, keep):
        if not keep:
            os.unlink(self.path)
        os.close(self.handle)


def read(handle, path):
    """(objects, length of what counts in bytes)."""
    found, end = [], 0
    with open(os.dup(handle), "rb") as file:
        for line in file:
            crc, _, text = line.rstrip(b"\n").partition(b" ")
            if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(text):
                break
            found.append(json.loads(text, object_hook=unpacked))
            end += len(line)
    if not found and os.fstat(handle).st_size and not torn(handle):
        raise Foreign(f"{path} is not a journal of drivers/python")
    return found, end


def torn(handle):
    """A first line that was not finished: it counts as nothing, and may go."""
    return b"\n" not in os.pread(handle, os.fstat(handle).st_size, 0)


def packed(value):
    if isinstance(value, np.ndarray):
        return {"array": value.dtype.str, "shape": value.shape,
                "data": base64.b64encode(zlib.compress(value.tobytes(), 1)).decode()}
    return value.item()  # NumPy's numbers


def unpacked(value):
    if "array" not in value:
        return value
    data = zlib.decompress(base64.b64decode(value["data"]))
    return np.frombuffer(data, value["array"]).reshape(value["shape"])
