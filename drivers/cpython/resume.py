"""A run that goes on where one of the same name was stopped: is it the same work, and what is
there of it already?
"""

import os

import h5py

from cpython import facts, journal
from cpython.task import Seen

TUPLES = ("looked", "usage", "cpu", "allowed", "wakes")


class Refused(Exception):
    """It was another run. Its text says what differs."""


class Past:
    """begun: something was there; complete: nothing is missing; segments: of its starts.

    work: attributes that a trace has too; place: what else must not differ
    """

    def __init__(self, path, work, place, resume, force):
        self.path, self.work, self.place = path, work, place
        self.begun = self.complete = False
        self.journal, self.segments, self.repetitions, self.iterations = None, [], [], 0
        self.finished = 0
        part = path + ".part"
        if not resume and not force and os.path.lexists(part):
            raise FileExistsError(None, "exists, the journal of a run that did not end well "
                                        "(--resume goes on with it, --force replaces it)", part)
        if resume and os.path.lexists(path) and not os.path.lexists(part):
            self.look_at_trace()
            return
        self.journal = journal.Journal(part, fresh=not resume)
        try:
            self.take(self.journal.found)
        except Refused:
            self.journal.close(keep=True)
            raise

    def look_at_trace(self):
        """There is no journal beside a trace that is complete."""
        with h5py.File(self.path, "r") as file:
            before = {name: plain(value) for name, value in file.attrs.items()}
            labels = dict(file["labels"].attrs) if "labels" in file else {}
        status = before.get("status")
        before = {name: value for name, value in before.items() if name in self.work}
        before.update({f"labels/{name}": plain(value) for name, value in labels.items()})
        self.compare(before, self.work)
        if status != "complete":
            raise Refused(f"{self.path} was stopped, and its journal {self.path}.part is gone: "
                          "--force begins anew")
        self.complete = True

    def take(self, found):
        """What the journal holds; of other work: Refused."""
        if not any("seen" in record for record in found):
            self.journal.clear()
            return
        for record in found:
            if "work" in record:
                self.compare(record["work"], {**self.work, **self.place})
            elif "segment" in record:
                self.segments.append({**record["segment"], "first": len(self.repetitions)})
            elif "iterations" in record:
                self.iterations = record["iterations"]
            else:
                self.repetitions.append(record)
        self.begun, self.finished = True, len(self.repetitions)

    def compare(self, before, now):
        for name in [*before, *now]:
            one, other = before.get(name), now.get(name)
            if one != other:
                raise Refused(f"--resume: {self.path} was begun with {name} {told(one)}, "
                              f"and now it is {told(other)}")

    def start(self, run_id, created):
        """A new start, with what is known of it before anything is measured."""
        segment = {"run_id": run_id, "created": created,
                   "boot_id": facts.first_line("/proc/sys/kernel/random/boot_id")}
        if not self.segments:
            self.journal.append({"work": {**self.work, **self.place}})
        self.journal.append({"segment": segment})
        self.segments.append({**segment, "first": len(self.repetitions)})

    def restore(self, m):
        """Finished repetitions, into a measure.Measured."""
        for record in self.repetitions:
            m.seen.append([decoded(seen) for seen in record["seen"]])
            m.wall_ns.append(record["wall_ns"])
            m.node.append(tuple(record["node"]))
            m.ours_ns.append(record["ours_ns"])
            m.look_ns.append(record["look_ns"])
            m.found.append(record["found"])

    def keep(self, m):
        """The newest repetition of a measure.Measured."""
        if len(m.seen) == 1:
            self.journal.append({"iterations": m.iterations})
        self.journal.append({"seen": [s._asdict() for s in m.seen[-1]], "wall_ns": m.wall_ns[-1],
                             "node": m.node[-1], "ours_ns": m.ours_ns[-1],
                             "look_ns": m.look_ns[-1], "found": m.found[-1]})
        self.finished += 1

    def close(self, keep):
        if self.journal:
            self.journal.close(keep and self.finished > 0)
            self.journal = None


def decoded(values):
    """A task.Seen of what JSON made of it."""
    values = {**values, **{name: tuple(values[name]) for name in TUPLES}}
    return Seen(**{**values, "detours": tuple(map(tuple, values["detours"]))})


def plain(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else (
        value.item() if hasattr(value, "item") else value)


def told(value):
    return "not there" if value is None else repr(value)
