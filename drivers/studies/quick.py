"""quick: how much does each layout gain on this machine?

Sizes are a compromise: large enough that a layout shows, small enough that every
cell can be launched five times in two minutes on two cores.
"""

from design import Cell, layouts

WORK = {  # kernel -> (variant, options) of its cells
    "binning": [("", ("--bins", "1000", "--width", "50us", "--repeats", "10"))],
    "dot": [("", ("--size", "2e7", "--repeats", "10"))],  # 320 MB: beyond any cache
    "matmul": [
        (method, ("--method", method, "--size", "1000", "--repeats", "10"))
        for method in ("library", "partition")
    ],
}

KERNELS = tuple(WORK)
LAUNCHES = 5
LIMIT_S = 120  # a launch takes about one second; beyond this it hangs


def cells(cores, kernels):
    return [
        Cell(layout, ranks, threads, kernel, variant, options)
        for kernel in kernels
        for variant, options in WORK[kernel]
        for layout, ranks, threads in layouts(cores)
    ]


def analyses(folder):
    """Commands that show what came out: script and arguments."""
    return [("compare", [folder]), ("report", [folder, "-o", folder / "report.html"])]
