"""Tells how far a study is: one line on a terminal, a line per launch elsewhere."""

import shutil
import sys


def clock(seconds):
    seconds = round(seconds)
    return f"{seconds // 60}:{seconds % 60:02d}"


class Progress:
    """guess_s: what a launch takes as long as none was seen. together: how many run at once."""

    def __init__(self, launches, guess_s, together=1, out=sys.stdout):
        self.left = list(launches)
        self.count = len(self.left)
        self.guess_s = guess_s
        self.together = together
        self.seen = {}  # cell -> seconds of its last launch
        self.out = out
        self.line = out.isatty()

    def eta_s(self):
        mean = sum(self.seen.values()) / len(self.seen) if self.seen else self.guess_s
        return sum(self.seen.get(launch.cell, mean) for launch in self.left) / self.together

    def now(self, launches):
        if self.line:
            more = f" and {len(launches) - 1} beside it" if len(launches) > 1 else ""
            self.show(f"{self.place()} {launches[0].name}{more}  {clock(self.eta_s())} left")

    def ended(self, launch, record):
        place, status = self.place(), record["status"]
        self.left.remove(launch)
        self.seen[launch.cell] = record["seconds"]
        if not self.line:
            took = f"{record['seconds']:.1f} s"
            print(place, launch.name, status, took, f"({clock(self.eta_s())} left)", file=self.out)
            self.out.flush()

    def place(self):
        width = len(str(self.count))
        return f"[{self.count - len(self.left) + 1:{width}}/{self.count}]"

    def show(self, text):
        width = shutil.get_terminal_size().columns - 1
        print("\r" + text[:width].ljust(width), end="", file=self.out, flush=True)

    def say(self, text):
        """A line that stays."""
        if self.line:
            self.show("")
            print("\r", end="", file=self.out)
        print(text, file=self.out, flush=True)

    def close(self):
        if self.line:
            self.show("")
            print("\r", end="", file=self.out, flush=True)
