"""The node's monotonic clock, and waiting for an instant of it."""

import time

RAW = time.CLOCK_MONOTONIC_RAW
SPIN_NS = 1_000_000  # a sleep ends some 60 us late; the rest is spun


def now_ns():
    return time.clock_gettime_ns(RAW)


def wait_until(instant, spin):
    """Sleep, then spin. A thread that spins would keep the lock from the others: spin False."""
    while (left := instant - now_ns()) > 0:
        if not spin or left > 2 * SPIN_NS:
            time.sleep((left - SPIN_NS if spin else left) * 1e-9)
