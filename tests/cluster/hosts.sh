# shellcheck shell=bash disable=SC2154 # the settings are set in `cluster`
# hosts.sh: hosts made of namespaces, and the network between them. `cluster` sources it.
#
#   this machine     nothing changes here: no interface, no mount, no service
#     ctl            bridge br0; munged, slurmctld
#       node1 …      eth0, a veth whose other end is vnode1 on br0; slurmd
#
# The first process of a host is this kit's own bash. The process namespaces of the nodes
# are children of ctl's, so that the kernel ends every node when it ends ctl, and every
# process of a host with its first; network and mounts go with their last user.
#
# Uses dir, nodes, slurm, skews, shared, rootless: the settings of the cluster.

rootless=''
((EUID == 0)) || rootless=yes
export BINDOT_CLUSTER=$dir PATH=$PATH:/usr/sbin:/sbin

readonly net=10.213.77 # exists on the hosts only
readonly ctl_address=$net.254
readonly machine_proc=$dir/proc # on ctl: this machine's own /proc

# --- on this machine, and on ctl ----------------------------------------------

on_a_host() {
    [[ -e $machine_proc/self/stat ]]
}

# When a process was started, in ticks: tells a process from a later one of its number.
# The reader's time namespace shifts it, so it is read on ctl and on the machine only.
host_born() { # PID PROC
    local stat
    local -a fields
    { read -r stat <"$2/$1/stat"; } 2>/dev/null || return
    read -ra fields <<<"${stat##*) }"
    echo "${fields[19]}"
}

# The number of a host's first process as it is seen from here; 1 if it is not running.
# hosts/NAME: its number and its start as this machine sees them, its number on ctl.
host_pid() { # HOST
    local pid born on_ctl proc=/proc
    { read -r pid born on_ctl <"$dir/hosts/$1"; } 2>/dev/null || return
    if on_a_host; then proc=$machine_proc; else on_ctl=$pid; fi
    [[ $(host_born "$pid" "$proc") == "$born" ]] && echo "$on_ctl"
}

host_kill() { # HOST; one that is not running is as good as dead
    local pid
    pid=$(host_pid "$1") || return 0
    kill -KILL "$pid"
    wait_until 10 host_gone "$1" || die "$1 does not end (process $pid)"
    rm -f "$dir/hosts/$1" "$dir/hosts/$1.slow"
}

host_gone() {
    ! host_pid "$1" >/dev/null
}

host_enter() { # HOST COMMAND...: in all of its namespaces
    local host=$1 pid
    local -a into=(-m -u -i -n -p -r --wdns=/)
    shift
    if on_a_host; then
        if [[ $(hostname) == "$host" ]]; then
            "$@"
            return
        fi
        [[ $(hostname) == ctl ]] || die 'from a node there is no way to another host'
    fi
    pid=$(host_pid "$host") || die "$host is not running"
    [[ -z $rootless ]] || into=(-U --preserve-credentials "${into[@]}")
    [[ $host == ctl ]] || into+=(-T)
    nsenter -t "$pid" "${into[@]}" -- "$@"
}

# As host_enter, in this folder. The commands of bin/ would come back here for ever. The
# host's bash stays, because nsenter stops itself when its own child is stopped.
run_on() { # HOST COMMAND...
    local host=$1 path=:$PATH:
    shift
    path=${path//":$dir/bin:"/:} path=${path#:}
    # shellcheck disable=SC2016 # the host's bash expands it
    PATH=${path%:} host_enter "$host" bash -c 'cd -- "$1" || exit; shift; "$@"; exit' - "$PWD" "$@"
}

# Its own session, no standard input and no descriptor of ours: a pipe that the caller's
# caller reads, or a lock, must not stay open as long as a cluster lives.
detach() { # LOG COMMAND...
    local log=$1 fd
    shift
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd <= 2 || fd == 255)) || exec {fd}>&- # 255: bash's own
        done
        exec setsid -f "$@" </dev/null >>"$log" 2>&1
    )
}

# The command that starts ctl. A user keeps the own number: as number 0 of a namespace,
# Slurm would want setgroups, which is forbidden there.
ctl_command() { # COMMAND...
    local -a user=()
    [[ -z $rootless ]] || user=(-U -c --keep-caps)
    own=(unshare "${user[@]}" -u -i -n -p --fork --kill-child
        "${BINDOT_PYTHON:-python3}" "$here/namespaces.py" mounts "$@")
}

