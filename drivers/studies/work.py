"""The kernels as studies of layouts put them to work: the cells of one layout."""

from studies.design import Cell

BINNING = ("--bins", "1000", "--width", "50us", "--repeats", "10")
METHOD = {"dot": "blocked", "matmul": "partition", "marshal": "list-loop"}


def shorter(size):
    """2e7 rather than 20000000, in names of files."""
    digits = str(size).rstrip("0")
    zeros = len(str(size)) - len(digits)
    return f"{digits}e{zeros}" if zeros > 3 else str(size)


def items(asked, scaling="strong"):
    """(kernel, variant, options) of the work asked for. A size stands in the variant
    where there are several."""
    found = []
    for kernel in asked.kernels:
        if kernel == "binning":
            found.append((kernel, "", BINNING))
            continue
        sizes = getattr(asked, kernel)
        for size in sizes:
            options = ("--method", METHOD[kernel], "--size", str(size), "--scaling", scaling)
            variant = shorter(size) if len(sizes) > 1 else ""
            found.append((kernel, variant, (*options, "--repeats", "10")))
    return found


def cells(asked, ways, scaling="strong", **more):
    """Every work under every way. ways: (layout, ranks, threads)."""
    return [
        Cell(layout, ranks, threads, kernel, variant, options, **more)
        for kernel, variant, options in items(asked, scaling)
        for layout, ranks, threads in ways
    ]


def page(folder, *more):
    """The command that every study ends with: script and arguments."""
    return ("report", [folder, "-o", folder / "report.html", *more])


def report(folder, *more):
    """Commands that every comparison of layouts ends with: script and arguments."""
    return [("compare", [folder, *more]), page(folder, *more)]
