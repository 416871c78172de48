# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# The verb test: every suite leaves its JUnit file in $results, and report.py adds them up.

all_suites=(lint unit dbus ns asan fuzz system oci clients conformance coverage vm powercut)
results=$build_dir/results

verb_test() {
    local name lower container_root suites=("${arguments[@]}")
    [ ${#suites[@]} -gt 0 ] || suites=("${all_suites[@]}")
    for name in "${suites[@]}"; do
        [[ " ${all_suites[*]} " = *" $name "* ]] || die "no suite $name: there are ${all_suites[*]}"
    done
    require_machine
    hold_lock "test-$instance"
    lower=$(root_make full)
    container_root=$(root_make container)
    rm -rf "$results"
    mkdir -p "$results"
    run_suites "$lower" "$container_root" "${suites[@]}"
    builder "$lower" python3 /src/tests/host/report.py /build/results
}

# run_suites LOWER CONTAINER_ROOT SUITE...: what computes first and alone. Then the box's suites, which wait more than
# they compute; beside them the VM's, whose CPU is emulated; and coverage as soon as it knows how long tests took.
run_suites() {
    local roots=("$1" "$2") name first=() box=() emulated=() counted=() jobs=()
    for name in "${@:3}"; do
        case $name in
        lint | unit | dbus | ns | asan | fuzz) first+=("$name") ;;
        vm | powercut) emulated+=("$name") ;;
        coverage) counted=(coverage) ;;
        *) box+=("$name") ;;
        esac
    done
    for name in "${first[@]}"; do run_suite "$name"; done
    [[ " ${box[*]} " != *" system "* ]] || emulated+=("${counted[@]/%/_build}")
    begin_job "${emulated[@]}"
    for name in "${box[@]}"; do
        run_suite "$name"
        [ "$name" != system ] || { begin_job "${counted[@]}" && counted=(); }
    done
    begin_job "${counted[@]}"
    [ ${#jobs[@]} = 0 ] || wait "${jobs[@]}"
    trap - EXIT # their numbers may soon be others'
}

# begin_job SUITE...: in a process group of its own, which an end of this process ends.
begin_job() {
    [ $# -gt 0 ] || return 0
    set -m
    (for name; do run_suite "$name"; done) </dev/null &
    set +m
    jobs+=("$!")
    # shellcheck disable=SC2064 # these jobs
    trap "kill -TERM -- ${jobs[*]/#/-} 2>/dev/null || true" EXIT
}

run_suite() {
    local name=$1
    say "suite $name"
    # A suite of its own process: its `die` ends the suite, not the run.
    ("suite_$name" "${roots[@]}") 2> >(drop_locks && exec tee "$results/$name.stderr" >&2) ||
        tail -n 60 "$results/$name.stderr" >"$results/$name.could-not-run"
}

suite_unit() { meson_suite "$1" "$2" default unit; }
suite_dbus() { meson_suite "$1" "$2" default dbus; }
suite_ns() { meson_suite "$1" "$2" default ns; }
suite_asan() { meson_suite "$1" "$2" asan unit dbus ns; }

# The targets alone: the rest of the tree is compiled twice already.
suite_fuzz() {
    local log=$build_dir/fuzz/meson-logs/fuzz
    build_configure "$1" fuzz --native-file /src/tests/fuzz/clang.ini -Dfuzzers=true -Dtests=false \
        -Dwerror=false -Dunity=on -Dunity_size=8 || return
    say "compiling the fuzz targets"
    quietly "$build_dir/fuzz.log" builder "$1" ninja --quiet -C /build/fuzz fuzzers || return
    rm -f "$log".*
    builder "$1" meson test -C /build/fuzz --no-rebuild --logbase fuzz --suite fuzz \
        >"$results/fuzz.out" 2>&1 </dev/null || [ -f "$log.junit.xml" ] || { cat "$results/fuzz.out" >&2 && return 1; }
    cp "$log.junit.xml" "$results/fuzz.xml"
    cp "$log.json" "$results/fuzz.json"
}

# meson_suite LOWER CONTAINER_ROOT default|asan SUITE...: builds, and runs the suites in the box.
meson_suite() {
    local lower=$1 container_root=$2 build=$3 chosen name=$3
    shift 3
    [ "$build" != default ] || name=$1
    chosen=("${@/#/--suite=}")
    # The lock ends with the subshell: while tests run, other commands may use the box.
    (hold_lock "box-$instance" && build_"$build" "$lower" && box_up "$lower" "$container_root") || return
    local log=$build_dir/$build/meson-logs/$name
    rm -f "$log".*
    [ "$build" = default ] || make_coverage_data || return
    # meson fails when a test does, which report.py finds in the file; without a file it could not run.
    (box_exec root meson test -C "/build/$build" --no-rebuild --logbase "$name" "${chosen[@]}") \
        >"$results/$name.out" 2>&1 </dev/null || [ -f "$log.junit.xml" ] || { cat "$results/$name.out" >&2 && return 1; }
    [ -f "$log.junit.xml" ] || return 0
    cp "$log.junit.xml" "$results/$name.xml"
    cp "$log.json" "$results/$name.json"
}

suite_system() { box_suite "$1" system; }
suite_oci() { box_suite "$1" oci; }
suite_clients() { box_suite "$1" clients; }
suite_conformance() {
    # Compiled once: the Go parts are kept with the build directories.
    (hold_lock "box-$instance" && kind=box host_up "$1") || return
    say "compiling the compliance suite"
    (quietly "$build_dir/conformance.log" box_exec root /src/tests/conformance/build.sh /build/conformance) || return
    box_suite "$1" conformance
}

# box_suite LOWER FOLDER: pytest in the box.
box_suite() {
    pytest_folder "tests/$2" || return 0
    (hold_lock "box-$instance" && kind=box host_up "$1") || return
    pytest_in box "$2"
}

suite_vm() {
    pytest_folder tests/vm || return 0
    (hold_lock "vm-$instance" && kind=vm host_up "$1") || return
    pytest_in vm vm || return
    (vm_exec root cat /build/results/vm.xml) >"$results/vm.xml" </dev/null
}

pytest_folder() { compgen -G "$checkout/$1/test_*.py" >/dev/null; }

# pytest_in box|vm SUITE: fails when pytest could not run; failed tests are in its JUnit file.
pytest_in() {
    local kind=$1 folder=$2 status=0 deadline=20
    # An emulated CPU is 10 to 20 times slower.
    [ "$kind" = box ] || deadline=180
    ("${kind}_exec" root env PYTHONDONTWRITEBYTECODE=1 SCTR_TEST_DEADLINE="$deadline" python3 -m pytest "/src/tests/$folder" -p no:cacheprovider -q \
        --junitxml="/build/results/$folder.xml") >"$results/$folder.out" 2>&1 </dev/null || status=$?
    # 0: passed, 1: some failed, 5: there are none.
    case $status in
    0 | 1 | 5) ;;
    *) cat "$results/$folder.out" >&2 && return 1 ;;
    esac
}

