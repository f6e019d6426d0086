"""compare says where a dot product is not one value, and asks no build that cannot keep its bits."""

import h5py
import numpy as np
import pytest

import cells
import traces
from synthetic import Run, write


def warnings(folder, *launches):
    """Warnings of one group: launches are (value, Run)."""
    found = []
    for i, (value, run) in enumerate(launches):
        path = write(folder / f"{i}.h5", run)
        with h5py.File(path, "a") as file:
            file["results/value"] = np.full(run.repetitions, value)
        found.append(traces.read(path))
    [group] = cells.compare(found, cells.Rules())
    return [text for text in group.warnings if "dot product" in text]


PAIR = Run(layout="openmp", threads=2)


def test_one_value_is_no_news(tmp_path):
    assert warnings(tmp_path, (2.5, Run()), (2.5, PAIR)) == []


def test_a_last_bit_is_an_error(tmp_path):
    [text] = warnings(tmp_path, (2.5, Run()), (np.nextafter(2.5, 3), PAIR))
    assert text.startswith("ERROR") and "0x1.4000000000001p+1 (openmp 1×2)" in text


def test_a_build_that_cannot_is_named_and_not_compared(tmp_path):
    [text] = warnings(tmp_path, (2.5, Run()),
                      (2.6, Run(layout="openmp", threads=2, attrs={"dot_bits": "not kept"})))
    assert text.startswith("openmp 1×2: this build does not keep the bits")


@pytest.mark.parametrize("attrs,errors", [({"scaling": "weak"}, 0), ({"method": "library"}, 0),
                                          ({"scaling": "strong"}, 1)], ids=str)
def test_only_the_same_vector_is_compared(tmp_path, attrs, errors):
    """Weak scaling makes longer vectors; the library promises no bits."""
    found = warnings(tmp_path, (2.5, Run(attrs=attrs)),
                     (5.0, Run(layout="openmp", threads=2, attrs=attrs)))
    assert len(found) == errors
