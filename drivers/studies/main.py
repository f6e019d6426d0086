"""A study from its plan to its report."""

import argparse
import fcntl
import importlib
import json
import os
import secrets
import shlex
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from studies import design, launch, manual, run
from studies.account import FAILED, UNFINISHED, account
from studies.progress import Progress, clock
from studies.words import near, several

ROOT = Path(__file__).resolve().parents[2]
USAGE = 2
COMMON = {"cores": "N", "seed": "S"}  # options of every study that are part of its question


def refuse(text):
    print(f"drivers/study: {text}", file=sys.stderr)
    sys.exit(USAGE)


# --- the question ----------------------------------------------------------------


def words(line):
    """(what to do, study's module, its options that were given)."""
    end = line.index("--") if "--" in line else len(line)
    line, more = line[:end], line[end + 1 :]
    study = importlib.import_module(f"studies.{line[0]}")
    known = {name: manual.Option(name, kind, "") for name, kind in COMMON.items()}
    known.update(manual.options(study.__doc__))
    parser = argparse.ArgumentParser(prog="drivers/study", add_help=False, allow_abbrev=False)
    parser.add_argument("study")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--run-only", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    for name in known:
        parser.add_argument(f"--{name}")
    read = vars(parser.parse_args(line))
    try:
        given = {
            name: manual.value(option, text)
            for name, option in known.items()
            if (text := read.pop(name)) is not None
        }
    except ValueError as error:
        refuse(error)
    if more:
        given["more"] = tuple(more)
    return SimpleNamespace(**read), study, given


def whole(study, given, place):
    """Every option with its value."""
    options = manual.options(study.__doc__)
    asked = {name: option.default for name, option in options.items()}
    asked.update(cores=place.cores, seed=secrets.randbelow(10**9), more=())
    if "nodes" in asked:
        all_of_them = len(place.hosts)
        several_counts = options["nodes"].kind == "COUNTS"
        asked["nodes"] = design.doubling(all_of_them) if several_counts else all_of_them
    asked.update(given)
    if most_nodes(asked) > len(place.hosts):
        here = several(len(place.hosts), "node")
        refuse(f"--nodes {shown(asked['nodes'])}: there is a total of {here}")
    return asked


def most_nodes(asked):
    nodes = asked.get("nodes", 1)
    return max(nodes) if isinstance(nodes, tuple) else nodes


def new_plan(name, study, given, place):
    asked = whole(study, given, place)
    try:
        cells = study.cells(SimpleNamespace(**asked), place)
    except ValueError as error:
        refuse(error)
    return design.plan(name, asked, place, cells)


def read_plans(name, folder):
    try:
        plans = design.read_all(folder)
    except ValueError as error:
        refuse(error)
    if plans[0].study != name:
        refuse(f"{folder} is a study '{plans[0].study}'")
    return plans


def old_plans(name, folder, given, place):
    """What is there, if it is of the study, the options and the place asked for."""
    plans = read_plans(name, folder)
    plan = plans[0]
    for option, value in given.items():
        if plan.asked.get(option) != value:
            refuse(f"{folder} was planned with another --{option}: {shown(plan.asked.get(option))}")
    if plan.place.cores != place.cores:
        refuse(f"{folder} was planned for {plan.place.cores} cores, here are {place.cores}")
    named = {host for plan in plans for cell in plan.cells for host in cell.hosts}
    if not named <= set(place.hosts) or max(c.nodes for c in plan.cells) > len(place.hosts):
        refuse(f"{folder} was planned for other nodes: {shown(plan.place.hosts)}")
    return plans


