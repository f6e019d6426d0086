"""The end of a run in a few lines on standard output."""

import numpy as np

from cpython import halt


def prefixed(value):
    for least, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= least:
            return f"{value / least:.4g} {letter}"
    return f"{value:.4g} "


def show(p, crew, rates, unit, verdict, path, stopped_by):
    n, ranks = crew.workers, crew.ranks
    what = f"{p.kernel}, python {p.way}" + (f", {p.method}" if p.kernel == "marshal" else "")
    print(f"{what}: {n} worker{'s' * (n > 1)} in {ranks} process{'es' * (ranks > 1)}"
          + (f", {p.blas_threads} BLAS threads each" if p.blas_threads > 1 else "")
          + (", each with its own start" if p.start == "own" else ""))
    many = len(rates)
    print(f"  {prefixed(float(np.median(rates)))}{unit}s per second, median of {many} "
          f"repetition{'s' * (many > 1)}; {prefixed(float(rates.min())).strip()} to "
          + prefixed(float(rates.max())).strip())
    if p.until_ci and stopped_by != "until-ci":
        median, low, high = halt.interval(rates)
        print(f"  stopped by {stopped_by}; the interval's half width is "
              f"{100 * (high - low) / 2 / median:.2g} % of the median")
    print(f"  {np.median(verdict.obtained):.2f} cores obtained, {np.median(verdict.open):.2f} of "
          f"{n} windows open at once, {np.median(verdict.busy):.2f} cores busy")
    print(f"  {verdict.text}")
    if not verdict.valid:
        print(f"  INVALID: {verdict.reasons}")
    if verdict.never_ran:
        print(f"  never ran: {verdict.never_ran}")
    if verdict.warnings:
        print(f"  note: {verdict.warnings}")
    print(f"  {path}")
