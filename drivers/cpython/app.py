"""The order of the day. Imports NumPy only when the library's threads are set."""

import os
import sys
import time

from cpython import options, seat

DONE, FAILED, USAGE, INVALID, STOPPED = range(5)
RANK = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def main(words):
    try:
        p = options.parse(words)
    except options.Usage as error:
        return refuse(str(error))
    if p.help or p.version:
        print("bindot-python " + options.VERSION if p.version
              else options.parser().format_help(), end="\n" * p.version)
        return DONE
    for name in POOLS:  # NumPy's library reads them when it is loaded; children inherit them
        os.environ[name] = str(p.blas_threads)
    before = seat.threads_here()
    import interpreter
    interpreter.ensure("numpy", "h5py")
    p.threads_seen = (before, seat.threads_here())
    return run(p)


def refuse(text):
    """One line, of one rank."""
    if all(os.environ.get(name, "0") == "0" for name in RANK):
        say(text)
    return USAGE


def say(text):
    sys.stderr.write("bindot-python: " + " ".join(str(text).split()) + "\n")


def run(p):
    from cpython import crew, journal, measure, resume
    stop = measure.Stop()
    if p.switch_ns:
        sys.setswitchinterval(p.switch_ns * 1e-9)
    begin = time.monotonic_ns()
    try:
        team = measure.open_crew(p)
    except crew.Absent as error:
        return refuse(str(error))
    except crew.Failure as error:
        refuse(str(error))
        return FAILED
    p.opening_ns = time.monotonic_ns() - begin
    if not getattr(team, "leads", True):
        team.serve()
        return DONE
    try:
        return measured(p, team, stop)
    except resume.Refused as error:
        say(error)
        return USAGE
    except (crew.Failure, journal.Busy, journal.Foreign, measure.Wrong, OSError,
            MemoryError) as error:
        say(reason(error))
        return FAILED
    finally:
        team.close()


def reason(error):
    if isinstance(error, OSError) and error.filename:
        return "%s: %s" % (os.fsdecode(error.filename), error.strerror)
    return str(error) or type(error).__name__


def measured(p, team, stop):
    from cpython import columns, resume, trace
    path = columns.path_of(p, team)
    past = resume.Past(path, columns.work(p, team), columns.place(), p.resume, p.force)
    if past.complete:
        if not p.quiet:
            print(f"{path} is complete")
        return DONE
    stopped = False
    try:
        if past.begun and not p.quiet:
            print(f"{path} goes on after {len(past.repetitions)} repetitions", flush=True)
        past.start(*columns.new_name())
        status = kept(p, team, stop, past, trace.Place(path, p.force or p.resume))
        stopped = status == STOPPED
        return status
    except BaseException:
        stopped = True
        raise
    finally:
        past.close(keep=stopped)


def kept(p, team, stop, past, place):
    """Measures, and makes the trace."""
    from cpython import columns, facts, judge, measure, summary, trace
    try:
        m = measure.run(p, team, stop, past)
        pool = facts.blas_pool()
        seen = columns.look(p, team, m, pool)
        verdict = judge.judge(seen)
        attributes = columns.attributes(p, team, m, seen, verdict, pool, past.segments)
        bits = "; ".join("%d: %s" % row for row in judge.TEXTS.items())
        trace.write(place.temporary, attributes, columns.axes(p, m, seen, past.segments),
                    columns.tables(p, team, m, seen, verdict, past.segments),
                    {"workers/findings": {"bits": bits}})
        place.keep()
    finally:
        place.discard()
    if not p.quiet:
        rates = seen.units.sum(axis=1) / columns.seconds(seen)
        summary.show(p, team, rates, attributes["unit"], verdict, place.path, m.stopped_by)
    if m.signal:
        return STOPPED
    return DONE if verdict.valid or p.allow_invalid else INVALID
