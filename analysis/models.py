"""Models of time against scale, fitted without believing any of them. Pure functions.

p : relative scale (1, 2, 4 ...: workers or nodes over those of the smallest run)
T : time of the run. Strong: of the whole problem. Weak: of each worker's constant share.

All are linear in non-negative coefficients (an overhead cannot give time back), fitted by least
squares of the relative error. A model that does not hold has a narrow band too: the band is of the
launches, not of the model. So a model is asked to predict the largest scale from the others, and
says nothing about larger ones if it cannot (facts/method.md 3: across a bandwidth knee the bands of
all models together held the truth in 0 % of the cases).

Sources: Amdahl 1967; Gustafson 1988; Karp and Flatt 1990; Gunther's universal scalability law; the
performance model normal form and its choice by leave-one-out error: Extra-P (Calotoiu et al.).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 400
SEED = 20250131
FEWEST_SCALES = 5  # distinct ones, before anything is said beyond the largest
FARTHEST = 4.0  # times the largest scale
TOLERANCE = 0.03  # a prediction this close to what was measured holds, whatever its band
POINTS_FOR = {1: 3, 2: 5, 3: 7}  # parameters -> scales, for a say beyond the largest
EXPONENTS = (0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 5 / 4, 4 / 3, 3 / 2, 2)
LOGS = (0, 1, 2)


@dataclass(frozen=True)
class Model:
    """One model. terms: p (n,) -> (n, k) of what is fitted; y, time: what is fitted from T, and

    T from it, both (p, value). named: coefficients (k, draw) -> name -> (draw,)
    """

    name: str
    formula: str
    terms: Callable[[np.ndarray], np.ndarray]
    named: Callable[[np.ndarray], dict]
    y: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda p, t: t
    time: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda p, y: y

    @property
    def parameters(self) -> int:
        return self.terms(np.ones(1)).shape[1]


def _columns(*columns: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def _over(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=bottom > 0)


def _per(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    return (p / t.T).T


STRONG = (
    Model("Amdahl", "T1 (f + (1-f)/P)", lambda p: _columns(np.ones(len(p)), 1 / p),
          lambda c: {"f": _over(c[0], c[0] + c[1])}),
    Model("Amdahl + log", "T1 (f + (1-f)/P) + c log2 P",
          lambda p: _columns(np.ones(len(p)), 1 / p, np.log2(p)),
          lambda c: {"f": _over(c[0], c[0] + c[1]), "c/T1": _over(c[2], c[0] + c[1])}),
    Model("USL", "T1 (1 + s(P-1) + k P(P-1)) / P",
          lambda p: _columns(1 / p, (p - 1) / p, p - 1),
          lambda c: {"s": _over(c[1], c[0]), "k": _over(c[2], c[0])}),
)
WEAK = (
    Model("Gustafson", "T1 P / (P - s(P-1))", lambda p: _columns(np.ones(len(p)), p),
          lambda c: {"s": _over(c[0], c[0] + c[1])}, _per, _per),
    Model("constant + log", "T1 + c log2 P", lambda p: _columns(np.ones(len(p)), np.log2(p)),
          lambda c: {"c/T1": _over(c[1], c[0])}),
    Model("USL", "T1 (1 + s(P-1) + k P(P-1))",
          lambda p: _columns(np.ones(len(p)), p - 1, p * (p - 1)),
          lambda c: {"s": _over(c[1], c[0]), "k": _over(c[2], c[0])}),
)


@dataclass(frozen=True)
class Fit:
    """One model on one curve. Arrays over `at`: the scales asked for.

    values     : parameter -> (value, low, high), 95 % over launches; low 0: not identified
    time, low, high : predicted at `at`
    smape      : leave-one-out, of interpolation; nan: too few scales
    forward    : predicted / measured - 1 at the largest scale, from the others; nan: too few
    forward_band : (low, high) of that prediction over the measured time
    enough     : scales for its number of parameters
    """

    name: str
    formula: str
    values: dict
    at: np.ndarray
    time: np.ndarray
    low: np.ndarray
    high: np.ndarray
    smape: float
    forward: float
    forward_band: tuple[float, float]
    enough: bool

    @property
    def holds(self) -> bool:
        """The largest scale was predicted: within its band, or within 3 %."""
        low, high = self.forward_band
        return abs(self.forward) <= TOLERANCE or low <= 1 <= high


# ----------------------------------------------------------------------------------------- fitting

def nonnegative(a: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares with coefficients >= 0 of many right sides: a (n, k), y (n, draw) -> (k, draw).

    By all sets of columns, k <= 3: the best one among those whose plain solution is >= 0. More
    axes in front are many problems at once.
    """
    least = (y**2).sum(axis=-2, keepdims=True) * np.ones((*a.shape[:-2], 1, 1))
    best = np.zeros((*least.shape[:-2], a.shape[-1], y.shape[-1]))
    for size in range(1, a.shape[-1] + 1):
        for chosen in map(np.array, itertools.combinations(range(a.shape[-1]), size)):
            part = a[..., chosen]
            found = np.linalg.pinv(part) @ y
            error = ((part @ found - y) ** 2).sum(axis=-2, keepdims=True)
            better = (found >= 0).all(axis=-2, keepdims=True) & (error < least)
            least = np.where(better, error, least)
            whole = np.zeros(best.shape)
            whole[..., chosen, :] = found
            best = np.where(better, whole, best)
    return best


