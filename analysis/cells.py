"""From traces to cells: which launches belong together, and what they come to.

A cell is one layout with one set of parameters; each of its traces is one launch. A group holds
the cells that may be compared: same kernel, method, size ... Nothing is printed here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

import stats
import timeline
import tree
import ways
from traces import Trace

# What the work is. Equal for all cells of a group.
OPTIONS = ("method", "panel", "block", "row", "grainsize", "wait_ns", "wait_compute_ns", "beside",
           "handed_over", "sync_every", "work_unit", "inject")
WORK = ("kernel", "scaling", "size", "bins", "bin_width_ns", *OPTIONS)
USUAL = (None, "", 0, ("work_unit", "clock"))  # goes without saying
# How it was laid out. Together with WORK, the way and the kernels' hash: one cell.
LAYOUT = ("layout", "nodes", "ranks", "threads_per_rank", "blas_threads", "pinned")
FLOP = 2.0  # of a multiply-add
PEAKS = ("peak_flops", "peak_read")  # of a node, FLOP/s and B/s, as the run itself measured them
ORDER = ("serial", "openmp", "mpi", "hybrid", "python")


@dataclass(frozen=True)
class Launch:
    """One trace in numbers. R repetitions, W workers; trace: slim.

    rates  : (R,) units per second over all workers; rate: their median
    lost   : share of the window lost, mean and worst over workers (binning), or nan
    off    : share of the bins without any work, mean over workers (binning), or nan
    delivered : units per second over the whole window, interruptions included
    """

    trace: Trace
    rates: np.ndarray
    efficiency: stats.Efficiency
    imbalance: float
    delivered: float
    lost: float = math.nan
    lost_worst: float = math.nan
    off: float = math.nan
    tree: tree.Tree = tree.UNKNOWN
    notes: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        return float(np.median(self.rates))

    @property
    def valid(self) -> bool:
        return self.trace.valid

    @property
    def reasons(self) -> str:
        return self.trace.invalid_reasons


@dataclass(frozen=True)
class Cell:
    """One row of the table. `used`: the launches that count (the valid ones, or all)."""

    work: tuple
    layout: str
    way: str  # of ways.words: "threading", "gil 5 ms", or nothing
    nodes: int | None
    ranks: int
    threads: int
    blas_threads: int
    cores: int
    pinned: bool
    kernel_hash: str
    launches: tuple[Launch, ...]
    used: tuple[Launch, ...]
    valid: bool
    speedup: float = math.nan
    speedup_interval: tuple[float, float] | None = None
    speedup_missing: str = ""  # why there is none, or why it has no interval
    is_base: bool = False
    ideal: float = math.nan  # cores / base's cores
    base_parallel: float = math.nan
    base: str = ""  # its name
    across: float = math.nan  # rate / that of the C base, where this cell is of another language
    across_interval: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """How sentences call it."""
        return f"{self.label} {self.workers}"

    @property
    def label(self) -> str:
        """The layout with its way: "python threading", "openmp gil 5 ms", "mpi"."""
        return f"{self.layout} {self.way}".strip()

    @property
    def language(self) -> str:
        return ways.language(self.layout)

    @property
    def workers(self) -> str:
        """2×4: ranks × threads of each, 2×?: they differ; 2×1×4: × BLAS threads of each."""
        alike = self.ranks * self.threads * self.blas_threads == self.cores
        blas = f"×{self.blas_threads}" if self.blas_threads > 1 else ""
        return (f"{self.ranks}×{self.threads if alike else '?'}{blas}"
                + ("" if self.pinned else " unpinned"))

    @property
    def counted(self) -> str:
        """How many launches; 3/5: three of five count."""
        used = f"{len(self.used)}/" if len(self.used) < len(self.launches) else ""
        return f"{used}{len(self.launches)}"

    @property
    def rates(self) -> np.ndarray:
        """(launch,) each the median of its repetitions."""
        return np.array([launch.rate for launch in self.used])

    @property
    def rate(self) -> float:
        return float(np.median(self.rates))

    @property
    def interval(self) -> tuple[stats.Interval | None, str]:
        """95 % interval of the rate, and what it is; or None, and why."""
        n = len(self.used)
        if n == 1:
            inside = stats.median_interval(self.used[0].rates)
            return inside, "within one launch" if inside else "one launch, under 6 repetitions"
        found = stats.launch_interval(self.rates)
        if found is None:
            return None, f"{n} launches: interval unknown"
        return found, "median, exact" if stats.median_ranks(n) else "log t"

    def middle(self, value: Callable[[Launch], float]) -> float:
        """Median over the launches that know the value; nan if none does."""
        values = [v for launch in self.used if not math.isnan(v := value(launch))]
        return float(np.median(values)) if values else math.nan

    @property
    def efficiency(self) -> stats.Efficiency:
        """Geometric means over launches: the one middle that keeps the product exact."""
        known = [e for launch in self.used if not math.isnan((e := launch.efficiency).parallel)]
        if not known:
            return stats.Efficiency(math.nan, math.nan, math.nan)
        return stats.Efficiency(*np.exp(np.mean(np.log(np.maximum(known, 1e-300)), axis=0)))

    @property
    def per_core(self) -> float:
        return self.speedup / self.ideal

    @property
    def compute(self) -> float:
        """Compute scaling: speed of a busy core against a busy core of the base.

        POP: global efficiency = parallel efficiency x this.
        """
        return self.per_core / (self.efficiency.parallel / self.base_parallel)


@dataclass(frozen=True)
class Group:
    """Cells that do the same work, and what a reader must know before comparing them."""

    work: dict
    unit: str
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return ", ".join(describe(self.work))

    @property
    def bases(self) -> dict[str, str]:
        """language -> the cell that its speed-ups are over, where there are speed-ups."""
        return {cell.language: cell.base for cell in self.cells if cell.base}


@dataclass(frozen=True)
class Rules:
    """What the user allowed."""

    baseline: str = "serial"
    allow_invalid: bool = False
    across_kernels: bool = False


def compare(traces: Iterable[Trace], rules: Rules) -> list[Group]:
    """All groups, with speed-ups against the baseline layout."""
    return grouped(map(measure, traces), rules)


def grouped(launches: Iterable[Launch], rules: Rules) -> list[Group]:
    """The same of traces that are measured already."""
    by_cell: dict[tuple, list[Launch]] = {}
    for launch in launches:
        by_cell.setdefault(_cell_key(launch.trace), []).append(launch)
    cells = [_cell(launches, rules) for launches in by_cell.values()]
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.work, []).append(cell)
    return [_group(work, members, cells, rules) for work, members in sorted(
        groups.items(), key=lambda item: tuple(map(str, item[0])))]


# --------------------------------------------------------------------------------- one launch

def measure(trace: Trace) -> Launch:
    """Reduce one trace. Binning is read block by block: 64 workers of one repetition at a time."""
    if trace.nbins:
        return _measure_bins(trace)
    notes = []
    if trace.text("kernel") == "binning":
        notes.append("no /counts: the rate is the driver's own, lost time unknown")
    compute = trace.array("compute_ns")
    parts, uneven = stats.Efficiency(math.nan, math.nan, math.nan), math.nan
    if compute is None:
        notes.append("no /compute_ns: efficiency unknown")
    else:
        parts, uneven = stats.efficiency(compute, wall_ns(trace)), stats.imbalance(compute)
    if parts.communication > 1.01:
        notes.append("compute time exceeds wall time: do not trust the efficiency")
    rates = trace.arrays["results/rate"]
    return Launch(trace.slim(), rates, parts, uneven, float(np.median(rates)), tree=_tree(trace),
                  notes=(*notes, *_disagreement(trace)))


def _measure_bins(trace: Trace) -> Launch:
    reps, workers, nbins = trace.repetitions, trace.nworkers, trace.nbins
    running, total, busy, empty = (np.zeros((reps, workers)) for _ in range(4))
    for rep, first, counts in trace.blocks("counts"):
        rows = slice(first, first + len(counts))
        running[rep, rows] = stats.running_counts(counts)
        total[rep, rows] = counts.sum(axis=1, dtype=np.uint64)
        busy[rep, rows] = stats.busy_share(counts)
        empty[rep, rows] = stats.empty_share(counts)
    lost = np.maximum(0, 1 - busy)
    width_s = (trace.number("bin_width_ns") or 1) * 1e-9
    if trace.has_lost:  # measured in the loop, better than inferred from counts
        for rep, first, block in trace.blocks("lost_ns"):
            lost[rep, first:first + len(block)] = (
                block.sum(axis=1, dtype=np.uint64) * 1e-9 / (nbins * width_s))
    notes = () if trace.number("bin_width_ns") else ("no bin_width_ns: rates are per bin",)
    return Launch(
        trace.slim(),
        rates=running.sum(axis=1) / width_s,
        efficiency=stats.efficiency(busy, np.ones(reps)),
        imbalance=stats.imbalance(busy),
        delivered=float(np.median(total.sum(axis=1))) / (nbins * width_s),
        lost=float(np.median(lost.mean(axis=1))),
        lost_worst=float(np.median(lost.max(axis=1))),
        off=float(np.median(empty.mean(axis=1))),
        notes=notes,
    )


def _tree(trace: Trace) -> tree.Tree:
    """Where the time went, by threads, ranks and nodes."""
    compute, wait = trace.array("compute_ns"), trace.array("wait_ns")
    if compute is None or wait is None or trace.text("kernel") == "binning":
        return tree.UNKNOWN
    index = np.arange(trace.nworkers)
    return tree.tree(compute, wait, wall_ns(trace), trace.workers.get("rank", index),
                     trace.workers.get("node_index", np.zeros_like(index)))


def wall_ns(trace: Trace) -> np.ndarray:
    """Wall time of each repetition, ns, (R,).

    Without /results/seconds: the longest worker's. start and end of different nodes are not
    subtracted from each other, their clocks differ.
    """
    seconds = trace.array("results/seconds")
    if seconds is not None:
        return seconds * 1e9
    return (trace.arrays["end_ns"] - trace.arrays["start_ns"]).max(axis=1).astype(float)


def calls(trace: Trace) -> int:
    """Of the kernel in one repetition."""
    return max(trace.number("iterations", 1) or 1, 1)


def call_seconds(launch: Launch) -> float:
    """Seconds of one call of the kernel: median repetition of the launch."""
    return float(np.median(wall_ns(launch.trace))) * 1e-9 / calls(launch.trace)


def cores(trace: Trace) -> int:
    """Threads that can compute at once: workers x BLAS threads of each."""
    return trace.nworkers * max(trace.number("blas_threads", 1), 1)


def _disagreement(trace: Trace) -> list[str]:
    """The rate must be what units and seconds say; a file where it is not is not trusted."""
    units, seconds = trace.array("units"), trace.array("results/seconds")
    if units is None or seconds is None or not np.all(seconds > 0):
        return []
    expected = units.sum(axis=1) / seconds
    if np.allclose(expected, trace.arrays["results/rate"], rtol=0.01):
        return []
    return ["/results/rate is not /units over /results/seconds: do not trust the rate"]


# ----------------------------------------------------------------------------------- one cell

def work_of(trace: Trace) -> tuple:
    """The values of WORK; None for what is absent, empty or 0, whoever wrote the trace."""
    attrs = {**trace.attrs, "method": ways.method(trace.attrs)}
    return tuple(attrs.get(name) or None for name in WORK)


def _cell_key(trace: Trace) -> tuple:
    layout = tuple(trace.attrs.get(name) for name in LAYOUT)
    return (work_of(trace), layout, ways.key(trace.attrs), trace.nworkers,
            trace.text("kernel_hash"))


def _cell(launches: Sequence[Launch], rules: Rules) -> Cell:
    trace = launches[0].trace
    good = tuple(launch for launch in launches if launch.valid)
    ranks = max(trace.number("ranks", 1), 1)
    return Cell(
        work=work_of(trace),
        layout=trace.text("layout"),
        way=ways.words(trace.attrs),
        nodes=trace.number("nodes"),
        ranks=ranks,
        threads=max(trace.nworkers // ranks, 1),
        blas_threads=max(trace.number("blas_threads", 1), 1),
        cores=cores(trace),
        pinned=trace.number("pinned", 1) != 0,
        kernel_hash=trace.text("kernel_hash"),
        launches=tuple(launches),
        used=tuple(launches) if rules.allow_invalid else good or tuple(launches),
        valid=bool(good),
    )


def order_of(layout: str) -> int:
    """Where a layout stands in a table."""
    return ORDER.index(layout) if layout in ORDER else len(ORDER)


def _rank_of(cell: Cell) -> tuple:
    return (order_of(cell.layout), cell.layout, cell.way not in ("", ways.SINGLE), cell.way,
            cell.cores, cell.ranks, cell.threads, cell.kernel_hash)


# ---------------------------------------------------------------------------------- one group

def _group(work: tuple, members: list[Cell], everyone: list[Cell], rules: Rules) -> Group:
    named = dict(zip(WORK, work))
    cells = [_against_base(cell, _bases(cell, everyone, rules), rules) for cell in members]
    cells = _across(cells, _base_of_c(members, everyone, rules), rules)
    cells.sort(key=_rank_of)
    unit = cells[0].launches[0].trace.text("unit") or "unit"
    return Group(named, unit, tuple(cells), tuple(_warnings(cells, rules)))


def _base_label(language: str, rules: Rules) -> str:
    """What speed-ups of a language are over: the baseline layout, or Python's single worker."""
    return rules.baseline if language == ways.C else f"python {ways.SINGLE}"


