# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# The box: systemd as the first process of its own namespaces, on the machine's kernel.

box_dir=$cache/box/$instance
box_name=sctr-host-$instance

box_pid() {
    local pid
    # The cgroup's name proves that the number has not gone to another process since.
    pid=$(cat "$box_dir/pid" 2>/dev/null) || return 1
    grep -qs "/${box_name}[^/]*/payload/init.scope\$" "/proc/$pid/cgroup" && printf '%s\n' "$pid"
}

box_lower() { head -n 1 "$box_dir/roots"; }

# Where systemd runs this machine, the box's cgroup must be its gift; elsewhere the tree is ours.
machine_has_systemd() { [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; }

box_cgroup() {
    if machine_has_systemd; then
        printf '%s/system.slice/%s.scope\n' "$(cgroup_root)" "$box_name"
    else
        printf '%s/%s\n' "$(cgroup_root)" "$box_name"
    fi
}

# box_up LOWER CONTAINER_ROOT: starts the box on that root unless it is running on it already.
box_up() {
    local lower=$1 container_root=$2
    if box_pid >/dev/null; then
        [ "$(box_lower)" = "$lower" ] && return
        say "the box runs on another root file system: starting it anew"
    fi
    box_down
    say "starting the box"
    mkdir -p "$box_dir/outside" "$build_dir" "$cache/ccache"
    printf '%s\n' "$lower" "$container_root" >"$box_dir/roots"
    mkfifo "$box_dir/outside/boot"
    local cgroup boot scope=()
    cgroup=$(box_cgroup)
    exec {boot}<>"$box_dir/outside/boot"
    if machine_has_systemd; then
        scope=(systemd-run --quiet --scope --collect --slice=system.slice --unit="$box_name.scope" -p Delegate=yes --)
    else
        mkdir -p "$cgroup"
    fi
    (
        keep_only_standard_files
        exec setsid "${scope[@]}" "$here/box-supervise.sh" "$cgroup" "$box_dir" \
            "$lower" "$container_root" "$checkout" "$build_dir" "$cache/ccache"
    ) </dev/null >"$box_dir/log" 2>&1 &
    box_wait "$boot"
    exec {boot}>&-
}

box_wait() {
    local boot=$1 state=''
    read -r -t 90 -u "$boot" _ state || state='nothing for 90 s'
    [ "$state" = running ] && return
    box_failure >&2
    [ "$state" = degraded ] || box_down
    die "the box does not run: its boot said '$state' (see above)"
}

box_failure() {
    cat "$box_dir/log"
    if box_pid >/dev/null; then
        (box_exec root systemctl --failed --no-pager)
        (box_exec root journalctl -b --no-pager -p warning -n 40)
    fi
}

# Ends everything in the box's cgroup, whatever state a killed predecessor left it in.
box_down() {
    local cgroup pid
    cgroup=$(box_cgroup)
    if [ -d "$cgroup" ]; then
        pid=$(cat "$box_dir/pid" 2>/dev/null) || pid=
        echo 1 >"$cgroup/cgroup.kill"
        [ -z "$pid" ] || timeout 20 tail -s 0.02 -f /dev/null --pid="$pid" || die "the box's first process $pid does not die"
        cgroup_remove "$cgroup"
    fi
    rm -rf --one-file-system "$box_dir"
}

# The kernel lets go of a cgroup a moment after its last process, without an event for it.
cgroup_remove() {
    local cgroup=$1 end=$((SECONDS + 20))
    until [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
        [ "$SECONDS" -lt "$end" ] || die "$cgroup is still in use after 20 s: see its cgroup.procs"
        sleep 0.02
    done
}

# box_exec USER COMMAND...: replaces this process.
box_exec() {
    local user=$1 pid leaf
    shift
    pid=$(box_pid) || die "the box is not running: $0 up"
    drop_locks
    # Else the command would stand outside the box's tree, where systemd cannot move it.
    leaf=$(box_cgroup)/payload/host.exec
    mkdir -p "$leaf"
    echo 0 >"$leaf/cgroup.procs"
    local login=(env -C /root)
    # shellcheck disable=SC2016 # the login shell expands them
    [ "$user" = root ] || login=(runuser --login "$user" -w "SCTR_HOST_KIND,TERM,LANG" -c 'exec "$0" "$@"' --)
    # runuser starts a session, which needs a terminal of its own.
    [ "$user" = root ] || [ ! -t 0 ] || login=(runuser --pty "${login[@]:1}")
    # The command must not outlive this process, which is its parent in another pid namespace.
    exec nsenter --target "$pid" --all -- setpriv --pdeathsig TERM env --ignore-environment \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        SCTR_HOST_KIND=box "${login[@]}" "$@"
}
