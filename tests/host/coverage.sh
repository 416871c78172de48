# shellcheck shell=bash disable=SC2034,SC2154 # variables of host and common.sh
# Lines of src/ that tests run. clang's counters lie in files that a process maps as it starts: what it has done counts
# though it is killed, executes another program, or has left the host's tree, and no line of src/ is there for it.

# Both in the box.
coverage_data=/build/coverage-data
coverage_llvm=/usr/lib/llvm-19/bin
coverage_instance=$instance-coverage

# With counters. %m: a file for each program; %c: it is mapped. Several sources at once: half the compile time.
counting=(--native-file /src/tests/fuzz/clang.ini -Doptimization=0 -Ddebug=false -Dwerror=false
    -Dunity=on -Dunity_size=5 -Dcpp_link_args=-fprofile-instr-generate)
counting_args="-fprofile-instr-generate=$coverage_data/%m%c.profraw -fcoverage-mapping -mllvm -runtime-counter-relocation"

build_configure_coverage() { build_configure "$1" coverage "${counting[@]}" -Dcpp_args="$counting_args" -Dtests=false; }

# The unit tests count with sanitizers: compiled once for both.
build_configure_asan() {
    build_configure "$1" asan "${counting[@]}" -Dcpp_args="-g1 $counting_args" \
        -Db_sanitize=address,undefined -Db_lundef=false
}
build_asan() {
    build_configure_asan "$1" || return
    say "compiling tests with sanitizers"
    quietly "$build_dir/asan.log" builder "$1" ninja --quiet -C /build/asan meson-test-prereq
}

# Plain users write there, too, and root of user namespaces.
make_coverage_data() {
    (box_exec root rm -rf "$coverage_data") && (box_exec root install -d -m 0777 "$coverage_data") &&
        (box_exec root /src/tests/host/coverage.py open "$coverage_data")
}

# In a subshell: the box that these programs are installed in, beside that of what users get.
in_coverage_box() {
    instance=$coverage_instance
    box_dir=$cache/box/$instance
    box_name=sctr-host-$instance
    "$@"
}

# Ahead of the suite, while there is time.
suite_coverage_build() (
    in_coverage_box build_to_count "$1"
)

build_to_count() {
    # Both suites may be about it.
    hold_lock "count-$instance"
    build_asan "$1" || return
    kind=box build_product "$1" coverage
}

# The suites unit, system and oci once more, with programs that count.
suite_coverage() (
    in_coverage_box count_lines "$1"
)

# Where system and oci have just run, the tests that took them long are left out: they find what the others do not, but
# hardly in other lines, and the figure is the least it can be.
count_lines() {
    local lower=$1 folder slow
    (build_to_count "$lower") || return
    (hold_lock "box-$instance" && kind=box host_up "$lower" coverage) || return
    make_coverage_data || return
    (box_exec root meson test -C /build/asan --no-rebuild --suite unit) >"$results/coverage-unit.out" 2>&1 </dev/null || true
    for folder in system oci; do
        slow=()
        [ ! -f "$results/$folder.xml" ] || slow=(-p slow --slow "/build/results/$folder.xml")
        (box_exec root env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/src/tests/host SCTR_TEST_DEADLINE=60 \
            python3 -m pytest "/src/tests/$folder" -p no:cacheprovider -q "${slow[@]}") \
            >"$results/coverage-$folder.out" 2>&1 </dev/null || [ $? = 1 ] || { tail -n 60 "$results/coverage-$folder.out" >&2 && return 1; }
    done
    (box_exec root /src/tests/host/coverage.py sum "$coverage_data" /build/coverage /build/asan /build/results "$coverage_llvm") || return
    box_down
}