def _bases(cell: Cell, everyone: list[Cell], rules: Rules, language: str = "") -> list[Cell]:
    """Cells of the baseline that do the same work, smallest first. Of the cell's own language.

    One core does the same work under strong and under weak scaling, so it serves both.
    """
    at, label = WORK.index("scaling"), _base_label(language or cell.language, rules)
    same = [c for c in everyone if label in (c.label, c.layout)
            and c.work[:at] + c.work[at + 1:] == cell.work[:at] + cell.work[at + 1:]
            and (c.work == cell.work or c.cores == 1)]
    return sorted(same, key=lambda c: (c.label != label, c.cores, c.work != cell.work))


def _base_of_c(members: list[Cell], everyone: list[Cell], rules: Rules) -> Cell | None:
    """What cells of another language are held against, in a group of more than one."""
    if len({cell.language for cell in members}) < 2:
        return None
    found = _bases(members[0], everyone, rules, ways.C)
    return found[0] if found and found[0].rate > 0 else None


def _across(cells: list[Cell], base: Cell | None, rules: Rules) -> list[Cell]:
    """Cells of other languages with their rate over the C base's: what a unit costs there."""
    def one(cell: Cell) -> Cell:
        if base is None or cell.language == ways.C or not (
                rules.allow_invalid or (cell.valid and base.valid)):
            return cell
        ratio = stats.ratio_interval(cell.rates, base.rates)
        return replace(cell, across=cell.rate / base.rate,
                       across_interval=(ratio.low, ratio.high) if ratio else None)
    return [one(cell) for cell in cells]


