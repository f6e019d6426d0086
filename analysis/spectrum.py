"""What comes back regularly: the spectrum of lost time, and the timer ticks in it.

Pure functions: series of lost nanoseconds in, numbers out. A spectrum of counts would show the
tick too, but three to twenty times less clearly (facts/binning.md 3.4): a count carries the noise
of every clock read, lost time only what was lost. Each bin is clipped at 10 us, because one
long absence would otherwise hide everything that is small and regular.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

CLIP_NS = 10_000
SEGMENT_S = 2.0  # 0.5 Hz resolution (facts/method.md 4.2)
AVERAGES = 4  # at least so many segments, at the price of resolution
TICKS = (100, 250, 300, 1000)  # CONFIG_HZ
ALARM = 5.0  # height of a comb (facts/method.md 4.2)
HARMONICS = 16  # of each tick; jitter of the tick wipes out the higher ones
FEWEST_HARMONICS = 3
PERIODS = 20  # a segment must hold so many periods of a tick, to tell it from its neighbours
NEIGHBOURHOOD = 101  # frequencies around each one: their median is what "height" is over
FALSE_ALARM = 1e-3  # that white noise shows any single peak at all
SHARES = (2, 3, 5, 7)  # a comb may belong to a frequency so many times lower


@dataclass(frozen=True)
class Spectrum:
    """Welch spectrum of lost time. F frequencies.

    frequency : (F,) Hz, from 0; step: Hz between them
    power     : (F,) ns^2/Hz, one-sided; height: (F,) power over its local median
    segments  : how many were averaged; worth: how many independent ones they are worth
    seconds   : length of one segment; width_s: of one bin
    """

    frequency: np.ndarray
    power: np.ndarray
    height: np.ndarray
    segments: int
    worth: float
    seconds: float
    width_s: float

    @property
    def step(self) -> float:
        return 1 / self.seconds

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest frequency, Hz, that this spectrum can show.

        Lowest: 8 periods in a segment, so that a line has surroundings on both sides; what is
        slower is a matter for signatures.periodic. Highest: 2 bins.
        """
        return 8 / self.seconds, 0.5 / self.width_s


@dataclass(frozen=True)
class Tick:
    """Evidence for one tick frequency.

    comb     : median height of its own harmonics; nan if it cannot be judged
    smallest : ns of each tick below which the comb would stay under the alarm
    belongs  : the lower frequency that explains this comb, or 0
    """

    frequency: int
    comb: float
    harmonics: int
    smallest: float
    belongs: float = 0.0
    why_not: str = ""

    @property
    def found(self) -> bool:
        return self.comb > ALARM and not self.belongs


@dataclass(frozen=True)
class Peak:
    """A line that is no tick. of: the lowest peak whose multiple it is (itself if none)."""

    frequency: float
    height: float
    of: float


