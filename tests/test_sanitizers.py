"""The kit under instruments: sanitizers, race detection and fuzzing, each in a build of its own.

Builds go into checks/ in the build folder and are kept: the second run only builds what changed.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

import kit
from test_checks import needs, run

FUZZ_S = 10  # of each target; a corpus grows in its folder from run to run
RACES = [  # command lines of the OpenMP driver that take every way that threads meet
    ("binning", "--threads", 2),
    ("binning", "--threads", 2, "--storage", "shared"),
    ("binning", "--threads", 2, "--storage", "atomic"),
    ("binning", "--threads", 2, "--sync-every", 10),
    ("binning", "--threads", 3, "--lock", "gil:1ms"),
    ("binning", "--threads", 2, "--inject", "steal=5%@worker1"),
    ("dot", "--threads", 3, "--size", "1e5"),
    ("matmul", "--threads", 2, "--size", 100, "--method", "partition"),
]
SHORT = ("--repeats", 2, "--warmup", "10ms", "--allow-invalid", "--quiet")
SAFE = {  # the first fault ends the program, with a status that nothing else uses
    "ASAN_OPTIONS": "detect_leaks=0:exitcode=66",  # Open MPI keeps memory to its end
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=66",
}
FAULT = 66


def built(name, *options, compiler=None, targets=()):
    """The folder of a build with these CMake options, finished."""
    folder = kit.BUILD / "checks" / name
    env = {**os.environ, **({"CC": compiler} if compiler else {})}
    make = ["cmake", "--build", folder, "--parallel", str(kit.CORES)]
    for command in (["cmake", "-S", kit.SOURCE, "-B", folder, "-DBINDOT_DEV=ON", *options],
                    [*make, *(("--target", *targets) if targets else ())]):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return folder


@pytest.fixture(scope="module")
def guarded():
    """A build in which a bad address or undefined behaviour ends the program."""
    return built("address", "-DBINDOT_TESTS=ON", "-DBINDOT_SANITIZE=address,undefined")


def test_unit_tests_touch_no_bad_memory_and_leak_none(guarded):
    """All C unit tests; leaks are looked for where Open MPI is not linked."""
    leaky = {**SAFE, "ASAN_OPTIONS": "detect_leaks=1:exitcode=66"}
    for which, env in (("-E", leaky), ("-R", SAFE)):
        done = run(["ctest", "--test-dir", guarded, "--no-tests=error", "--output-on-failure", "-j2",
                    which, "_(mpi|hybrid)$"], env)  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:]


def test_drivers_touch_no_bad_memory(guarded, tmp_path):
    """The driver tests once more, against the guarded build. What the guards tell is what counts:
    they take pages and time themselves, so that tests of those may fail here, but most pass."""
    env = {name: f"{words}:log_path={tmp_path}/fault" for name, words in SAFE.items()}
    done = run([os.environ.get("BINDOT_PYTHON", "python3"), "-m", "pytest", "-q",
                "-p", "no:cacheprovider", kit.SOURCE / "tests" / "test_drivers.py"],
               {**env, "BINDOT_BUILD": str(guarded)})  # fmt: skip
    told = "".join(path.read_text() for path in tmp_path.glob("fault.*"))
    assert not told, told[:4000]
    passed, failed = (int((re.search(rf"(\d+) {word}", done.stdout) or [0, 0])[1])
                      for word in ("passed", "failed"))
    assert passed > 100 and passed > 0.9 * (passed + failed), done.stdout[-4000:]


@pytest.mark.parametrize("layout", ["serial", "openmp"])
def test_drivers_leak_no_memory(guarded, layout, tmp_path):
    env = {**SAFE, "ASAN_OPTIONS": "detect_leaks=1:exitcode=66"}
    for kernel in ("binning", "dot", "matmul", "marshal"):
        small = () if kernel == "binning" else ("--size", 200)
        done = run([guarded / f"bindot-{layout}", kernel, *small, *SHORT,
                    "-o", tmp_path / f"{kernel}.h5"], env)  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def watched():
    """A build in which two threads that race for a variable are told of. libomp is the OpenMP
    runtime that the detector understands; libarcher tells it where threads meet."""
    needs("clang")
    archer = Path(run(["clang", "-print-resource-dir"]).stdout.strip()).parents[1] / "libarcher.so"
    if not archer.exists():
        pytest.skip("libomp with libarcher not installed (drivers/setup test)")
    return built("thread", "-DBINDOT_TESTS=ON", "-DBINDOT_SANITIZE=thread", compiler="clang"), {
        "OMP_TOOL_LIBRARIES": str(archer),
        "TSAN_OPTIONS": f"ignore_noninstrumented_modules=1:halt_on_error=1:exitcode={FAULT}"}  # fmt: skip


@pytest.mark.parametrize("words", RACES, ids=lambda words: " ".join(map(str, words)))
def test_threads_do_not_race(watched, words, tmp_path):
    build, env = watched
    done = run([build / "bindot-openmp", *words, *SHORT, "-o", tmp_path / "run.h5"], env)
    assert done.returncode == 0, done.stderr[-4000:]


def test_team_does_not_race(watched):
    build, env = watched
    done = run([build / "tests" / "t2_team_openmp"], env)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def fuzzers():
    needs("clang")
    return built("fuzz", "-DBINDOT_SANITIZE=fuzzer-no-link,address,undefined", compiler="clang",
                 targets=("fuzz_options", "fuzz_journal")) / "tests" / "fuzz"  # fmt: skip


def seeds(folder, target):
    """What fuzzing starts from: a killed run's journal, some good command lines."""
    folder.mkdir(exist_ok=True)
    if target == "fuzz_journal":
        run([kit.BUILD / "tests" / "write_trace", folder / "run.h5", "--force", "--kill", 2,
             "--bins", 8, "--workers", 2])  # fmt: skip
        assert (folder / "run.h5.part").exists()
        return
    lines = ("binning --bins 1e3 --width 50us --inject steal=2%@worker1,kill=after3s@rank1",
             "dot --until-ci 1% --label a=b -o x", "recover run.h5.part --force",
             "binning --lock gil:5ms --storage atomic --unit alu --wait 100us")  # fmt: skip
    for i, line in enumerate(lines):
        (folder / str(i)).write_text(line.replace(" ", "\n"))


@pytest.mark.parametrize("target", ["fuzz_options", "fuzz_journal"])
def test_fuzzing_finds_nothing(fuzzers, target, tmp_path):
    """No input makes the parsers or the recovery do anything but answer."""
    corpus = fuzzers / f"{target}-corpus"
    seeds(corpus, target)
    done = run([fuzzers / target, corpus, f"-max_total_time={FUZZ_S}", "-max_len=8192", "-timeout=20",
                "-print_final_stats=1", f"-artifact_prefix={tmp_path}/"], SAFE)  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    runs = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    assert int(runs[0].split()[-1]) > 1000, "hardly anything was tried"
