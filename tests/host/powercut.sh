# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# The suite powercut: the VM reboots, and its power is cut while containers are made, started and removed. It is driven
# from outside, and what it finds after each boot is a run of pytest inside.

powercut_rounds=2

suite_powercut() {
    (
        hold_lock "vm-$instance" && kind=vm host_up "$1" || exit
        powercut_work prepare || exit
        say "rebooting the VM"
        vm_reboot && powercut_look reboot || exit
        for round in $(seq "$powercut_rounds"); do
            say "cutting the VM's power ($round of $powercut_rounds)"
            powercut_work "round-$round" && vm_boot_again && powercut_look "cut-$round" || exit
        done
    )
}

# powercut_work NAME: has work.py do what it does under that name, and keeps what it says. Of a round it never says that
# it is done: the power is cut.
powercut_work() {
    local worker facts=$results/powercut.facts end=$((SECONDS + 300))
    : >"$facts"
    (vm_exec root env SCTR_TEST_DEADLINE=180 python3 /src/tests/powercut/work.py "$1") \
        </dev/null >"$facts" 2>"$results/powercut-$1.err" &
    worker=$!
    if [ "$1" = prepare ]; then
        wait "$worker" || { cat "$results/powercut-$1.err" >&2 && return 1; }
        return
    fi
    # Into the middle of what it does: after a good deal of it, at no particular moment.
    until [ "$(grep -c '^done' "$facts")" -ge 12 ]; do
        if ! kill -0 "$worker" || [ "$SECONDS" -ge "$end" ]; then
            cat "$results/powercut-$1.err" >&2
            return 1
        fi
        sleep 0.05
    done
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    vm_cut
    wait "$worker" || true # its connection is gone
}

# powercut_look NAME: what became of it.
powercut_look() {
    local status=0
    (vm_exec root tee /run/facts) <"$results/powercut.facts" >/dev/null || return
    (vm_exec root env PYTHONDONTWRITEBYTECODE=1 SCTR_TEST_DEADLINE=180 python3 -m pytest /src/tests/powercut -p no:cacheprovider -q \
        -o junit_suite_name="$1" --junitxml=/run/powercut.xml) >"$results/powercut-$1.out" 2>&1 </dev/null || status=$?
    [ "$status" -le 1 ] || { cat "$results/powercut-$1.out" >&2 && return 1; }
    (vm_exec root cat /run/powercut.xml) >"$results/powercut-$1.xml" </dev/null
}
