"""breakeven: from which size on does a layout beat serial, and reach half of the ideal?

Runs dot and matmul at growing sizes under serial and under every layout on all cores, then
goes on by itself where the answer lies: each stage halves the bracket around the crossing,
until its ends are within a factor of 1.41 of the next size. Launches of all cells are
interleaved. On two cores about five minutes.

look for
  A .. B        slower than serial for sure up to A, faster for sure from B on
  serial takes  the same as a time: a task shorter than that is not worth parallelising,
                whatever it computes. Libraries stay on one thread there by themselves; dot
                does with --grainsize
  undecided     a size whose interval includes 1. More --launches narrow it

it cannot say
  where the break-even of your program is: it moves with what is combined at the end, and
  with how threads wait (--wait passive moves it a hundredfold; the table says which it was).
  The curve need not be monotone: a library changes its ways with the size. On another day
  the cores may share another cache: run it again before you build on it.

options of its own:
  --launches N     launches of every cell [5]
  --kernels LIST   some of: dot,matmul,marshal [dot,matmul]
  --layouts LIST   some of: openmp,mpi,hybrid [all]
  --dot SIZES      elements to begin with [4Ki,16Ki,64Ki,256Ki,1Mi]
  --matmul SIZES   rows to begin with [16,32,64,128,256]
  --marshal SIZES  boxed doubles to begin with [64,256,1Ki,4Ki,16Ki]
  --stages N       stages at most [8]
  --wait WORD      OMP_WAIT_POLICY, one of: default,active,passive [default]
"""

from studies import work
from studies.design import Cell, layouts

LIMIT_S = 120
LIMITS = {"dot": (512, 2**26), "matmul": (8, 4096), "marshal": (8, 2**24)}
SHORT = ("--repeats", "3", "--warmup", "20ms")


def ways(asked):
    return {layout: way for layout, *way in layouts(asked.cores)
            if layout == "serial" or layout in asked.layouts}  # fmt: skip


def cell(asked, kernel, size, layout):
    ranks, threads = ways(asked)[layout]
    options = ("--method", work.METHOD[kernel], "--size", str(size), *SHORT)
    policy = () if asked.wait == "default" else (("OMP_WAIT_POLICY", asked.wait),)
    return Cell(layout, ranks, threads, kernel, str(size), options, environment=policy)


def cells(asked, place):
    if asked.cores == 1:
        raise ValueError("one core: nothing can break even on it")
    if asked.launches < 3:
        raise ValueError("--launches: 3 at the least, or there is no interval to decide by")
    return [
        cell(asked, kernel, size, layout)
        for kernel in asked.kernels
        for size in sorted(set(getattr(asked, kernel)))
        for layout in ways(asked)
    ]


def following(asked, plans, ask):
    """Cells at the sizes that would tell most, each with its serial."""
    if len(plans) >= asked.stages:
        return []
    wanted = {}
    for curve in ask("breakeven")["curves"]:
        least, most = LIMITS[curve["kernel"]]
        for size in {size for search in curve["searches"] for size in search["next"]}:
            if least <= size <= most:
                wanted.setdefault((curve["kernel"], size), []).append(curve["layout"])
    had = {cell.name for plan in plans for cell in plan.cells}
    found = []
    for (kernel, size), names in sorted(wanted.items()):
        new = [cell(asked, kernel, size, layout) for layout in names]
        new = [one for one in new if one.name not in had]
        found += [cell(asked, kernel, size, "serial"), *new] if new else []
    return found


def analyses(folder, asked):
    return [("breakeven", [folder, "--json", folder / "breakeven.json"]), work.page(folder)]
