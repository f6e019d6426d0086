"""Known faults on purpose, in the words of the C drivers (inject.h), so that what finds them can
be proven. Standard library only, and the syntax of Python 3.6, as options.py."""

import re
from collections import namedtuple

# text: as typed; slow: work takes so much longer, a share; same_core: all workers on one CPU;
# wrong: the worker one of whose elements is wrong, or -1
Fault = namedtuple("Fault", "text slow same_core wrong")
NONE = Fault("", 0.0, False, -1)
CHECKED = ("dot", "matmul", "marshal")  # kernels whose results are
SPEC = re.compile(r"slow=(?P<slow>.*)@node0|(?P<same_core>bind=same-core)"
                  r"|wrong=element@worker(?P<wrong>[0-9]{1,4})")
CLOCK = "there is one node, with one clock"
OF_C = {"steal": "a thief's thread would be under the interpreter's lock",
        "kill": "the workers are no ranks", "skew": CLOCK, "drift": CLOCK, "nodes": CLOCK}


def parse(text, share):
    """A Fault. share: reads "5%". Raises ValueError with what is wrong, in words."""
    found = NONE._replace(text=text)
    for word in text.split(","):
        match = SPEC.match(word)
        if match is None or match.end() != len(word):
            refuse(word)
        if match.group("slow") is not None:
            found = found._replace(slow=share(match.group("slow")))
        elif match.group("same_core"):
            found = found._replace(same_core=True)
        else:
            found = found._replace(wrong=int(match.group("wrong")))
    return found


def refuse(word):
    name = word.partition("=")[0]
    if name in OF_C:
        raise ValueError("%s is for the C drivers: here %s" % (name, OF_C[name]))
    raise ValueError("takes slow=5%%@node0, bind=same-core or wrong=element@worker1, not '%s'"
                     % word)


def check(fault, kernel, workers):
    """Raises ValueError for what this run has not."""
    if fault.slow and kernel == "binning":
        raise ValueError("slow: a window of binning is as long as --bins x --width say")
    if fault.wrong >= 0 and kernel not in CHECKED:
        raise ValueError("wrong: nothing checks the results of %s" % kernel)
    if fault.wrong >= workers:
        raise ValueError("wrong: there are workers 0 to %d" % (workers - 1))