def coefficients(model: Model, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """t (n, draw) -> (k, draw). Weights are 1 / the first draw: the medians themselves."""
    y = model.y(p, t)
    return nonnegative(model.terms(p) / y[:, :1], y / y[:, :1])


def predict(model: Model, c: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(k, draw) -> times (at, draw)."""
    return model.time(at, model.terms(at) @ c)


def draws(launches: Sequence[np.ndarray], number: int = DRAWS) -> np.ndarray:
    """Medians of resampled launches: (scale, 1 + number). The first draw is the data's own.

    launches: the times of each scale. The launch is the replicate; a scale with one launch
    does not vary, and its band is too narrow.
    """
    dice = np.random.default_rng(SEED)
    rows = []
    for times in launches:
        picked = np.asarray(times)[dice.integers(0, len(times), (number, len(times)))]
        rows.append(np.concatenate([[np.median(times)], np.median(picked, axis=1)]))
    return np.array(rows)


def fit(model: Model, p: np.ndarray, t: np.ndarray, at: np.ndarray) -> Fit:
    """One model on a curve. p (n,); t (n, 1 + draws): see draws(); at: scales to predict."""
    c = coefficients(model, p, t)
    times = predict(model, c, at)
    values = {name: named_bounds(v) for name, v in model.named(c).items()}
    smape, forward, band = _tests(
        p, t, model.parameters,
        lambda keep, x, of: predict(model, coefficients(model, x, of), keep))
    return Fit(model.name, model.formula, values, at, times[:, 0], *bounds(times[:, 1:]), smape,
               forward, band, len(p) >= POINTS_FOR[model.parameters])


def named_bounds(v: np.ndarray) -> tuple[float, float, float]:
    low, high = np.quantile(v[1:], [0.025, 0.975]) if len(v) > 1 else (math.nan, math.nan)
    return float(v[0]), float(low), float(high)


def bounds(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % of the draws of each row: (row, draw) -> two (row,); nan without draws."""
    if not times.shape[1]:
        nothing = np.full(len(times), math.nan)
        return nothing, nothing
    low, high = np.quantile(times, [0.025, 0.975], axis=1)
    return low, high


def _tests(p: np.ndarray, t: np.ndarray, parameters: int, refit) -> tuple:
    """(leave-one-out SMAPE, forward error, its band). refit(at, p, t) -> times (at, draw)."""
    if len(p) <= parameters:
        return math.nan, math.nan, (math.nan, math.nan)
    errors = []
    for i in range(len(p)):
        rest = np.arange(len(p)) != i
        guess, true = refit(p[i:i + 1], p[rest], t[rest, :1])[0, 0], t[i, 0]
        errors.append(2 * abs(guess - true) / (guess + true))
    last = refit(p[-1:], p[:-1], t[:-1])[0] / t[-1]
    low, high = np.quantile(last[1:], [0.025, 0.975]) if len(last) > 1 else (math.nan, math.nan)
    return float(np.mean(errors)), float(last[0] - 1), (float(low), float(high))


# -------------------------------------------------------------------------------------------- PMNF

PAIRS = tuple((i, j) for i in EXPONENTS for j in LOGS if i or j)


def _term(p: np.ndarray, pair: tuple) -> np.ndarray:
    return p ** pair[0] * np.log2(p) ** pair[1] if pair[1] else p ** pair[0]


def pmnf(p: np.ndarray, t: np.ndarray, at: np.ndarray, strong: bool) -> Fit:
    """c0 + c1 P^i (log2 P)^j, of P T if strong, else of T; i, j from a grid.

    For every draw the pair with the smallest leave-one-out SMAPE; the constant is scored on the
    data that it was fitted to, so that a tie goes to it.
    """
    def refit(to: np.ndarray, x: np.ndarray, of: np.ndarray) -> np.ndarray:
        scale = x[:, None] if strong else 1.0
        times, _ = _pmnf_times(x, of * scale, to)
        return times / (to[:, None] if strong else 1.0)

    y = t * p[:, None] if strong else t
    times, chosen = _pmnf_times(p, y, at)
    times = times / (at[:, None] if strong else 1.0)
    smape, forward, band = _tests(p, t, 2, refit)
    pair = ((0, 0), *PAIRS)[chosen[0]]
    formula = ("constant" if chosen[0] == 0 else "c0 + c1" + _power(pair))
    return Fit("PMNF", ("P T = " if strong else "T = ") + formula,
               {"draws that choose this term": (float(np.mean(chosen == chosen[0])),) * 3}, at,
               times[:, 0], *bounds(times[:, 1:]), smape, forward, band,
               len(p) >= POINTS_FOR[2])


def _power(pair: tuple) -> str:
    power = "" if not pair[0] else " P" if pair[0] == 1 else f" P^{pair[0]:.3g}"
    log = "" if not pair[1] else " log2 P" if pair[1] == 1 else f" (log2 P)^{pair[1]}"
    return power + log


def _pmnf_times(p: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y at `at` (at, draw), which pair (draw,), 0: constant). p (n,), y (n, draw)."""
    weight = 1 / y[:, :1]
    terms, wanted = (np.array([_columns(np.ones(len(x)), _term(x, pair)) for pair in PAIRS])
                     for x in (p, at))  # (pair, n, 2), (pair, at, 2)
    flat = nonnegative(weight, y * weight)
    rest = np.array([np.flatnonzero(np.arange(len(p)) != i) for i in range(len(p))])
    left = nonnegative((terms * weight)[:, rest], (y * weight)[rest])  # (pair, left out, 2, draw)
    scores = _smape(np.einsum("pik,pikd->pid", terms, left), y)  # (pair, draw)
    best = scores.argmin(axis=0)
    draw = np.arange(y.shape[1])
    better = scores[best, draw] < _smape(np.broadcast_to(flat, y.shape), y) * (1 - 1e-9)
    c = nonnegative(terms * weight, y * weight)[best, :, draw]  # (draw, 2)
    found = np.where(better, np.einsum("dak,dk->ad", wanted[best], c), flat)
    return found, np.where(better, best + 1, 0)


def _smape(guess: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.mean(2 * np.abs(guess - true) / (guess + true), axis=-2)


# --------------------------------------------------------------------------------- without a model

def karp_flatt(p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(scale, 3): the serial part that each scale alone would need, and its 95 % interval.

    e = (1/S - 1/P) / (1 - 1/P). Constant: a serial part. Rising: an overhead that grows. Negative:
    faster than linear, or a slow base. nan at P = 1. Its error is dS/S / (S (1 - 1/P)).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        e = (t / t[:1] - 1 / p[:, None]) / (1 - 1 / p[:, None])
    e[p == 1] = math.nan
    low, high = bounds(e[:, 1:])
    return np.stack([e[:, 0], low, high], axis=1)


def family(p: np.ndarray, t: np.ndarray, at: np.ndarray, strong: bool) -> list[Fit]:
    """All models that have a chance: as many scales as parameters and one more."""
    models = [m for m in (STRONG if strong else WEAK) if len(p) > m.parameters]
    found = [fit(m, p, t, at) for m in models]
    return found + ([pmnf(p, t, at, strong)] if len(p) > 3 else [])


def envelope(fits: Sequence[Fit]) -> tuple[np.ndarray, np.ndarray]:
    """(lowest low, highest high) of the models, over their `at`."""
    return (np.min([f.low for f in fits], axis=0) * (1 - TOLERANCE),
            np.max([f.high for f in fits], axis=0) * (1 + TOLERANCE))