host_possible() { # sets refusal where it is not
    local -a own
    ctl_command sh -c 'mount -t proc proc /proc && mount -t tmpfs tmp /tmp && ip link set lo up'
    refusal=$("${own[@]}" 2>&1) && return
    refusal=${refusal##*$'\n'}
    return 1
}

ctl_start() {
    local -a own
    ctl_command bash "$dir/kit/cluster" inside-ctl
    detach "$dir/log/ctl" "${own[@]}"
    wait_until 10 host_pid ctl >/dev/null || die 'ctl does not start'
}

# What only ctl may do, done by its first process.
ctl_ask() { # COMMAND ARGUMENT...
    local id=$$ status
    host_pid ctl >/dev/null || die 'ctl is not running'
    echo "$id $*" >"$dir/ask"
    wait_until 15 test -e "$dir/answer.$id" || die 'ctl does not answer'
    status=$(<"$dir/answer.$id")
    rm -f "$dir/answer.$id"
    return "$status"
}

# --- on the hosts -------------------------------------------------------------

write_whole() { # FILE WORD...: nobody reads half of it
    local file=$1
    shift
    echo "$*" >"$file.part"
    mv "$file.part" "$file"
}

# An empty /tmp, and in it what is shared.
own_tmp() {
    local folder fd
    local -a fds=()
    for folder in "${shared[@]}" "$dir"; do
        exec {fd}<"$folder"
        fds+=("$fd")
    done
    mount -t tmpfs -o mode=1777 tmp /tmp
    for folder in "${shared[@]}" "$dir"; do
        fd=${fds[0]}
        fds=("${fds[@]:1}")
        if [[ $folder == /tmp/* ]]; then
            mkdir -p "$folder"
            mount -c --rbind "/proc/self/fd/$fd" "$folder" # -c: its name is covered by now
        fi
        exec {fd}<&-
    done
}

own_hosts_file() {
    if [[ ! -e /etc/hosts ]]; then # a bare chroot
        cp -a /etc "$dir/etc/$1"
        mount --bind "$dir/etc/$1" /etc
        : >/etc/hosts
    fi
    mount --bind "$dir/etc/hosts" /etc/hosts
}

host_setup() { # NAME: all that a host has but its cable
    own_tmp
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys 2>/dev/null || true # then /sys/class/net is the machine's
    mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
    own_hosts_file "$1"
    hostname "$1"
    ip link set lo up
}

write_hosts_file() {
    local k
    echo '127.0.0.1 localhost'
    echo "$ctl_address ctl"
    for ((k = 1; k <= nodes; k++)); do echo "$net.$k node$k"; done
}

# Everything that runs for users. In a user namespace our processes hold capabilities
# over it, which daemons and jobs must not have.
as_user() { # COMMAND...
    if [[ -n $rootless ]]; then
        setpriv --inh-caps=-all --ambient-caps=-all "$@"
    else
        "$@"
    fi
}

inside_ctl() { # ctl's first process
    local k pid
    umask 022
    ulimit -c 0 # slurmd raises the soft limit: no core files where the tests run
    read -r pid _ </proc/self/stat
    mount --rbind /proc "$machine_proc"
    write_whole "$dir/hosts/ctl" "$pid" "$(host_born "$pid" /proc)" 1
    write_hosts_file >"$dir/etc/hosts"
    host_setup ctl
    # Without an address that is not lo's, name look-ups fail and no daemon starts.
    ip link add br0 type bridge forward_delay 0
    ip link set br0 up
    ip addr add "$ctl_address/24" dev br0
    [[ -z $slurm ]] || slurm_ctl_daemons
    for ((k = 1; k <= nodes; k++)); do node_start "node$k"; done
    ctl_serve
}

ctl_serve() { # answers ctl_ask; bash reaps orphans while it waits in read
    local id command node argument status
    exec 8<>"$dir/ask"
    while read -r id command node argument <&8; do
        status=0
        case $command in
        start) node_start "$node" ;;
        link) ip link set "v$node" "$argument" ;;
        shape) node_shape "$node" "$argument" ;;
        esac || status=$?
        write_whole "$dir/answer.$id" "$status"
    done
}

node_start() { # NODE: the host, or only its slurmd where the host still runs
    local node=$1 pid skew
    local -a clock=()
    if pid=$(host_pid "$node"); then
        [[ -z $slurm ]] || slurmd_again "$node" "$pid"
        return
    fi
    rm -f "$dir/hosts/$node"*
    for skew in "${skews[@]}"; do
        [[ ${skew%%=*} != "$node" ]] ||
            clock=("${BINDOT_PYTHON:-python3}" "$here/namespaces.py" clock "${skew#*=}")
    done
    detach "$dir/log/$node" "${clock[@]}" unshare -m -u -i -n -p --fork --kill-child \
        --propagation unchanged bash "$dir/kit/cluster" inside-node "$node"
    wait_until 10 test -e "$dir/hosts/$node.born" || return
    node_connect "$node"
}

node_connect() { # NODE: its cable, which makes it a running host
    local machine_pid pid hardware
    read -r machine_pid pid <"$dir/hosts/$1.born"
    printf -v hardware '02:00:00:00:00:%02x' "${1#node}" # as before: neighbours remember it
    ip link del "v$1" 2>/dev/null || true
    ip link add "v$1" type veth peer name eth0 address "$hardware" netns "$pid"
    ip link set "v$1" master br0 up
    write_whole "$dir/hosts/$1" "$machine_pid" "$(host_born "$machine_pid" "$machine_proc")" "$pid"
}

inside_node() { # NODE: its first process
    local node=$1 machine_pid pid
    read -r machine_pid _ <"$machine_proc/self/stat"
    read -r pid _ </proc/self/stat # as ctl counts: its /proc is still here
    rm -rf "$dir/"{tmp,spool}"/$node" # a node without a disk: Slurm's PMIx stumbles over its past
    host_setup "$node"
    write_whole "$dir/hosts/$node.born" "$machine_pid" "$pid"
    wait_until 10 ip link show eth0 >/dev/null 2>&1
    ip addr add "$net.${node#node}/24" dev eth0
    ip link set eth0 up
    [[ -z $slurm ]] || inside_slurmd "$node" &
    while true; do # reap orphans for ever, whatever becomes of slurmd
        sleep 3600 &
        wait $! || true
    done
}

node_shape() { # NODE RATE|none: both ends of its cable (token bucket)
    local pid
    local -a there
    pid=$(host_pid "$1")
    there=(nsenter -t "$pid" -n tc qdisc)
    if [[ $2 == none ]]; then
        tc qdisc del dev "v$1" root 2>/dev/null || true
        "${there[@]}" del dev eth0 root 2>/dev/null || true
    else
        tc qdisc replace dev "v$1" root tbf rate "$2" burst 64kb latency 50ms
        "${there[@]}" replace dev eth0 root tbf rate "$2" burst 64kb latency 50ms
    fi
}

# --- a slow node --------------------------------------------------------------

node_slow() { # NODE PERCENT MS
    local file=$dir/hosts/$1.slow pid
    local -a into=(-m -u -i -n -p -r --wdns=/ -T)
    if pid=$(cat "$file" 2>/dev/null); then
        rm -f "$file"
        host_enter "$1" bash "$dir/kit/cluster" inside-slow end "$pid"
    fi
    [[ $2 != 0 ]] || return 0
    pid=$(host_pid "$1") || die "$1 is not running"
    [[ -z $rootless ]] || into=(-U --preserve-credentials "${into[@]}")
    detach "$dir/log/$1" nsenter -t "$pid" "${into[@]}" -- bash "$dir/kit/cluster" inside-slow \
        "$file" "$2" "$3"
    wait_until 5 test -e "$file"
}

# On the node, until it is killed: stopped, going, stopped, going. Everything but the host's
# first process, Slurm's own, and what came from outside (its parent shows as 0 here).
inside_slow() { # FILE PERCENT MS, or: end PID
    local off on turns k nothing
    if [[ $1 == end ]]; then
        kill -KILL "$2" 2>/dev/null || true
        signal_jobs CONT
        return
    fi
    off=$(awk "BEGIN { print $3 * $2 / 1e5 }") on=$(awk "BEGIN { print $3 * (100 - $2) / 1e5 }")
    turns=$((100 / $3 + 1)) # new processes are seen ten times a second
    exec {nothing}<> <(:)   # to wait for what never comes is a sleep without a process
    write_whole "$1" $$
    while true; do
        find_jobs
        for ((k = 0; k < turns; k++)); do
            signal_jobs STOP
            read -rt "$off" -u "$nothing" || true
            signal_jobs CONT
            read -rt "$on" -u "$nothing" || true
        done
    done
}

find_jobs() { # sets job_pids
    local file line parent
    job_pids=()
    for file in /proc/[0-9]*/stat; do
        { read -r line <"$file"; } 2>/dev/null || continue
        read -r _ parent _ <<<"${line##*) }"
        [[ $parent == 0 || $line == *'(slurmd)'* || $line == *'(slurmstepd)'* ]] ||
            job_pids+=("${file//[^0-9]/}")
    done
}

signal_jobs() { # SIGNAL
    [[ -n ${job_pids[*]-} ]] || find_jobs
    kill "-$1" "${job_pids[@]}" 2>/dev/null || true
}
