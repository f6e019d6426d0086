"""Who works together: one class for each way of putting Python to work.

A crew knows tasks and workers, not kernels. run(tasks) gives what each worker saw, in the order of
the tasks. LEAD_NS: from agreeing on a start to the start; a task must have arrived by then.
"""

import asyncio
import concurrent.futures
import importlib
import os
import signal
import threading
import traceback

from cpython import work


class Absent(Exception):
    """A package that the way needs cannot be imported. Its text names it."""


class Failure(Exception):
    """A worker did not come back. Its text says which, and how it ended."""


def quiet():
    """In a spawned process: the lead alone hears the terminal."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Crew:
    processes = False  # a worker is a process
    lasts = False  # ... that lives on between repetitions, so its CPU time is not yet the lead's
    ranks = 1  # processes that it has
    lead_ns = 1_000_000
    settles = False  # a pool decides itself who takes what: warm it up until all are there

    def __init__(self, workers):
        self.workers = workers

    def run(self, tasks):
        return [work.run(task) for task in tasks]

    def close(self):
        pass


class Single(Crew):
    processes = True  # the one worker is the process: its library's threads are its own


class SerialLoop(Crew):
    """One after the other, each with its own start: there is nothing parallel here."""


class Threads(Crew):
    """Fresh threads in every repetition."""

    def __init__(self, workers):
        super().__init__(workers)
        self.lead_ns = 2_000_000 + 300_000 * workers

    def run(self, tasks):
        found = [None] * len(tasks)

        def one(i, task):
            try:
                found[i] = work.run(task)
            except BaseException as error:  # noqa: B902 - told by the lead
                found[i] = error

        threads = [threading.Thread(target=one, args=pair) for pair in enumerate(tasks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, one_found in enumerate(found):
            if isinstance(one_found, BaseException):
                raise Failure(f"worker {i} failed: {one_found!r}")
        return found


class Processes(Crew):
    """Processes that live as long as the run and take their tasks from a pipe."""

    processes = lasts = True

    def __init__(self, workers):
        super().__init__(workers)
        self.ranks = workers
        self.lead_ns = 3_000_000 + 500_000 * workers
        context = spawning()
        self.members = []
        for _ in range(workers):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self.members.append((process, ours))
        for i in range(workers):
            self.hear(i)  # it has its modules

    def hear(self, i):
        process, pipe = self.members[i]
        try:
            answer = pipe.recv()
        except (EOFError, OSError):
            process.join(5)
            raise Failure(f"worker {i} died (exit status {process.exitcode})") from None
        if isinstance(answer, BaseException):
            raise Failure(f"worker {i} failed: {answer!r}")
        return answer

    def run(self, tasks):
        for i, task in enumerate(tasks):
            try:
                self.members[i][1].send(task)
            except OSError:
                self.hear(i)
        return [self.hear(i) for i in range(len(tasks))]

    def close(self):
        for _, pipe in self.members:
            pipe.close()
        for process, _ in self.members:
            process.join(5)
            if process.exitcode is None:
                process.kill()


def serve(pipe):
    """The life of a process: ends when the lead closes the pipe, or dies."""
    quiet()
    pipe.send("here")
    while True:
        try:
            task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(work.run(task))
        except Exception as error:  # noqa: B902 - the lead tells it
            pipe.send(Failure(repr(error)))


class FreshPool(Crew):
    """A new Pool and one starmap in every repetition: how the training text does it."""

    processes = True

    def __init__(self, workers):
        super().__init__(workers)
        self.ranks = workers
        spawning()

    def run(self, tasks):
        with spawning().Pool(self.workers, quiet) as pool:
            return pool.starmap(work.run, [(task,) for task in tasks])


class Futures(Crew):
    settles = True

    def __init__(self, workers):
        super().__init__(workers)
        self.lead_ns = 10_000_000 + 1_000_000 * workers
        self.pool = self.make(workers)

    def run(self, tasks):
        futures = [self.pool.submit(work.run, task) for task in tasks]
        try:
            return [future.result() for future in futures]
        except concurrent.futures.BrokenExecutor:
            raise Failure("a worker of the pool died") from None

    def close(self):
        self.pool.shutdown()


class FuturesThreads(Futures):
    def make(self, workers):
        return concurrent.futures.ThreadPoolExecutor(workers)


class FuturesProcesses(Futures):
    processes = lasts = True

    def make(self, workers):
        self.ranks = workers
        return concurrent.futures.ProcessPoolExecutor(workers, spawning(), quiet)


class Asyncio(Crew):
    """One thread; the tasks only wait, so they may all wait at once."""

    def run(self, tasks):
        async def together():
            return list(await asyncio.gather(*map(work.run_async, tasks)))
        return asyncio.run(together())


class Joblib(Crew):
    processes = settles = lasts = True

    def __init__(self, workers):
        super().__init__(workers)
        self.ranks = workers
        self.lead_ns = 100_000_000 + 5_000_000 * workers
        joblib = package("joblib", "joblib")
        self.delayed = joblib.delayed
        self.pool = joblib.Parallel(n_jobs=workers, backend="loky", batch_size=1,
                                    pre_dispatch="all")

    def run(self, tasks):
        return self.pool(self.delayed(work.run)(task) for task in tasks)


class Dask(FuturesProcesses):
    """Its own choice of batches would give all tasks to one process: chunksize 1."""

    def __init__(self, workers):
        package("dask", "dask")
        self.delayed = package("dask.delayed", "dask").delayed
        self.get = package("dask.multiprocessing", "dask").get
        super().__init__(workers)
        self.lead_ns = 100_000_000 + 5_000_000 * workers

    def run(self, tasks):
        lazy = [self.delayed(work.run, traverse=False)(task) for task in tasks]
        return list(self.delayed(list)(lazy).compute(scheduler=self.get, pool=self.pool,
                                                     num_workers=self.workers, chunksize=1))


class Mpi(Crew):
    """A worker in each rank. Rank 0 leads; the others serve until it closes."""

    processes = lasts = True

    def __init__(self, _=None):
        self.comm = package("mpi4py.MPI", "mpi4py").COMM_WORLD
        super().__init__(self.comm.Get_size())
        self.ranks = self.workers
        self.leads = self.comm.Get_rank() == 0
        self.lead_ns = 3_000_000 + 500_000 * self.workers
        if len(set(self.comm.allgather(os.uname().nodename))) > 1:
            raise Failure("--way mpi4py: one node only, clocks of several are not compared here; "
                          "the C drivers do that")

    def run(self, tasks):
        return self.comm.gather(work.run(self.comm.scatter(tasks)))

    def serve(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        try:
            while (task := self.comm.scatter(None)) is not None:
                self.comm.gather(work.run(task))
        except Exception:  # the others would wait for ever
            traceback.print_exc()
            self.comm.Abort(1)

    def close(self):
        if self.leads:
            self.comm.scatter([None] * self.workers)


CREWS = {"single": Single, "threading": Threads, "multiprocessing": Processes,
         "processes": Processes, "futures-threads": FuturesThreads,
         "futures-processes": FuturesProcesses, "asyncio": Asyncio, "joblib": Joblib,
         "dask": Dask, "mpi4py": Mpi, "serial-loop": SerialLoop}


def open_crew(way, start, workers):
    """Raises Absent."""
    if way == "multiprocessing" and start == "own":
        return FreshPool(workers)
    return CREWS[way](workers)


def package(module, name):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Absent(f"--way {name} needs the Python package {name}, which cannot be imported "
                     f"here ({error}); pip install {name}") from None


def spawning():
    """multiprocessing's fresh interpreters; a Python without it still has threads."""
    try:
        return importlib.import_module("multiprocessing").get_context("spawn")
    except ImportError as error:
        raise Absent("workers that are processes need Python's multiprocessing, which cannot be "
                     f"imported here ({error})") from None