def _against_base(cell: Cell, bases: list[Cell], rules: Rules) -> Cell:
    """The cell with its speed-up, or with the reason why it has none."""
    twins = [b for b in bases if b.kernel_hash == cell.kernel_hash]
    label = _base_label(cell.language, rules)
    if not twins and bases and not rules.across_kernels:
        return replace(cell, speedup_missing=f"{label} ran other kernels (hash differs)")
    if not bases:
        return replace(cell, speedup_missing=f"no {label} run of the same work")
    base = (twins or bases)[0]
    usable = rules.allow_invalid or (cell.valid and base.valid)
    if not usable or not base.rate > 0:
        why = "INVALID" if not cell.valid else f"its base, {base.name}, is INVALID or 0"
        return replace(cell, speedup_missing=why)
    ratio = stats.ratio_interval(cell.rates, base.rates)
    few = min(len(cell.used), len(base.used))
    speedup = cell.rate / base.rate
    is_base = cell is base
    return replace(
        cell,
        speedup=speedup,
        speedup_interval=(ratio.low, ratio.high) if ratio and not is_base else None,
        speedup_missing="base" if is_base else "" if ratio else
        f"{few} launch{'es' * (few != 1)}: interval unknown",
        is_base=is_base,
        ideal=cell.cores / base.cores,
        base_parallel=base.efficiency.parallel,
        base=base.name,
    )


