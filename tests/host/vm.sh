# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# The VM: the same root file system in QEMU (emulated CPU), for what needs a kernel of its own.

vm_dir=$cache/vm/$instance

vm_pid() {
    local pid
    # The command line proves that the number has not gone to another process since.
    pid=$(cat "$vm_dir/pid" 2>/dev/null) || return 1
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "vm-init.sh $vm_dir " && printf '%s\n' "$pid"
}

vm_lower() { head -n 1 "$vm_dir/roots"; }

vm_image_path() {
    local key
    key=$({ echo "$@" && cat "$here/vm-image.sh" "$here/vm-init.sh"; } | sha256sum | head -c 12)
    printf '%s/vm/image-%s\n' "$cache" "$key"
}

# vm_image_make LOWER CONTAINER_ROOT: makes the disk image if the cache has none, and prints its folder.
vm_image_make() {
    local image
    image=$(vm_image_path "$@")
    (
        hold_lock vm-image
        [ ! -d "$image" ] || exit 0
        # No VM can run on an image of other scripts once this one is wanted, but one may still stand on it.
        vm_forget_old
        rm -rf --one-file-system "$cache/vm/.new-image"
        mkdir -p "$cache/vm/.new-image"
        say "packing the VM's disk image"
        quietly "$cache/vm/image.log" unshare --mount -- bash "$here/vm-image.sh" "$cache/vm/.new-image" "$@" || exit
        mv -T "$cache/vm/.new-image" "$image"
    ) || die "could not make the VM's disk image"
    printf '%s\n' "$image"
}

