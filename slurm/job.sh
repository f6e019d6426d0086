# shellcheck shell=bash disable=SC2034 # its variables are for the job scripts
# job.sh: what the jobs of this folder have in common. They source it.
#
# Sets launch and launch_single, how ranks and how one process are started; trace, a name of
# its own for every start of a job; folder, where a study goes and, queued again, goes on.

# shellcheck source=slurm/site.conf
. slurm/site.conf

if [[ ! -x $BINDOT_BUILD/bindot-serial ]]; then
    echo "slurm/job.sh: no drivers in $BINDOT_BUILD: build first, or set BINDOT_BUILD" >&2
    exit 2
fi

# -K ends a job when a rank dies; without it the others wait for the time limit. -c is told
# again because srun (Slurm 22.05 and later) does not inherit it.
launch_single=(srun --mpi=none -K -c "${SLURM_CPUS_PER_TASK:-1}")
case $BINDOT_LAUNCHER in
srun) launch=(srun --mpi=pmix -K -c "${SLURM_CPUS_PER_TASK:-1}") ;;
mpirun) launch=(mpirun --bind-to none) ;;
*)
    echo "slurm/site.conf: BINDOT_LAUNCHER is srun or mpirun, not '$BINDOT_LAUNCHER'" >&2
    exit 2
    ;;
esac

# Workers are pinned by the kit, each to a core of the mask that Slurm gives. OpenMP must not
# do it too: its runtime would bind the first thread before the kit could see that mask.
export OMP_PROC_BIND=false
export OPENBLAS_NUM_THREADS=1 # the kit gives the library its threads itself

# A job that is queued again keeps its number and counts its starts. If the start before
# could not even save what it had (its node died), this one saves it.
mkdir -p results
trace=results/$SLURM_JOB_NAME-$SLURM_JOB_ID
for journal in "$trace"*.h5.part; do
    [[ ! -e $journal ]] || "$BINDOT_BUILD/bindot-serial" recover "$journal" || true
done
trace=$trace${SLURM_RESTART_COUNT:+-$SLURM_RESTART_COUNT}.h5
folder=${BINDOT_OUT:-results/$SLURM_JOB_NAME-$SLURM_JOB_ID}
folder+=${SLURM_ARRAY_TASK_ID:+/$SLURM_ARRAY_TASK_ID}