def _warnings(cells: Sequence[Cell], rules: Rules) -> list[str]:
    """Differences first; then what each cell has to say, the same words once for all cells."""
    found = _mixed(cells, rules)
    same: dict[str, dict[str, int]] = {}
    for cell in cells:
        for text in _cell_warnings(cell):
            words, count = _counted(text)
            names = same.setdefault(words, {})
            names[cell.name] = names.get(cell.name, 0) + count
    size = {cell.name: sum(x.rates.size * x.trace.nworkers for x in cell.used) for cell in cells}
    for text, names in same.items():
        told = ", ".join(f"{n} ({k} of {size[n]})" if k else n for n, k in names.items())
        unit = " worker-repetitions" if any(names.values()) else ""
        found.append(f"{told}{unit}: {text}")
    for why in dict.fromkeys(c.speedup_missing for c in cells):
        if why.startswith("no "):
            found.append(f"{why}: no speed-up for "
                         + ", ".join(c.name for c in cells if c.speedup_missing == why))
    return found


def _counted(text: str) -> tuple[str, int]:
    """The driver's "moved (in 3 of 16 worker-repetitions)" as ("moved", 3)."""
    match = re.fullmatch(r"(.*) \(in (\d+) of \d+ worker-repetitions\)", text)
    return (match[1], int(match[2])) if match else (text, 0)


