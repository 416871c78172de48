# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# The verb try: from nothing to a first container.

verb_try() {
    local lower
    no_arguments
    require_machine
    hold_lock "box-$instance"
    machine_install mmdebstrap mmdebstrap
    # Beside the host's root: downloads and unpacking of one fill the waits of the other.
    root_make container >/dev/null &
    lower=$(root_any)
    wait $! || die "could not make the container's root file system"
    if [ -f "$build_dir/default/build.ninja" ]; then
        kind=box host_up "$lower"
    else
        # The default build is stricter: it may well pass where this one does not.
        (kind=box host_up "$lower" quick) || kind=box host_up "$lower"
    fi
    try_first_container
    try_watched_container
    say "done. The box keeps running: $0 exec bash; $0 down ends it"
}

# Prints a command as a person would type it in the host, and runs it there.
shown() {
    printf '\n# %s\n' "${*@Q}" | sed "s/'\([a-zA-Z0-9_./=:@-]*\)'/\1/g"
    (box_exec root "$@")
}

try_first_container() {
    # Containers may write to their root: each host gets a copy.
    (box_exec root sh -c 'mkdir -p /var/lib/sctr-try && rm -rf /var/lib/sctr-try/debian && cp -a /srv/rootfs/debian /var/lib/sctr-try/') ||
        die "could not copy the container's root file system"
    say "a first container"
    # shellcheck disable=SC2016 # the container's shell expands it
    shown sctr run --name hello --rootfs /var/lib/sctr-try/debian \
        sh -c '. /etc/os-release; echo "$PRETTY_NAME, pid $$, host $(hostname)"' </dev/null ||
        die "the first container failed"
}

# One that stays for a moment and logs to the journal, so that systemd can be asked about it.
try_watched_container() {
    local cursor log line='' run
    cursor=$( (box_exec root journalctl --lines=0 --show-cursor --quiet) | sed -n 's/^-- cursor: //p')
    # shellcheck disable=SC2016 # the container's shell expands it
    (box_exec root sctr run --name hello --log journal --rootfs /var/lib/sctr-try/debian \
        sh -c 'trap "exit 0" TERM; echo "$(hostname) is ready"; sleep 30 & wait') </dev/null &
    run=$!
    exec {log}< <(
        (box_exec root timeout 20 journalctl --follow --after-cursor="$cursor" --output=cat --unit=sctr-hello.scope)
    )
    until [ "$line" = "hello is ready" ]; do
        read -r -t 20 -u "$log" line || die "the second container said nothing for 20 s"
    done
    shown systemctl --no-pager status sctr-hello.scope </dev/null || die "systemd does not know the container"
    shown sctr stop hello </dev/null || die "the container does not stop"
    wait "$run" || die "the second container failed with status $?"
    shown journalctl --no-pager --lines=3 --unit=sctr-hello.scope </dev/null
}
