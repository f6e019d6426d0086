"""Is the trace of a run that was resumed the one that an undisturbed run makes?"""

import h5py
import numpy as np

GROWING = {"knot", "detour", "segment"}  # as many as there were events
MAY_DIFFER = {"run_id", "created", "valid", "invalid_reasons", "warnings", "iterations", "looked_at_every"}
EXACT = ("results/value", "results/checksum")  # to the bit, in every repetition


def shape(file):
    """{table: (type, lengths of its axes)}; events: any number."""
    found = {}

    def visit(name, table):
        if isinstance(table, h5py.Dataset) and name not in GROWING:
            axes = [next(iter(axis.keys()), "") for axis in table.dims]
            found[name] = table.dtype.str, [(axis, axis in GROWING or n) for axis, n in zip(axes, table.shape)]

    file.visititems(visit)
    return found


def labels(file):
    return {key: value for key, value in file.attrs.items() if key not in MAY_DIFFER}


def differences(path, whole, kept, given):
    """What is not the same, in words. kept: rates of before it was resumed; given: iterations were."""
    found = []
    with h5py.File(path, "r") as file, h5py.File(whole, "r") as other:
        mine, theirs = labels(file), labels(other)
        found += [f"label {key}" for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key)]
        mine, theirs = shape(file), shape(other)
        found += [f"table {name}" for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)]
        exact = [name for name in (*EXACT, *["units"] * (given and "counts" not in file)) if name in file]
        found += [f"bits of {name}" for name in exact if file[name][()].tobytes() != other[name][()].tobytes()]
        return found + alone(file, kept)


def alone(file, kept):
    """The same, of what the trace tells by itself."""
    segments = [file[f"segments/first_{name}_index"][:] for name in ("repetition", "knot")]
    ends = [*segments[0][1:], len(file["repetition"])]
    told = {
        "repetitions of before": np.array_equal(file["results/rate"][: len(kept)], kept),
        "first segment": segments[0][0] == segments[1][0] == 0,
        "order of knots": (np.diff(segments[1]) > 0).all(),
        "order of starts": all((np.diff(file["start_ns"][first:end, 0]) > 0).all()
                               for first, end in zip(segments[0], ends)),
        "names of segments": len(set(file["segments/run_id"][:])) == len(segments[0])
        and file["segments/run_id"][0] == file.attrs["run_id"],
    }  # fmt: skip
    if "counts" in file:
        told["counts"] = np.array_equal(file["counts"][:].sum(axis=2), file["units"][:])
        told["order of detours"] = (np.diff(file["detours/repetition_index"][:]) >= 0).all()
    else:
        told["units"] = (file["units"][:] == file["units"][0]).all()
    return [what for what, well in told.items() if not well]
