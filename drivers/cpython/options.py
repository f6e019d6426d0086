"""The command line as parameters. Standard library only, and the syntax of Python 3.6: it is
read before an interpreter with NumPy is looked for, and refuses a wrong line before that.
"""

import argparse
import os
import re
import textwrap

from cpython import inject

VERSION = "0.1.0"
SIZES = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
         "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
TIMES = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10}

# name: what a --help page says of it
KERNELS = {
    "binning": "one clock read, counted in the time bin that it falls in",
    "dot": "np.dot of two vectors",
    "matmul": "np.dot of two matrices, out= a third; checked (Freivalds)",
    "marshal": "summing doubles: six cells, and controls; one worker",
    "update": "adding one to a counter that others add to as well",
}
SINGLE = "single"
WAYS = {  # name: (needs this package, what it is)
    SINGLE: ("", "one worker"),
    "threading": ("", "threads of one process; one shared table, a column for each"),
    "multiprocessing": ("", "spawned processes, each its own table (or: processes)"),
    "futures-threads": ("", "concurrent.futures, a pool of threads"),
    "futures-processes": ("", "concurrent.futures, a pool of spawned processes"),
    "asyncio": ("", "coroutines of one thread; with --wait"),
    "joblib": ("joblib", "joblib's processes (loky)"),
    "dask": ("dask", "dask's scheduler of processes, a task at a time"),
    "mpi4py": ("mpi4py", "a worker in each rank: mpirun -n 2 drivers/python ..."),
    "serial-loop": ("", "the control that must fail: W windows, one after the other"),
}
OF_KERNEL = {
    "binning": tuple(WAYS),
    "dot": (SINGLE, "threading", "processes"),
    "matmul": (SINGLE, "threading", "processes"),
    "marshal": (SINGLE,),
    "update": (SINGLE, "threading", "processes"),
}
THREADS = ("threading", "futures-threads")  # workers share one interpreter
SHARED = ("dot", "matmul", "update")  # their size is divided among the workers
ONE_THREAD = (SINGLE, "asyncio", "serial-loop")
METHODS = ("array-npsum", "array-sum", "array-loop", "list-npsum", "list-sum", "list-loop",
           "memoryview-loop", "shuffled-list-npsum", "shuffled-list-sum", "shuffled-list-loop",
           "convert-once-loop", "soa-npsum", "aos-npsum")
UPDATES = {  # name: what it is
    "call": "one counter for all: read it, call a function, write it",
    "inline": "one counter for all: counter[0] += 1",
    "lock": "as call, with a lock of the program around it",
    "handed": "a counter each, in a list that all were handed",
    "block": "a counter each, in a block of shared memory",
}
OF_PROCESSES = ("handed", "block")  # methods of update for workers that are processes
METHODS_OF = {"binning": ("counter",), "dot": ("library",), "matmul": ("library",),
              "marshal": METHODS, "update": tuple(UPDATES)}
REPEATS = 10
LONGEST_NS = 60 * 10**9  # of a run that has no number of repetitions
SIZE = {"dot": 20000000, "matmul": 4000, "marshal": 1000000, "update": 2000000}

EPILOG = """\
Sizes: 4000, 1e6, 64Ki. Times always have a unit: 50us, 2ms, 1s.

Examples:
  drivers/python binning                       one worker, 1000 bins of 50us
  drivers/python binning --way threading --workers 4 --bins 20000
        threads take turns: the same total as one worker, at 1 core obtained
  drivers/python binning --way multiprocessing --workers 2
        processes from one common start: this total may be believed
  drivers/python binning --way multiprocessing --workers 4 --start own
        every task its own start: windows that follow one another are added up
        as if they had coincided; the run finds it out and is INVALID
  drivers/python binning --way serial-loop --workers 4
        the control: no parallelism at all, and a total of four
  drivers/python binning --way asyncio --workers 20 --wait 20ms --width 2ms
        waiting overlaps
  drivers/python binning --way threading --workers 1 --wait 1ms --beside 1
        a wait beside a thread that computes ends a switch interval late
  drivers/python update --way threading --workers 2
        the lock prevents no race: updates are lost; --method lock loses none
  drivers/python matmul --blas-threads 2 --sample-cores 100ms
        one call, all cores, and what a monitor shows of them
  drivers/python matmul --way processes --workers 2 --blas-threads 2
        the mistake: processes times library threads (INVALID: they take turns)
  drivers/python marshal --method array-loop   one cell of the marshalling table
  mpirun -n 2 drivers/python binning --way mpi4py
  analysis/compare.py *.h5                     what came of them, in one table

Exit status: 0 done; 1 failed; 2 bad usage; 3 INVALID (the trace says why);
4 stopped by a signal, what was measured is saved.
"""