vm_forget_old() {
    local old
    for old in "$cache"/vm/image-*; do
        grep -qsFx "$old" "$cache"/vm/*/roots || rm -rf --one-file-system "$old"
    done
}

# vm_up LOWER CONTAINER_ROOT: starts the VM on that root unless it is running on it already.
vm_up() {
    local lower=$1 container_root=$2 image
    if vm_pid >/dev/null; then
        [ "$(vm_lower)" = "$lower" ] && return
        say "the VM runs on another root file system: starting it anew"
    fi
    image=$(vm_image_make "$lower" "$container_root")
    vm_saved_make "$lower" "$image"
    say "starting the VM"
    vm_start "$lower" "$image" warm
    if vm_inside python3 - /srv/run/qmp resume /srv/image/saved/state <"$here/qmp.py" 2>>"$vm_dir/log" && vm_connect; then
        # It woke up at the time at which it was saved.
        vm_exec_quietly date --set="@$EPOCHREALTIME"
        return
    fi
    say "the saved VM does not resume (see $vm_dir/log): booting it"
    rm -rf "$image/saved"
    vm_start "$lower" "$image" cold
    vm_wait
    vm_connect || die "the VM does not answer ssh (console: $vm_dir/console)"
}

# A boot takes 20 to 60 s under emulation, continuing a saved one 1 s: so boot once, and keep its memory.
vm_saved_make() {
    local lower=$1 image=$2
    [ -d "$image/saved" ] && return
    say "booting the VM once, to save it"
    vm_start "$lower" "$image" save
    vm_wait
    rm -rf "$image/.new-saved"
    mkdir "$image/.new-saved"
    vm_inside python3 - /srv/run/qmp save /srv/image/.new-saved/state <"$here/qmp.py" || die "could not save the VM"
    vm_await_end
    mv "$vm_dir/ram" "$vm_dir/disk.qcow2" "$image/.new-saved/"
    mv -T "$image/.new-saved" "$image/saved"
}

# vm_start LOWER IMAGE cold|save|warm: with a disk of its own.
vm_start() {
    vm_down
    mkdir -p "$vm_dir"
    printf '%s\n' "$1" "$2" >"$vm_dir/roots"
    vm_ssh_config >"$vm_dir/ssh_config"
    mkfifo "$vm_dir/boot"
    vm_launch "$@"
}

# vm_launch LOWER IMAGE MODE
vm_launch() {
    local lower=$1 image=$2 mode=$3
    exec {vm_boot}<>"$vm_dir/boot"
    (
        keep_only_standard_files
        exec setsid unshare --fork --kill-child --pid --mount --net --ipc -- \
            bash "$here/vm-init.sh" "$vm_dir" "$image" "$lower" "$mode"
    ) </dev/null >>"$vm_dir/log" 2>&1 &
    vm_await_monitor
}

# A power cut: what the VM's kernel has not written is lost.
vm_cut() {
    local pid
    pid=$(vm_pid) || die "the VM is not running: $0 up --vm"
    kill -KILL "$pid"
    vm_await_end
    rm -f "$vm_dir/pid" "$vm_dir/qmp"
}

# Boots the disk of a VM whose power was cut, and waits until it answers.
vm_boot_again() {
    local lower image
    { read -r lower && read -r image; } <"$vm_dir/roots"
    vm_launch "$lower" "$image" again
    vm_await_boot
}

# A unit that failed is for whoever looks, and no reason not to.
vm_await_boot() {
    local state=''
    read -r -t 300 -u "$vm_boot" _ state || die "the VM does not boot (console: $vm_dir/console)"
    say "the VM is ${state%$'\r'} again"
    vm_connect || die "the VM does not answer ssh (console: $vm_dir/console)"
}

vm_reboot() {
    local account
    exec {vm_boot}<>"$vm_dir/boot"
    vm_exec_quietly systemctl --no-block reboot || true
    for account in root guest; do
        vm_inside timeout 20 ssh -F /srv/run/ssh_config -O exit -l "$account" vm </dev/null >>"$vm_dir/log" 2>&1 || true
    done
    vm_await_boot
}

vm_await_monitor() {
    local end=$((SECONDS + 30))
    # QEMU makes its sockets some time after it starts, and tells nobody.
    until [ -S "$vm_dir/qmp" ] && vm_pid >/dev/null; do
        [ "$SECONDS" -lt "$end" ] || { cat "$vm_dir/log" >&2; die "QEMU did not start within 30 s (see above)"; }
        sleep 0.02
    done
}

vm_wait() {
    local state=''
    read -r -t 300 -u "$vm_boot" _ state || state='nothing for 300 s'
    state=${state%$'\r'}
    [ "$state" = running ] && return
    tail -n 40 "$vm_dir/console" "$vm_dir/log" >&2
    die "the VM does not run: its boot said '$state' (see above)"
}

vm_await_end() {
    local pid
    pid=$(vm_pid) || return 0
    timeout 60 tail -s 0.02 -f /dev/null --pid="$pid" || die "QEMU (pid $pid) does not end"
}

vm_down() {
    local pid
    if pid=$(vm_pid); then
        kill -KILL "$pid"
        vm_await_end
    fi
    rm -rf --one-file-system "$vm_dir"
}

# vm_inside COMMAND...: in the namespaces of QEMU, where its ports and sockets are.
vm_inside() {
    local pid
    pid=$(vm_pid) || die "the VM is not running: $0 up --vm"
    # Some of these stay: the ssh connections.
    (
        keep_only_standard_files
        exec nsenter --target "$pid" --mount --net --pid -- "$@"
    )
}

vm_ssh_config() {
    cat <<'CONF'
Host vm
    HostName 127.0.0.1
    IdentityFile /srv/image/id
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    SetEnv SCTR_HOST_KIND=vm LANG=C.UTF-8
    ControlPath /run/ssh-%r
    ConnectTimeout 60
    ServerAliveInterval 60
CONF
}

# One connection for each account stays open: later commands take 0.1 s instead of seconds.
vm_connect() {
    local account pid connecting=()
    for account in root guest; do
        vm_inside timeout --kill-after=5 120 ssh -F /srv/run/ssh_config -o ControlMaster=yes -o ControlPersist=yes \
            -l "$account" -fN vm </dev/null >>"$vm_dir/log" 2>&1 &
        connecting+=($!)
    done
    # By number: the QEMU whose power was cut is a child, too.
    for pid in "${connecting[@]}"; do wait "$pid" || return; done
    vm_exec_quietly true
}

vm_exec_quietly() { (vm_exec root "$@") >>"$vm_dir/log" 2>&1 </dev/null; }

# vm_exec USER COMMAND...: replaces this process.
vm_exec() {
    local user=$1 pid terminal=(-T) line
    shift
    pid=$(vm_pid) || die "the VM is not running: $0 up --vm"
    drop_locks
    [ ! -t 0 ] || terminal=(-tt)
    # The shell at the other end must outlive the command, as ssh itself would turn death by a signal into 255,
    # but may not comment on it.
    printf -v line '%q ' "$@"
    exec nsenter --target "$pid" --mount --net --pid -- \
        ssh -F /srv/run/ssh_config "${terminal[@]}" -l "$user" vm "{ $line 2>&3 3>&-; } 3>&2 2>/dev/null; exit \$?"
}
