"""A study from its plan to its report. Started by drivers/study, which has read and
checked the command line and has built the drivers."""

import argparse
import collections
import fcntl
import importlib
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import design
import launch as launching
import run
from progress import Progress, clock

ROOT = Path(__file__).resolve().parents[2]
FAILED, USAGE, INVALID, STOPPED = 1, 2, 3, 4


def words():
    line = argparse.ArgumentParser(prog="drivers/study", add_help=False)
    line.add_argument("study")
    line.add_argument("--launches", type=int)
    line.add_argument("--cores", type=int)
    line.add_argument("--seed", type=int)
    line.add_argument("--kernels", type=lambda text: text.replace(",", " ").split())
    line.add_argument("--out", type=Path)
    line.add_argument("--dry-run", action="store_true")
    return line.parse_args()


def refuse(text):
    print(f"drivers/study: {text}", file=sys.stderr)
    sys.exit(USAGE)


def near(path):
    """As one would type it from here."""
    there = os.path.relpath(path)
    return Path(path) if there.startswith("..") else Path(there)


def new_plan(study, asked, machine):
    cores = asked.cores or machine
    kernels = [kernel for kernel in study.KERNELS if kernel in (asked.kernels or study.KERNELS)]
    return design.plan(
        asked.study,
        study.cells(cores, kernels),
        launches=asked.launches or study.LAUNCHES,
        seed=secrets.randbelow(10**9) if asked.seed is None else asked.seed,
        cores=cores,
        machine=machine,
        kernels=kernels,
    )


def old_plan(asked, machine):
    """The plan that is there, if it is of the study, the options and the machine asked for."""
    try:
        plan = design.read(asked.out)
    except ValueError as error:
        refuse(error)
    if plan.study != asked.study:
        refuse(f"{asked.out} is a study '{plan.study}'")
    for name, planned in plan.question.items():
        given = getattr(asked, name)
        if given is not None and sorted_if_list(given) != sorted_if_list(planned):
            refuse(f"{asked.out} was planned with another --{name}: {planned}")
    if plan.machine != machine:
        refuse(f"{asked.out} was planned for {plan.machine} cores, here are {machine}")
    return plan


def sorted_if_list(value):
    return sorted(set(value)) if isinstance(value, (list, tuple)) else value


def own(folder):
    """Two studies at once would disturb each other, in one folder even more."""
    lock = open(folder / ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        refuse(f"{folder} is being run by another process")
    return lock


def several(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("h") else "s")


def run_all(plan, folder, command_of, limit_s):
    """Returns the signal that stopped it, or None."""
    todo = design.missing(plan, run.done(plan, folder))
    progress = Progress(todo, guess_s=1.3)
    with run.Watch() as watch:
        for launch in todo:
            if watch.stopped:
                break
            progress.now(launch)
            record = run.one(launch, command_of(launch), folder, limit_s, watch)
            if record["status"] == "failed":
                progress.say(f"FAILED {launch.name}: {run.reason(launch, folder)}")
            progress.ended(launch, record)
    progress.close()
    return watch.stopped


def kind(reason):
    """Without the counts in parentheses, which differ from launch to launch."""
    return re.sub(r" \([^()]*\)", "", reason)


def account(plan, folder):
    """Says what became of the launches; returns the exit status that this deserves."""
    last = run.records(folder)
    by = collections.defaultdict(list)
    for launch in plan.order:
        by[last[launch.name]["status"]].append(launch)
    text = f"{several(len(by['done']), 'valid launch')} of {len(plan.order)}"
    for status, words in (("invalid", "marked INVALID"), ("failed", "failed")):
        if by[status]:
            text += f", {len(by[status])} {words}"
    print(text)
    for status, word in (("invalid", "INVALID"), ("failed", "failed")):
        reasons = collections.Counter(kind(run.reason(launch, folder)) for launch in by[status])
        for reason, times in reasons.most_common(5):
            print(f"  {times} {word}: {reason}")
    for launch in by["failed"][:10]:
        print(f"  FAILED {launch.name}: see {near(run.log_of(launch, folder))}")
    if by["failed"]:
        return FAILED
    empty = set(plan.cells) - {launch.cell for launch in by["done"]}
    return INVALID if empty else 0


def analyse(study, folder):
    """Shows what came out. Returns whether every script of the study could."""
    well = True
    for script, arguments in study.analyses(folder):
        command = [sys.executable, ROOT / "analysis" / f"{script}.py", *arguments]
        sys.stdout.flush()
        status = subprocess.run(command).returncode
        if status:
            shown = shlex.join(str(near(word)) for word in command[1:])
            print(f"drivers/study: {shown} ended with exit status {status}", file=sys.stderr)
            well = False
    return well


def main():
    asked = words()
    study = importlib.import_module(asked.study)
    try:
        launcher = launching.choose()
        usable = launching.usable_cores(launcher)
    except launching.NoLauncher as error:
        refuse(error)

    begun = asked.out is not None and (asked.out / design.PLAN).exists()
    plan = old_plan(asked, len(usable)) if begun else new_plan(study, asked, len(usable))
    folder = asked.out or ROOT / "results" / time.strftime(f"{asked.study}-%Y%m%d-%H%M%S")
    folder = near(folder)
    build = near(Path(os.environ.get("BINDOT_BUILD") or ROOT / "build"))

    def command_of(launch):
        trace = run.trace_of(launch, folder)
        return launching.command(
            launch, launcher=launcher, usable=usable, build=build, trace=trace, study=plan.study
        )

    left = len(design.missing(plan, run.done(plan, folder)))
    size = f"{several(len(plan.cells), 'cell')} x {several(plan.launches, 'launch')}"
    head = f"{plan.study}: {size} on {several(plan.cores, 'core')}, seed {plan.seed}, {left} to run"
    if asked.dry_run:
        print("#", head)
        for launch in design.missing(plan, run.done(plan, folder)):
            print(shlex.join(command_of(launch)))
        return 0

    folder.mkdir(parents=True, exist_ok=True)
    lock = own(folder)
    if not begun:
        design.write(plan, folder)
    (folder / "logs").mkdir(exist_ok=True)
    print(f"{head}, into {folder}/", flush=True)

    begin = time.monotonic()
    stopped = run_all(plan, folder, command_of, study.LIMIT_S)
    if stopped:
        left = len(design.missing(plan, run.done(plan, folder)))
        print(f"stopped by {signal.Signals(stopped).name}, {left} of {len(plan.order)} to run")
        print(f"to go on: drivers/study {plan.study} --resume {folder}")
        return STOPPED
    print(f"ran in {clock(time.monotonic() - begin)}: ", end="")
    status = account(plan, folder)
    shown = not run.done(plan, folder) or analyse(study, folder)
    if status == FAILED:
        print(f"failed launches are run again by: drivers/study {plan.study} --resume {folder}")
    report = folder / "report.html"
    if report.exists():
        print(f"report: {report}")
    if not shown:
        status = FAILED
    lock.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