def _mixed(cells: Sequence[Cell], rules: Rules) -> list[str]:
    """What differs between cells and should not."""
    found = _values(cells)
    for language in dict.fromkeys(c.language for c in cells):
        hashes = {c.kernel_hash[:12] or "not recorded" for c in cells if c.language == language}
        if len(hashes) > 1:
            found.append("different kernels were compiled (hash " + ", ".join(sorted(hashes))
                         + ("): speed-ups across them too, as you asked" if rules.across_kernels
                            else "): no speed-up across them unless --across-kernels"))
    for name, value in (
            ("CPU models", lambda t: ", ".join(t.cpu_models)),
            ("compiler flags", lambda t: str(t.provenance.get("compiler_flags") or "")),
            ("core types in OpenBLAS", lambda t: t.text("blas_core")),
            ("instruction sets in the kernel", lambda t: t.text("dot_variant")),
            ("thresholds of a detour, so of lost time", _threshold)):
        seen = _seen(cells, value)
        if len(seen) > 1:
            found.append(f"different {name}: " + "; ".join(f"{v} ({n})" for v, n in seen.items()))
    if any(cell.blas_threads > 1 for cell in cells):
        found.append("threads inside the BLAS library cannot be watched: their waiting counts as "
                     "computing")
    hosts = _seen(cells, lambda t: ", ".join(sorted(set(t.hostnames))))
    sets = [set(text.split(", ")) for text in hosts]
    if any(not (a <= b or b <= a) for a in sets for b in sets):
        found.append("different hosts: " + "; ".join(f"{v} ({n})" for v, n in hosts.items()))
    return found


def _values(cells: Sequence[Cell]) -> list[str]:
    """A blocked dot product is one number, whoever made it; a build that says it cannot keep the
    bits is not asked. Weak scaling makes another vector for each number of workers."""
    found: list[str] = []
    loose = [c.name for c in cells if any(x.trace.text("dot_bits") == "not kept" for x in c.used)]
    work = dict(zip(WORK, cells[0].work))
    if (work["kernel"], work["method"]) != ("dot", "blocked"):
        return found
    if loose:
        found.append(f"{', '.join(loose)}: this build does not keep the bits of the dot product; "
                     "its values are not compared")
    kept = [c for c in cells if c.name not in loose]
    weak = work["scaling"] == "weak"
    for workers in sorted({c.ranks * c.threads for c in kept}) if weak else (None,):
        same = [c for c in kept if workers in (None, c.ranks * c.threads)]
        seen: dict[str, dict[str, None]] = {}
        for cell in same:
            for launch in cell.used:
                for value in launch.trace.arrays.get("results/value", ()):
                    seen.setdefault(float(value).hex(), {})[cell.name] = None
        if len(seen) > 1:
            found.append("ERROR: the dot product is not one value: " + "; ".join(
                f"{value} ({', '.join(names)})" for value, names in seen.items())
                + ": one of them is wrong, or they are not the same work")
    return found