class Usage(Exception):
    """The command line is wrong. Its text is one line."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Usage(" ".join(re.sub(r"^argument ", "", message).split()))


def number(suffixes, what):
    def read(text):
        match = re.match(r"(\d+\.?\d*(?:[eE][+-]?\d+)?)([A-Za-z]*)$", text)
        scale = suffixes.get(match.group(2)) if match else None
        if scale is None:
            raise argparse.ArgumentTypeError("takes %s, not '%s'" % (what, text))
        value = float(match.group(1)) * scale
        if suffixes is TIMES:
            value = float(round(value)) if value <= 2**53 else value
        if not value <= 2**53 or value != int(value):
            raise argparse.ArgumentTypeError("takes %s, not '%s'" % (what, text))
        return int(value)
    return read


SIZED = number(SIZES, "a whole number such as 4000, 1e6 or 64Ki")
TIMED = number(TIMES, "a time with its unit such as 50us, 2ms or 1s")


def within(read, least, most, told=""):
    """`told`: the range in words, where the numbers alone have no unit."""
    def check(text):
        value = read(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError("takes %s, not '%s'" % (
                told or "a number from %d to %d" % (least, most), text))
        return value
    return check


def size(least, most):
    return within(SIZED, least, most)


def time_(least, most, told):
    return within(TIMED, least, most, told)


def share(text):
    match = re.match(r"(\d+\.?\d*(?:[eE][+-]?\d+)?)%$", text)
    value = float(match.group(1)) / 100 if match else 0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("takes a share such as 1%% or 0.5%%, not '%s'" % text)
    return value


def fault(text):
    try:
        return inject.parse(text, share)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error))


def label(text):
    key, equals, value = text.partition("=")
    if not equals or not key or "/" in key:
        raise argparse.ArgumentTypeError(
            "takes KEY=VALUE without '/' in the key, not '%s'" % text)
    return key, value


def word(text):
    if not text:
        raise argparse.ArgumentTypeError("takes a word, not nothing")
    return text


def listed(names):
    return "\n".join("  %-18s %s" % row for row in names)


def parser():
    kernels = listed(KERNELS.items())
    ways = listed((name, about) for name, (_, about) in WAYS.items())
    p = Parser(
        prog="drivers/python", add_help=False, allow_abbrev=False,
        usage="drivers/python KERNEL [options]",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=26, width=79),
        description="Runs one kernel in CPython and writes everything that it saw to an HDF5\n"
                    "trace, as the kit's C drivers do.\n\nKernels:\n" + kernels
                    + "\n\nWays (--way):\n" + ways
                    + "\n\nMethods of marshal (--method):\n  " + ", ".join(METHODS[:6])
                    + "\n" + textwrap.fill(", ".join(METHODS[6:]), 79,
                                           initial_indent="  controls: ",
                                           subsequent_indent=12 * " ")
                    + "\n\nMethods of update:\n" + listed(UPDATES.items()),
        epilog=EPILOG)
    p.add_argument("kernel", metavar="KERNEL", nargs="?", help=argparse.SUPPRESS)
    p.add_argument("rest", nargs="*", help=argparse.SUPPRESS)

    g = p.add_argument_group("What is measured")
    g.add_argument("--way", metavar="WORD", default=SINGLE, type=word,
                   help="how Python is put to work (default single)")
    g.add_argument("-n", "--size", metavar="N", type=size(1, 2**50), dest="size",
                   help="elements (dot, marshal), rows of a matrix (matmul), updates (update)")
    g.add_argument("-m", "--method", metavar="WORD", type=word,
                   help="marshal: which cell (default array-npsum); update: which program "
                        "(default call)")
    g.add_argument("--scaling", choices=("strong", "weak"), default="strong",
                   help="size in all, or for each worker (default strong)")
    g.add_argument("--bins", metavar="N", type=size(1, 10**9), default=1000,
                   help="binning: bins in a repetition (default 1000)")
    g.add_argument("--width", metavar="TIME", type=time_(1e3, 5e8, "a time from 1us to 0.5s"),
                   default=50000, dest="width_ns",
                   help="binning: width of a bin (default 50us)")
    g.add_argument("--wait", metavar="TIME", type=time_(1e3, 1e9, "a time from 1us to 1s"),
                   default=0, dest="wait_ns",
                   help="binning: the unit is a blocking wait this long, the lock released; "
                        "how late each wait ended is kept in /wakes")
    g.add_argument("--compute", metavar="TIME", type=time_(1e3, 1e9, "a time from 1us to 1s"),
                   default=0, dest="compute_ns",
                   help="with --wait: use this much CPU time after each wait")
    g.add_argument("--beside", metavar="N", type=size(0, 64), default=0,
                   help="with --wait, workers in one process: N more threads of that process "
                        "compute meanwhile (default 0)")
    g.add_argument("--hand-over", action="store_true",
                   help="dot, processes: send each its share of the vectors every time, as an "
                        "argument; the time is from the sending on")
    g.add_argument("--start", choices=("common", "own"),
                   help="binning: all windows open at one agreed instant, or each task takes "
                        "its own start, as the training text does (default common)")
    g.add_argument("--detour", metavar="TIME", type=time_(1e3, 1e9, "a time from 1us to 1s"),
                   default=50000, dest="detour_ns",
                   help="binning: two clock reads further apart than this are a detour, for "
                        "one the time that another thread has the lock (default 50us)")
    g.add_argument("--detours", metavar="N", type=size(1, 10**8), default=4096,
                   help="binning: detours listed for each worker and repetition (default 4096)")

    g.add_argument("--sample-cores", metavar="TIME", dest="cores_ns", default=0,
                   type=time_(1e7, 1e10, "a time from 10ms to 10s"),
                   help="dot, matmul: look every so often how busy each CPU is, as htop does; "
                        "each look needs some 0.14 ms of a core (default: never)")

    g = p.add_argument_group("How long")
    g.add_argument("--repeats", metavar="N", type=size(1, 10**9), default=0,
                   help="repetitions (default %d)" % REPEATS)
    g.add_argument("--until-ci", metavar="SHARE", type=share, default=0, dest="until_ci",
                   help="instead of --repeats: until the 95 %% interval of the median rate is "
                        "within +-SHARE of it (1%%); looks after 10, 15, 22, 33 ... repetitions")
    g.add_argument("--max-time", metavar="TIME", type=TIMED, default=0, dest="max_time_ns",
                   help="stop after this time, between repetitions (default: none; with "
                        "--until-ci 60s)")
    g.add_argument("--warmup", metavar="TIME", default=200000000, dest="warmup_ns",
                   type=lambda text: 0 if text in ("0s", "0ms", "0us", "0ns") else TIMED(text),
                   help="run the kernel this long before measuring (default 200ms; not with "
                        "--start own)")
    g.add_argument("--iterations", metavar="N", type=size(1, 10**12), default=0,
                   help="kernel calls in one repetition (default: as many as fill 20ms)")

    g = p.add_argument_group("Who works")
    g.add_argument("--workers", "--threads", metavar="N", type=size(1, 4096), dest="workers",
                   help="workers of the way: threads, processes, coroutines or windows "
                        "(default: the CPUs of this process)")
    g.add_argument("--blas-threads", metavar="N", type=size(1, 4096), dest="blas_threads",
                   help="threads of NumPy's BLAS in each process (default: way single of dot "
                        "and matmul: the CPUs of this process; else 1)")
    g.add_argument("--bind", choices=("cores", "none"), default="none",
                   help="pin worker i to the i-th CPU of the mask that the launcher gave, or "
                        "leave it as Python does (default none)")
    g.add_argument("--switch-interval", metavar="TIME", dest="switch_ns",
                   type=time_(1e3, 1e10, "a time from 1us to 10s"),
                   help="sys.setswitchinterval (default: Python's own, 5ms)")

    g = p.add_argument_group("Where it goes")
    g.add_argument("-o", "--output", metavar="FILE|DIR", type=word,
                   help="the trace (default: a name made of kernel, way and time)")
    g.add_argument("--force", action="store_true", help="replace an existing trace")
    g.add_argument("--resume", action="store_true",
                   help="go on with the run that was to make this trace and was stopped or killed "
                        "(its journal is FILE.part): only what is missing is run; complete "
                        "already: says so; nothing there: starts anew")
    g.add_argument("--label", metavar="KEY=VALUE", type=label, action="append", default=[],
                   dest="labels", help="a note kept in the trace; may be repeated")
    g.add_argument("--allow-invalid", action="store_true",
                   help="exit 0 even if the run was found INVALID (the mark stays)")
    g.add_argument("--inject", metavar="SPEC", type=fault, default=inject.NONE,
                   help="a known fault on purpose: slow=5%%@node0 (not of binning), "
                        "bind=same-core, wrong=element@worker1 (dot, matmul, marshal); several "
                        "with commas. Thieves, deaths and clocks are for the C drivers: threads "
                        "here share a lock, and there is one node")
    g.add_argument("--quiet", action="store_true", help="no progress, no summary")
    g.add_argument("--verbose", action="store_true",
                   help="a line for every repetition that is saved, to standard error")
    g.add_argument("--help", action="store_true", help="this page")
    g.add_argument("--version", action="store_true", help="the version")
    return p


def parse(words):
    """The parameters, whole and consistent. Raises Usage."""
    p = parser().parse_args(words)
    p.words = list(words)
    if p.help or p.version:
        return p
    names = ", ".join(KERNELS)
    if not p.kernel:
        raise Usage("which kernel? one of %s; see --help" % names)
    if p.kernel not in KERNELS:
        raise Usage("no kernel '%s'; there are %s" % (p.kernel, names))
    if p.rest:
        raise Usage("'%s' is one word too many; see --help" % p.rest[0])
    complete_length(p)
    complete_resume(p)
    complete_way(p)
    complete_work(p)
    complete_team(p)
    return p


def complete_length(p):
    if p.quiet and p.verbose:
        raise Usage("--quiet and --verbose contradict each other")
    if p.until_ci and p.repeats:
        raise Usage("--repeats and --until-ci contradict each other: which of them?")
    if p.until_ci:
        p.max_time_ns = p.max_time_ns or LONGEST_NS
    else:
        p.repeats = p.repeats or REPEATS


def complete_resume(p):
    if p.resume and p.force:
        raise Usage("--resume and --force contradict each other: go on with it, or replace it?")
    if p.resume and (not p.output or os.path.isdir(p.output)):
        raise Usage("--resume: which trace? give the name of its file with --output")
    if p.resume and p.cores_ns:
        raise Usage("--resume: what --sample-cores sees cannot be gone on with later")


def complete_way(p):
    """dot and matmul say processes, binning says multiprocessing; each takes both words."""
    ways = OF_KERNEL[p.kernel]
    for one, other in (("processes", "multiprocessing"), ("multiprocessing", "processes")):
        if p.way == one and one not in ways:
            p.way = other
    if p.way not in ways:
        raise Usage("--way %s: %s takes one of: %s" % (p.way, p.kernel, " ".join(ways)))
    if p.way == "asyncio" and not p.wait_ns:
        raise Usage("--way asyncio: coroutines only overlap waiting; say how long with --wait 20ms")
    if p.way == "serial-loop" and p.start == "common":
        raise Usage("--start common: the windows of serial-loop follow one another")
    if p.way in (SINGLE, "asyncio", "mpi4py") and p.start == "own":
        raise Usage("--start own: not with --way %s" % p.way)
    p.start = p.start or ("own" if p.way == "serial-loop" else "common")


def complete_work(p):
    given = {word.split("=")[0] if word.startswith("--") else word[:2] for word in p.words
             if word.startswith("-")}
    timed = p.kernel == "binning"
    for options, theirs in ((("--bins", "--width", "--wait", "--start", "--detour", "--detours",
                              "--compute", "--beside"), timed),
                            (("--size", "-n", "--iterations"), not timed),
                            (("--hand-over",), p.kernel == "dot" and p.way == "processes"),
                            (("--scaling", "--sample-cores"), p.kernel in ("dot", "matmul"))):
        for option in options:
            if option in given and not theirs:
                raise Usage("%s: %s takes none" % (option, p.kernel))
    complete_method(p)
    p.size = p.size or SIZE.get(p.kernel, 0)
    if timed and p.wait_ns >= p.bins * p.width_ns:
        raise Usage("--wait must be shorter than the window of --bins x --width")
    if timed and p.wait_ns and p.detour_ns < 2 * (p.wait_ns + p.compute_ns):
        p.detour_ns = 2 * (p.wait_ns + p.compute_ns)
    for option, value in (("--compute", p.compute_ns), ("--beside", p.beside)):
        if value and not p.wait_ns:
            raise Usage("%s: only with --wait" % option)
    if p.beside and p.way not in (*THREADS, SINGLE, "asyncio"):
        raise Usage("--beside: the workers of --way %s are processes of their own" % p.way)
    if p.hand_over and p.iterations > 1:
        raise Usage("--iterations: with --hand-over one")


def complete_method(p):
    """What is computed, in the C drivers' words."""
    known = METHODS_OF[p.kernel]
    p.method = p.method or known[0]
    if p.method not in known:
        raise Usage("--method %s: %s takes one of: %s" % (p.method, p.kernel, " ".join(known)))
    if p.kernel == "update" and p.way == "processes" and p.method not in OF_PROCESSES:
        raise Usage("--method %s: processes take one of: %s" % (p.method, " ".join(OF_PROCESSES)))


