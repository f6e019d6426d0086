"""When a run has enough: the rule of the C drivers (halt.c, interval.c). Pure."""

import math

import numpy as np

EXACT = 1074  # beyond, 2^-n is none of the C drivers' numbers: there the normal approximation


def is_close(rates, share):
    """Is the 95 % interval of the median of the rates, (n,), not wider than +-share of it?"""
    median, low, high = interval(rates)
    return (high - low) / 2 <= share * median


def is_look(n):
    """Is n one of 10, 15, 22, 33 ...? An interval that is looked at each time holds less often."""
    look = 10
    while look < n:
        look += look // 2
    return look == n


def interval(rates):
    """(median, low, high): the exact one of order statistics; nan for less than 6 rates."""
    ordered = np.sort(rates)
    out = outside(len(ordered))
    if out < 0:
        return float(np.median(ordered)), math.nan, math.nan
    return float(np.median(ordered)), float(ordered[out]), float(ordered[-1 - out])


def outside(n):
    """How many rates on each side lie outside the interval; -1: there is none. At most 2.5 % of
    Binomial(n, 1/2) are then on either side."""
    if n > EXACT:
        return math.floor(0.5 * n - 0.98 * math.sqrt(n))
    k, ways, below = 0, 1, 1  # Binomial(n, 1/2) at k and up to k, both times 2^n
    while 40 * below <= 2**n:
        k += 1
        ways = ways * (n - k + 1) // k
        below += ways
    return k - 1