def _threshold(trace: Trace) -> str:
    """What counts as lost where the driver measured it; Python's does not."""
    ns = trace.number("detour_threshold_ns", 0) if trace.has_lost else 0
    return f"{ns} ns" if ns else ""


def _seen(cells: Sequence[Cell], value: Callable[[Trace], str]) -> dict[str, str]:
    """Each value that some trace has, and the cells that have it."""
    seen: dict[str, dict[str, None]] = {}
    for cell in cells:
        for launch in cell.used:
            if value(launch.trace):
                seen.setdefault(value(launch.trace), {})[cell.name] = None
    return {text: ", ".join(names) for text, names in seen.items()}


def _cell_warnings(cell: Cell) -> list[str]:
    found = []
    n, bad = len(cell.launches), [launch for launch in cell.launches if not launch.valid]
    if bad:
        counted = "counted as you asked" if len(cell.used) == n else "left out"
        some = f" ({len(bad)} of {n} launches, {counted})" if cell.valid else ""
        found.append(f"INVALID{some}: {'; '.join(reasons(cell))}")
    if len(cell.used) == 1:
        found.append("only one launch: the spread between launches is unknown")
    elif len(cell.used) < stats.FEWEST_LAUNCHES:
        found.append(f"{len(cell.used)} launches: too few for an interval")
    if stats.are_autocorrelated([launch.rates for launch in cell.used]):
        found.append("repetitions are autocorrelated: "
                     + ("the interval within one launch is too narrow" if len(cell.used) == 1
                        else "more launches will narrow the interval, more repetitions will not"))
    if cell.speedup_interval and not (
            cell.speedup_interval[0] <= cell.speedup <= cell.speedup_interval[1]):
        found.append("the launches are skewed: the ratio of medians lies outside its interval")
    if not math.isnan(off := cell.middle(lambda launch: launch.off)) and off > 0.01:
        found.append(f"workers were off their CPU in {100 * off:.3g} % of the bins")
    unfinished = [x for x in cell.used if x.trace.text("status", "complete") != "complete"]
    if unfinished:
        found.append(f"{len(unfinished)} of {len(cell.used)} launches ended early "
                     f"({', '.join(sorted({x.trace.text('status') for x in unfinished}))}): "
                     "only finished repetitions count")
    resumed = sum(len(x.trace.segments) > 1 for x in cell.used)
    if resumed:
        found.append(f"{resumed} of {len(cell.used)} launches stopped and went on later (--resume)")
    return found + _compared_clocks(cell) + _told(cell)


def _compared_clocks(cell: Cell) -> list[str]:
    """How well the clocks of several nodes were known, in the launch that knew them worst."""
    several = [segment.knots for x in cell.used if x.trace.number("nodes", 1) > 1
               for segment in x.trace.segments]
    return ["several nodes: " + timeline.sentence(timeline.worst(several))] if several else []


def reasons(cell: Cell) -> list[str]:
    """Why launches of the cell are INVALID, each reason once, without the driver's counts."""
    texts = [text for launch in cell.launches if not launch.valid
             for text in launch.reasons.split("; ")]
    return list(dict.fromkeys(_counted(text)[0] for text in texts))


def _told(cell: Cell) -> list[str]:
    """What reading found and what the traces say themselves."""
    notes = []
    for launch in cell.used:
        residual = launch.trace.array("results/residual")
        if residual is not None and not np.all(residual < 1):
            notes.append("the result failed its check (residual over its bound)")
        notes += [*launch.notes, *filter(None, launch.trace.text("warnings").split("; "))]
    return [text for i, text in enumerate(notes) if _counted(text)[1] or text not in notes[:i]]