suite_lint() {
    local lower=$1 sources
    build_configure_quick "$lower" || return
    # What sources include and the build makes.
    quietly "$build_dir/quick.log" builder "$lower" \
        ninja --quiet -C /build/quick src/seccomp_default_program.inc src/seccomp_compiler_id.inc src/layer_filter.inc || return
    mapfile -t sources < <(cd "$checkout" && find src tests -name '*.[ch]pp' | sort)
    # shellcheck disable=SC2016 # the inner shell expands it
    lint_case "$lower" clang-format 'clang-format-19 --dry-run -Werror "$@"' "${sources[@]}"
    # shellcheck disable=SC2016 # the inner shell expands it
    # What passed is kept beside what was compiled, for every checkout. gcc's flags are in the commands.
    lint_case "$lower" clang-tidy 'python3 tests/host/tidy.py /build/quick "/ccache/tidy/$1" \
        --extra-arg=-Wno-unknown-warning-option' "$(basename "$lower")"
    lint_case "$lower" shellcheck 'shellcheck .ci/run tests/host/host tests/host/*.sh'
    lint_case "$lower" promises 'python3 tests/host/doc_tests.py'
    {
        echo '<testsuite>'
        cat "$results"/lint-*.case
        echo '</testsuite>'
    } >"$results/lint.xml"
}

# lint_case LOWER NAME SCRIPT [ARG...]: runs the script in /src and writes its outcome as a JUnit test case.
lint_case() {
    local lower=$1 name=$2 script=$3 log=$results/lint-$2.log
    shift 3
    {
        printf '<testcase name="%s">' "$name"
        builder "$lower" sh -c "cd /src && $script" sh "$@" >"$log" 2>&1 </dev/null ||
            printf '<failure>%s</failure>' "$(tail -n 200 "$log" | tr -cd '\t\n\40-\176' | sed 's/&/\&amp;/g; s/</\&lt;/g')"
        echo '</testcase>'
    } >"$results/lint-$name.case"
}
