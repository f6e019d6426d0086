# shellcheck shell=bash disable=SC2034 # its variables are for the job scripts
# job.sh: what the jobs of this folder have in common. They source it.
#
# Sets launch and launch_single, how ranks and how one process are started; trace, a name of
# its own for every start of a job; folder, where a study goes and, queued again, goes on.
# job_run runs the job's command.

# shellcheck source=slurm/site.conf
. slurm/site.conf

if [[ ! -x $BINDOT_BUILD/bindot-serial ]]; then
    echo "slurm/job.sh: no drivers in $BINDOT_BUILD: build first, or set BINDOT_BUILD" >&2
    exit 2
fi

# -K ends a job when a rank dies; without it the others wait for the time limit. -c is told
# again because srun (Slurm 22.05 and later) does not inherit it. It counts cores, not their
# hardware threads, where the script says nomultithread: srun inherits that.
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
for journal in "$trace".h5.part "$trace"-*.h5.part; do
    [[ ! -e $journal ]] || "$BINDOT_BUILD/bindot-serial" recover "$journal" || true
done
trace=$trace${SLURM_RESTART_COUNT:+-$SLURM_RESTART_COUNT}.h5
folder=${BINDOT_OUT:-results/$SLURM_JOB_NAME-$SLURM_JOB_ID}
folder+=${SLURM_ARRAY_TASK_ID:+/$SLURM_ARRAY_TASK_ID}

# --- a node that dies ---------------------------------------------------------

# The processes on the other nodes notice it within a second and end, Slurm only after some
# minutes (SlurmdTimeout), which is when it would queue the job again: by then the job would
# long have failed. So it asks for that itself.
readonly job_most_restarts=3 # then a fault that comes back is told as one

# Runs the job's command and ends as it does. Slurm's signals are for the command.
job_run() { # COMMAND...
    local pid='' lost caught=yes status=0 asked=''
    trap 'caught=yes asked=yes; [[ -z $pid ]] || kill -USR1 "$pid" 2>/dev/null' USR1
    trap 'caught=yes asked=yes; [[ -z $pid ]] || kill -TERM "$pid" 2>/dev/null' TERM
    "$@" &
    pid=$!
    [[ -z $asked ]] || { kill -KILL "$pid"; exit 4; } # just started: it may not hear anything else
    while [[ -n $caught ]]; do # a signal interrupts wait
        caught=''
        wait "$pid" && status=0 || status=$?
    done
    trap - USR1 TERM
    case $asked$status in
    0 | [234] | yes*) ;; # done, bad usage, INVALID, stopped
    *)
        lost=$(job_lost_nodes)
        [[ -z $lost ]] || job_again "$lost"
        ;;
    esac
    exit "$status"
}

# Prints the nodes on which no process can be started any more, while on this one it can.
# Where it cannot either, Slurm is ending this job: it was cancelled, or is over.
job_lost_nodes() {
    local answers
    answers=$(timeout 120 srun --mpi=none --overlap --mem=0 --no-kill -K0 -c1 \
        -N "$SLURM_JOB_NUM_NODES" -n "$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
        printenv SLURMD_NODENAME 2>/dev/null) || true
    if grep -qxF "$SLURMD_NODENAME" <<<"$answers"; then
        scontrol show hostnames "$SLURM_JOB_NODELIST" | grep -vxF "$answers" | paste -sd ' '
    fi
}

job_again() { # NODES
    local start=$((${SLURM_RESTART_COUNT:-0} + 1))
    if ((start > job_most_restarts)); then
        echo "slurm/job.sh: $1 does not answer; this job has been queued again often enough"
        return
    fi
    echo "slurm/job.sh: $1 does not answer: this job is queued again ($start of $job_most_restarts)"
    scontrol requeue "$SLURM_JOB_ID" && sleep 60 # until Slurm ends it
}