def describe(work: dict) -> list[str]:
    """The work in words, without what is absent or the default."""
    words = [str(work["kernel"])]
    for name in OPTIONS:
        value = work.get(name)
        if value not in USUAL and (name, value) not in USUAL:
            said = f"{value / 1000:g} µs" if value and name.endswith("_ns") else value
            words.append(f"{name.removesuffix('_ns').replace('_', ' ')} {said}")
    if work["kernel"] == "binning":
        if work["bins"] and work["bin_width_ns"]:
            words.append(f"{work['bins']} bins of {work['bin_width_ns'] / 1000:g} µs")
    else:
        if work["size"]:
            words.append(f"size {work['size']:,}".replace(",", " "))
        if work["scaling"]:
            words.append(f"{work['scaling']} scaling")
    return words


# ------------------------------------------------------------------------------ second units

def secondary(kernel: object, rate: float) -> dict[str, float]:
    """The rate in the units that HPC people know. rate: units per second."""
    if kernel == "matmul":
        return {"GFLOP/s": 2e-9 * rate}  # one multiply, one add
    if kernel == "dot":
        return {"GFLOP/s": 2e-9 * rate, "GB/s": 16e-9 * rate}  # two doubles read for each
    if kernel == "marshal":
        return {"GB/s": 8e-9 * rate}
    return {}


def roofline(cell: Cell) -> dict[str, float]:
    """How far the cell is from what its nodes can do (Williams, Waterman, Patterson, 2009).

    intensity: see _intensity; peaks: of all nodes, as measured in the run itself by all its
    threads, median over launches; roof = min(peak_flops, intensity * peak_read), FLOP/s; fraction
    = attained / roof: above 1 where data stay in caches. Empty if the kernel does no multiply-adds
    or the peaks were not measured.
    """
    intensity = _intensity(cell)
    known = [x for x in cell.used if "peak_flops" in x.trace.nodes]
    if not intensity or not known:
        return {}
    flops, read, roofs = np.transpose([
        [*(peak(x, name) for name in PEAKS), roof(cell, x)] for x in known])
    attained = FLOP * np.array([x.rate for x in known])
    return {"attained": float(np.median(attained)), "intensity": intensity,
            "peak_flops": float(np.median(flops)), "peak_read": float(np.median(read)),
            "roof": float(np.median(roofs)), "fraction": float(np.median(attained / roofs))}


def _intensity(cell: Cell) -> float:
    """FLOP for each byte that must come from memory at least; 0: no multiply-adds."""
    work = dict(zip(WORK, cell.work))
    return {"dot": FLOP / 16,  # two doubles for each
            "matmul": FLOP * (work["size"] or 0) / 24}.get(str(work["kernel"]), 0.0)  # three


def roof(cell: Cell, launch: Launch) -> float:
    """FLOP/s that the nodes of one launch can do at most; nan where nothing was measured."""
    flops, read = (peak(launch, name) for name in PEAKS)
    return float(np.minimum(flops, _intensity(cell) * read))


def peak(launch: Launch, name: str) -> float:
    """One of PEAKS, of all nodes of the launch; nan where it was not measured."""
    values = launch.trace.nodes.get(name)
    return math.nan if values is None else float(np.sum(values))


def losses(cell: Cell) -> dict[str, float]:
    """Where each core-second went; the parts sum to 1. Empty if efficiency is unknown.

    1 = mean U / T + (max U - mean U) / T + (1 - max U / T); the first is split by the compute
    scaling against the base, if the cores became slower.
    """
    parts = cell.efficiency
    if math.isnan(parts.parallel):
        return {}
    slower = 1 - min(cell.compute, 1) if not math.isnan(cell.compute) else 0.0
    away = "lost time" if cell.work[0] == "binning" else "waiting and combining"
    return {
        "useful work": parts.parallel * (1 - slower),
        "slower computing": parts.parallel * slower,
        "uneven load": parts.communication * (1 - parts.balance),
        away: 1 - parts.communication,
    }
