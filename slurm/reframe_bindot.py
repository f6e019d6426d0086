"""bindot under ReFrame (4.x): is every layout valid on this system, and how fast is it?

    reframe -c slurm/reframe_bindot.py -r                     builds the kit, runs, checks
    reframe -c slurm/reframe_bindot.py -r -n 'bindot_run.*dot'
    reframe -c slurm/reframe_bindot.py -r -S bindot_run.cores=64

A run that failed or was found INVALID fails its test, and the reason stands in the job's output.
Rates are logged as performance variables; give `reference` values for your system to be told
when they fall. The system's own launcher starts mpi and hybrid (see your site's configuration).
"""

import os

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import (fixture, parameter, performance_function, run_before,
                                   sanity_function, variable)

KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What the job prints and writes, and what is read of it; tests/test_frameworks.py runs the
# one and reads the other; ReFrame itself is in no Debian package, so it did not run this file.
OPTIONS = ["--repeats", "5", "-o", "run.h5"]
AFTER = ['echo "exit status: $?"', "{kit}/analysis/compare.py --csv cells.csv run.h5"]
DONE = r"^exit status: 0$"
INVALID = r"^  INVALID: (.*)$"
RATE = r",1,rate,[^,]+,([^,]+),"
PARALLEL = r",1,parallel_efficiency,,([^,]+),"


class bindot_build(rfm.CompileOnlyRegressionTest):
    """The kit, in the stage directory; compilers, MPI, HDF5 and OpenBLAS are the environment's."""

    descr = "bindot, all drivers"
    sourcesdir = None
    build_system = "CustomBuild"

    @run_before("compile")
    def commands(self):
        self.build_system.commands = [f"cmake -S {KIT} -B build", "cmake --build build -j 8"]

    @sanity_function
    def built(self):
        return sn.path_exists(os.path.join(self.stagedir, "build", "bindot-serial"))


@rfm.simple_test
class bindot_run(rfm.RunOnlyRegressionTest):
    """One kernel under one layout. cores: of the node, to be filled by mpi, openmp and hybrid."""

    descr = "bindot: one kernel under one layout"
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    kernel = parameter(["binning", "dot", "matmul"])
    layout = parameter(["serial", "openmp", "mpi", "hybrid"])
    cores = variable(int, value=2)
    use_multithreading = False  # cores are counted, not hardware threads
    kit = fixture(bindot_build, scope="environment")

    @run_before("run")
    def command(self):
        ranks, threads = {
            "serial": (1, 1), "openmp": (1, self.cores), "mpi": (self.cores, 1),
            "hybrid": (max(self.cores // 2, 1), self.cores // max(self.cores // 2, 1)),
        }[self.layout]  # fmt: skip
        self.num_tasks, self.num_cpus_per_task = ranks, threads
        self.env_vars = {"OMP_PROC_BIND": "false", "OMP_NUM_THREADS": threads}
        self.executable = os.path.join(self.kit.stagedir, "build", f"bindot-{self.layout}")
        self.executable_opts = [self.kernel, *OPTIONS]
        self.postrun_cmds = [line.format(kit=KIT) for line in AFTER]

    @sanity_function
    def valid(self):
        return sn.all([
            sn.assert_not_found(INVALID, self.stdout, "INVALID: its rate must not be compared"),
            sn.assert_found(DONE, self.stdout, "the run failed"),
        ])

    @performance_function("units/s")
    def rate(self):
        return sn.extractsingle(RATE, "cells.csv", 1, float)

    @performance_function("of 1")
    def parallel_efficiency(self):
        return sn.extractsingle(PARALLEL, "cells.csv", 1, float)
