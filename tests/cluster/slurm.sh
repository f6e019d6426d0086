# shellcheck shell=bash disable=SC2154 # the settings are set in `cluster`
# slurm.sh: the cluster's Slurm: configuration, daemons, and whether it is ready.
# `cluster` sources it, after hosts.sh.

export SLURM_CONF=$dir/etc/slurm.conf
readonly slurm_commands='sbatch srun salloc squeue sinfo scancel scontrol sacct sstat sattach
    sbcast sdiag'

slurm_prepare() { # in a new folder
    mkdir -p "$dir"/munge/{socket,key}
    chmod 755 "$dir" "$dir/munge" "$dir/munge/socket" # munged wants the one open
    chmod 700 "$dir/munge/key" "$dir/state"           # and the other closed
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge/key/key")
    slurm_conf >"$SLURM_CONF"
    # Slurm 22.05 loads a control group plugin though nothing uses it, and where none is
    # mounted it finds out which by dying.
    echo 'CgroupPlugin=cgroup/v1' >"$dir/etc/cgroup.conf"
    # Its default PMIx fence lets a rank leave MPI_Init before its peers are ready for
    # messages: some runs then crash in mca_btl_tcp. The ring does not.
    echo 'PMIxCollFence=ring' >"$dir/etc/mpi.conf"
    slurm_wrappers
}

slurm_wrappers() { # for the outside: bin/ first in PATH, and sbatch just works
    local command
    for command in $slurm_commands; do
        printf '#!/bin/bash\nBINDOT_CLUSTER=%q exec bash %q run-on ctl %s "$@"\n' \
            "$dir" "$dir/kit/cluster" "$command" >"$dir/bin/$command"
        chmod +x "$dir/bin/$command"
    done
}

# Binding needs CPUs 0 to cpus-1, which a node believes to have, to be there and allowed.
slurm_task_plugin() {
    if taskset -c "0-$((cpus - 1))" true 2>/dev/null &&
        [[ $(taskset -c "0-$((cpus - 1))" nproc) == "$cpus" ]]; then
        echo task/affinity
    else
        echo task/none
    fi
}

slurm_conf() {
    local user range="[1-$nodes]"
    user=$(id -un 2>/dev/null) || user=$EUID
    ((nodes > 1)) || range=1
    cat <<END
ClusterName=bindot
SlurmctldHost=ctl($ctl_address)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/hosts/slurmctld.pid
SlurmdPidFile=$dir/hosts/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd.%n
SlurmctldDebug=info
SlurmdDebug=info
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=$(slurm_task_plugin)
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
MpiDefault=pmix
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/ended
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
PropagateResourceLimits=NONE
JobRequeue=1
# what a node is said to have counts, whatever this machine has
SlurmdParameters=config_overrides
# one folder a node for the PMIx clients, because all nodes see this one
TmpFS=$dir/tmp/%n
# quick reactions
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0
KillWait=5
SlurmdTimeout=15
SlurmctldTimeout=15
MessageTimeout=10
BatchStartTimeout=20
UnkillableStepTimeout=20
CompleteWait=0
MinJobAge=3600
InactiveLimit=0
ReturnToService=2
# a job for "urgent" takes the nodes of one for "debug", which is queued again
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node$range NodeAddr=$net.$range CPUs=$cpus Boards=1 SocketsPerBoard=1 \
CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$((cpus * 1000)) State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF State=UP
END
    ((${#conf[@]} == 0)) || printf '%s\n' "${conf[@]}"
}

slurm_usable() { # all nodes, on the machine or on ctl
    local states
    states=$(run_on ctl sinfo -h -N -p debug -o %T 2>/dev/null) || return
    [[ $(grep -cxE 'idle|mixed|allocated|completing' <<<"$states") == "$nodes" ]]
}

# --- on the hosts -------------------------------------------------------------

slurm_ctl_daemons() { # one munged serves all hosts: its socket is a file
    local key=$dir/munge/key
    munged -F --force --socket="$dir/munge/socket/socket" --key-file="$key/key" \
        --pid-file="$key/pid" --log-file="$key/log" --seed-file="$key/seed" &
    wait_until 10 test -S "$dir/munge/socket/socket"
    as_user slurmctld -D &
}

inside_slurmd() { # NODE: in the foreground
    mkdir -p "$dir/spool/$1" "$dir/tmp/$1"
    chmod 1777 "$dir/tmp/$1"
    as_user slurmd -D -N "$1"
}

slurmd_again() { # NODE PID: on ctl, where it is not running
    local -a there=(nsenter -t "$2" -m -u -i -n -p -r --wdns=/ -T --)
    # shellcheck disable=SC2016
    ! "${there[@]}" bash -c 'kill -0 "$(<"$1")"' - "$dir/hosts/slurmd.$1.pid" 2>/dev/null ||
        return 0
    detach "$dir/log/$1" "${there[@]}" bash "$dir/kit/cluster" inside-slurmd "$1"
}

slurmd_kill() { # NODE
    # shellcheck disable=SC2016
    host_enter "$1" bash -c 'kill -KILL "$(<"$1")"' - "$dir/hosts/slurmd.$1.pid"
}
