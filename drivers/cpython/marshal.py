"""Summing doubles that lie in an array, or as Python's objects in a list."""

import numpy as np

from cpython.clock import now_ns
from cpython.compute import kept, stamps


def loop(collection):
    result = 0
    for number in collection:
        result += number
    return result


def convert_once(array):
    return loop(array.tolist())


def shuffled(array):
    """The same list of the same numbers, but its objects were made in another order: neighbours
    in it are no neighbours in memory, as in a list that has lived.
    """
    order = np.random.default_rng(2).permutation(len(array))
    objects = [None] * len(array)
    for i, value in zip(order.tolist(), array[order].tolist()):
        objects[i] = value
    return objects


def records(array):
    """One field of an array of structs of 64 bytes."""
    table = np.zeros((len(array), RECORD))
    table[:, 0] = array
    return table[:, 0]


RECORD = 8  # doubles in a struct
METHODS = {  # name: (what is summed, how)
    "array-npsum": (np.asarray, np.sum),
    "array-sum": (np.asarray, sum),
    "array-loop": (np.asarray, loop),
    "list-npsum": (np.ndarray.tolist, np.sum),
    "list-sum": (np.ndarray.tolist, sum),
    "list-loop": (np.ndarray.tolist, loop),
    "memoryview-loop": (memoryview, loop),
    "shuffled-list-npsum": (shuffled, np.sum),
    "shuffled-list-sum": (shuffled, sum),
    "shuffled-list-loop": (shuffled, loop),
    "convert-once-loop": (np.asarray, convert_once),
    "soa-npsum": (np.asarray, np.sum),
    "aos-npsum": (records, np.sum),
}


class Marshal:
    def __init__(self, task):
        self.task = task
        make, self.sum = METHODS[task.method]
        self.expected, self.data = kept(("marshal", task.size, task.method), lambda: self.fill(make))
        self.value = 0.0

    def fill(self, make):
        """Small whole numbers: every order of adding gives the same sum, to the last bit."""
        numbers = np.random.default_rng(1).integers(0, 1000, self.task.size)
        return float(numbers.sum()), make(numbers.astype(float))

    def run(self, _):
        data, total = self.data, self.sum
        start = now_ns()
        for _ in range(self.task.iterations):
            value = total(data)
        end = now_ns()
        self.value = float(value)
        return stamps(start, end, self.task.iterations * self.task.size)

    def spoil(self):
        self.value += 1

    def results(self):
        return {"value": self.value, "expected": self.expected}
