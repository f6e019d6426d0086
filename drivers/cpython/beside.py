"""Threads of the lead's process that compute while the workers wait."""

import threading


class Beside:
    """While open, `number` threads count, and want the interpreter's lock all the time."""

    def __init__(self, number):
        self.over = False
        self.threads = [threading.Thread(target=self.count) for _ in range(number)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        for thread in self.threads:
            thread.join()

    def count(self):
        n = 0
        while not self.over:
            n += 1