def welch(series: Iterable[np.ndarray], width_ns: float, shape: Sequence[int]) -> Spectrum | None:
    """Spectrum of lost time per bin, clipped at 10 us; None: nothing was lost, or too short.

    series : each (bin,) ns, one per repetition; repetitions are never joined, for time passes
             between them. shape: their lengths, known before they are read.

    Hann window, half overlapping segments, mean removed (Welch 1967). Each segment is weighted by
    the inverse of its own median power: else one disturbed segment is the whole average, and its
    chance peaks are taken for lines.
    """
    size = segment_bins(width_ns, shape)
    if size < 2 * NEIGHBOURHOOD:
        return None
    window = np.hanning(size + 1)[:-1]
    total, weight, used = 0.0, 0.0, 0
    for lost in series:
        for start in range(0, len(lost) - size + 1, size // 2):
            part = np.minimum(lost[start:start + size], CLIP_NS).astype(float)
            power = np.abs(np.fft.rfft((part - part.mean()) * window)) ** 2
            middle = np.median(power)
            if middle > 1e-9 * CLIP_NS**2:  # else no loss in it, or rounding of a constant loss
                total, weight, used = total + power / middle, weight + 1 / middle, used + 1
    if not used:
        return None
    width_s = width_ns * 1e-9
    power = 2 * width_s / np.sum(window**2) * total / weight
    height = power / ndimage.median_filter(power, NEIGHBOURHOOD, mode="reflect")
    height[:3] = 0  # the mean and its leakage
    worth = used if used <= len(shape) else max(1.0, used * 18 / 19 - 1 / 2)
    return Spectrum(np.arange(len(power)) / (size * width_s), power, height, used,
                    worth, size * width_s, width_s)


def segment_bins(width_ns: float, shape: Sequence[int]) -> int:
    """Bins of a segment: 2 s, or less, so that there are some to average. Even."""
    wish = SEGMENT_S * 1e9 / width_ns
    return int(min(wish, max(shape, default=0), sum(shape) / (AVERAGES + 1) * 2)) // 2 * 2


# ----------------------------------------------------------------------------------- the ticks

def ticks(spectrum: Spectrum) -> list[Tick]:
    """Verdict on each CONFIG_HZ.

    A tick of a few us in a bin of 50 us is a needle: all its harmonics are equally high. Its comb
    is their median height, without the harmonics that another candidate has too. 1000 Hz has none
    of its own besides 100's and 250's, so only candidates that do not divide it are excluded; and
    a comb is not believed if a lower frequency explains it: a daemon that wakes ten times a
    second has lines at 100 Hz and at 250 Hz.
    """
    found: list[Tick] = []
    for f in TICKS:
        (height, harmonics), why_not = comb(spectrum, f), ""
        if f * spectrum.seconds < PERIODS:
            why_not = f"needs repetitions of {1000 * PERIODS / f:.0f} ms or more"
        elif harmonics < FEWEST_HARMONICS:
            why_not = "needs narrower bins"
        if why_not:
            found.append(Tick(f, np.nan, 0, np.nan, why_not=why_not))
            continue
        belongs = _explained(spectrum, f, height, found) if height > ALARM else 0.0
        found.append(Tick(f, height, harmonics, smallest_tick(spectrum, f), belongs))
    return found


def _explained(spectrum: Spectrum, f: int, height: float, before: Sequence[Tick]) -> float:
    """The lower frequency to which this comb belongs, or 0."""
    divisors = [t for t in before
                if f % t.frequency == 0 and t.comb > max(ALARM / 2, height / 4)]
    if divisors:
        return float(max(divisors, key=lambda tick: tick.comb).frequency)
    for share in SHARES:
        low = f / share
        own = [k * low for k in range(1, HARMONICS * share) if k % share]
        heights = [_height_at(spectrum, x) for x in own if x < 0.98 * spectrum.range[1]
                   and not any(x % t == 0 for t in TICKS)][:HARMONICS]
        if len(heights) >= FEWEST_HARMONICS and np.median(heights) > max(ALARM, height / 4):
            return low
    strays = _lines(spectrum, max(height / 2, limit(spectrum)), TICKS)
    if len(strays) > 2 * HARMONICS:  # a dense comb hits any frequency now and then
        return float(np.median(np.diff(spectrum.frequency[strays])))
    return 0.0


def comb(spectrum: Spectrum, frequency: float) -> tuple[float, int]:
    """Height of a frequency's own harmonics, and how many they are.

    The larger of two medians: of the lowest 16 (a tick that jitters has no others) and of all
    (time slicing drowns the low ones).
    """
    heights = [_height_at(spectrum, f) for f in _own(spectrum, frequency)]
    if not heights:
        return 0.0, 0
    return float(max(np.median(heights[:HARMONICS]), np.median(heights))), len(heights)


def _own(spectrum: Spectrum, frequency: float) -> list[float]:
    """The harmonics, Hz, that no other candidate shares, as far as the bins can show them."""
    top = 0.98 * spectrum.range[1]
    others = [t for t in TICKS if t != frequency and frequency % t]
    return [f for f in np.arange(frequency, top, frequency) if not any(f % t == 0 for t in others)]


def smallest_tick(spectrum: Spectrum, frequency: float, height: float = ALARM) -> float:
    """Length (ns) of a tick whose comb would just reach `height`.

    Needles of d ns every 1/f: each harmonic of the per-bin series has the amplitude A = 2 d f w
    (w: bin width); a Hann spectrum shows a line of A^2 / 2 over 1.5 steps.
    """
    at = [int(round(f * spectrum.seconds)) for f in _own(spectrum, frequency)]
    floors = spectrum.power[at] / np.maximum(spectrum.height[at], 1e-9)
    floor = min(np.median(floors[:HARMONICS]), np.median(floors))
    amplitude = np.sqrt(height * 2 * 1.5 * spectrum.step * floor)
    return float(amplitude / (2 * frequency * spectrum.width_s))


def _height_at(spectrum: Spectrum, frequency: float) -> float:
    """The highest of the three points around it: the tick's clock is not exactly ours."""
    at = int(round(frequency * spectrum.seconds))
    return float(spectrum.height[max(at - 1, 0):at + 2].max(initial=0))


# ----------------------------------------------------------------------------------- the peaks

def peaks(spectrum: Spectrum, known: Sequence[Tick], most: int = 10) -> list[Peak]:
    """Lines that no found tick explains, highest first; at most `most` of them.

    The limit is the height that white noise exceeds anywhere in this spectrum once in a thousand
    spectra, and never less than the alarm of a comb.
    """
    roots: list[tuple[float, int]] = []  # a frequency, and the multiple that it was read from
    found = []
    for i in _lines(spectrum, limit(spectrum), [t.frequency for t in known if t.found]):
        frequency, of = float(spectrum.frequency[i]), None
        for at, (root, last) in enumerate(roots):
            multiple = round(frequency / root)
            blur = (0.5 + 0.5 * multiple / last) * spectrum.step
            if blur < root / 4 and abs(frequency - multiple * root) <= blur:
                roots[at], of = (frequency / multiple, multiple), root
                break
        if of is None:
            roots.append((frequency, 1))
        found.append(Peak(frequency, float(spectrum.height[i]), of or frequency))
    return sorted(found, key=lambda peak: -peak.height)[:most]


def _lines(spectrum: Spectrum, height: float, known: Sequence[float]) -> np.ndarray:
    """Indices of local maxima above `height` that are no multiple of a `known` frequency.

    A line also stands out from ten points on either side: the foot of red noise, which rises
    towards 0 Hz, does not.
    """
    f = spectrum.frequency
    top = spectrum.height == ndimage.maximum_filter1d(spectrum.height, 5)
    top &= (spectrum.height > height) & (f >= spectrum.range[0])
    for tick in known:
        top &= np.abs(f - np.round(f / tick) * tick) > 2.5 * spectrum.step
    at = np.flatnonzero(top)
    sides = [[np.median(spectrum.power[max(i - 12, 1):i - 2]),
              np.median(spectrum.power[i + 3:i + 13]) if i + 6 < len(f) else 0.0] for i in at]
    steep = np.array([max(pair) for pair in sides]) * height / 2
    return at[spectrum.power[at] > steep] if len(at) else at


def limit(spectrum: Spectrum) -> float:
    """Height of a single line that chance does not reach: chi-square with 2 x worth degrees."""
    dof = 2 * spectrum.worth
    far = special.chdtri(dof, FALSE_ALARM / len(spectrum.frequency))
    return max(ALARM, float(far / special.chdtri(dof, 0.5)))