def complete_team(p):
    cpus = len(os.sched_getaffinity(0))
    if p.way == SINGLE and p.workers not in (None, 1):
        raise Usage("--workers %d: --way single is one worker" % p.workers)
    if p.way == "mpi4py":
        if p.workers:
            raise Usage("--workers: with --way mpi4py mpirun says how many")
        p.workers = 1  # until MPI has been asked
    elif not p.workers:
        p.workers = 1 if p.way == SINGLE else max(cpus, 2) if p.way == "serial-loop" else cpus
    if p.scaling == "strong" and p.kernel in SHARED and p.size < p.workers:
        raise Usage("--size %d is less than one for each of %d workers" % (p.size, p.workers))
    try:
        inject.check(p.inject, p.kernel, p.workers)
    except ValueError as error:
        raise Usage("--inject %s" % error)
    if not p.blas_threads:
        p.blas_threads = cpus if p.way == SINGLE and p.kernel in ("dot", "matmul") else 1
    check_memory(p)


def check_memory(p):
    """A size that does not fit is refused, with both figures."""
    many = p.workers if p.scaling == "weak" else 1
    each = {"binning": p.workers * (8 * p.bins + 80 * p.detours) + 12 * p.workers * p.bins * min(
                p.repeats or 1000, 1000),
            "dot": 16 * p.size * many * (1 + 3 * p.hand_over),
            "matmul": 8 * p.size**2 * (2 * many + (1 if p.way in THREADS else p.workers)),
            "marshal": 120 * p.size, "update": 0}[p.kernel]
    free = available()
    if free and each > free:
        raise Usage("needs %.3g GB of memory, %.3g GB are available" % (each / 1e9, free / 1e9))


def available():
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0