def shown(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


# --- the launches ----------------------------------------------------------------


class Unanswered(Exception):
    """The results could not be asked for a next stage."""


class Session:
    """A study in its folder. Whatever it runs, it raises Stopped if a signal came."""

    def __init__(self, study, plans, folder, site, watch):
        self.study, self.plans, self.folder, self.site = study, plans, near(folder), site
        self.watch = watch
        self.build = near(Path(os.environ.get("BINDOT_BUILD") or ROOT / "build"))
        self.asked = SimpleNamespace(**plans[0].asked)
        self.together = plans[0].asked.get("together", 1)

    def command(self, turn):
        trace = run.trace_of(turn, self.folder)
        return launch.command(
            turn, site=self.site, build=self.build, trace=trace, study=self.plans[0].study
        )

    def missing(self, plan):
        return design.missing(plan, run.done(plan, self.folder))

    def head(self, plan):
        size = f"{several(len(plan.cells), 'cell')} x {several(plan.asked['launches'], 'launch')}"
        nodes = most_nodes(plan.asked)
        where = several(plan.asked["cores"], "core") + (f" of {nodes} nodes" if nodes > 1 else "")
        stage = f", stage {plan.stage}" if plan.stage > 1 else ""
        return (f"{plan.study}{stage}: {size} on {where}, seed {plan.asked['seed']}, "
                f"{len(self.missing(plan))} to run")  # fmt: skip

    def run(self, plan):
        todo = self.missing(plan)
        progress = Progress(todo, guess_s=1.3, together=self.together)
        for turns in design.batches(todo, self.together):
            if self.watch.stopped:
                break
            progress.now(turns)
            records = run.several(turns, self.command, self.folder, self.study.LIMIT_S, self.watch)
            for turn, record in zip(turns, records):
                if record["status"] == "failed":
                    progress.say(f"FAILED {turn.name}: {run.reason(turn, self.folder)}")
                progress.ended(turn, record)
        progress.close()
        self.watch.check()

    def go_on(self):
        """Adds the next stage to the plans, if the results ask for one."""
        if any(self.missing(plan) for plan in self.plans):
            return
        following = getattr(self.study, "following", None)
        cells = following(self.asked, self.plans, self.ask) if following else []
        if not cells:
            design.settle(self.plans, self.folder)
            return
        plan = design.next_stage(self.plans, cells)
        design.write(plan, self.folder)
        self.plans.append(plan)

    def script(self, script, *arguments):
        return [sys.executable, str(near(ROOT / "analysis" / f"{script}.py")), *map(str, arguments)]

    def ask(self, script, *arguments):
        """What an analysis script says of the folder so far, as its JSON."""
        command = self.script(script, self.folder, *arguments, "--json", "-")
        with tempfile.TemporaryFile() as out:
            status = run.to_its_end(command, self.watch, out)
            if status:
                raise Unanswered(failure(command, status))
            out.seek(0)
            return json.load(out)

    def analyse(self):
        """Shows what came out. Returns whether every script of the study could."""
        well = True
        for name, arguments in self.study.analyses(self.folder, self.asked):
            command = self.script(name, *arguments)
            sys.stdout.flush()
            status = run.to_its_end(command, self.watch)
            if status:
                print(failure(command, status), file=sys.stderr)
                well = False
        return well

    def is_open(self):
        """All has run, but its results were not asked whether more has to."""
        all_ran = not any(self.missing(plan) for plan in self.plans)
        asks = hasattr(self.study, "following")
        return all_ran and asks and not design.is_settled(self.plans, self.folder)

    def has_results(self):
        return any(run.done(plan, self.folder) for plan in self.plans)

    def present(self):
        """analyse, and where the page is."""
        well = self.analyse()
        page = self.folder / "report.html"
        if page.exists():
            print(f"report: {page}")
        return well

    def stages(self):
        """Runs what is missing, stage by stage."""
        at = 0
        while at < len(self.plans):
            plan = self.plans[at]
            print(f"{self.head(plan)}, into {self.folder}/", flush=True)
            if self.missing(plan):
                self.run(plan)
            at += 1
            if at == len(self.plans):
                self.go_on()


def failure(command, status):
    return f"drivers/study: {shlex.join(command[1:])} ended with exit status {status}"


def own(folder):
    """Two studies at once would disturb each other, in one folder even more."""
    lock = open(folder / ".lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        refuse(f"{folder} is being run by another process")
    except OSError:
        pass  # not every file system has locks; where there are none, take the risk
    return lock


def rehearse(session):
    """What would be run."""
    try:
        for plan in session.plans:
            print("#", session.head(plan))
            for turn in session.missing(plan):
                print(shlex.join(session.command(turn)))
        if hasattr(session.study, "following"):
            print("# and what the results then ask for")
    except BrokenPipeError:  # | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def perform(session, show):
    """Runs, tells and, if `show`, analyses; returns the exit status."""
    begin = time.monotonic()
    name, folder = session.plans[0].study, session.folder
    try:
        session.stages()
        print(f"ran in {clock(time.monotonic() - begin)}: ", end="")
        status = account(session.plans, folder)
        shown_well = not show or not session.has_results() or session.present()
    except run.Stopped as stopped:
        plan = session.plans[-1]
        left = len(session.missing(plan))
        print(f"stopped by {stopped}, {left} of {len(plan.order)} to run")
        print(f"to go on: drivers/study {name} --resume {folder}")
        return UNFINISHED
    except Unanswered as why:
        print(why, file=sys.stderr)
        return FAILED
    if status == FAILED:
        print(f"failed launches are run again by: drivers/study {name} --resume {folder}")
    return status if shown_well else FAILED


def report(name, study, folder, watch):
    """Tells and shows what studies hold that have run, or were to run, in the folders of a
    folder; returns the worst exit status."""
    sessions = [
        Session(study, read_plans(name, part), part, None, watch)
        for part in sorted(path.parent for path in folder.rglob(design.PLAN))
    ]
    statuses = set()
    for session in sessions:
        print(f"{session.folder}: ", end="")
        statuses.add(account(session.plans, session.folder))
        if session.is_open():
            print("  whether a further stage is needed was not found out yet")
            statuses.add(UNFINISHED)
    whole = sessions[0]
    if len(sessions) > 1:
        whole = Session(study, whole.plans, folder, None, watch)
    try:
        if any(session.has_results() for session in sessions) and not whole.present():
            statuses.add(FAILED)
    except run.Stopped as stopped:
        print(f"stopped by {stopped}")
        statuses.add(UNFINISHED)
    return next((s for s in (FAILED, UNFINISHED) if s in statuses), max(statuses))


def main(line):
    todo, study, given = words(line)
    if todo.report:
        with run.Watch() as watch:
            return report(todo.study, study, todo.report, watch)
    try:
        site = launch.look()
    except launch.NoLauncher as error:
        refuse(error)
    begun = todo.out is not None and (todo.out / design.PLAN).exists()
    if begun:
        plans = old_plans(todo.study, todo.out, given, site.place)
    else:
        plans = [new_plan(todo.study, study, given, site.place)]
    folder = todo.out or ROOT / "results" / time.strftime(f"{todo.study}-%Y%m%d-%H%M%S")
    with run.Watch() as watch:
        session = Session(study, plans, folder, site, watch)
        if todo.dry_run:
            return rehearse(session)
        session.folder.mkdir(parents=True, exist_ok=True)
        with own(session.folder):
            if not begun:
                design.write(plans[0], session.folder)
            (session.folder / "logs").mkdir(exist_ok=True)
            return perform(session, not todo.run_only)
