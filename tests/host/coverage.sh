# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# Lines of src/ that tests run. clang's counters lie in files that a process maps as it starts: what it has done counts
# though it is killed, executes another program, or has left the host's tree, and no line of src/ is there for it.

# Both in the box.
coverage_data=/build/coverage-data
coverage_llvm=/usr/lib/llvm-19/bin

build_configure_coverage() {
    # %m: a file for each program; %c: it is mapped.
    build_configure "$1" coverage --native-file /src/tests/fuzz/clang.ini -Doptimization=0 -Ddebug=false -Dwerror=false \
        -Dtests=false -Dunity=on -Dunity_size=5 -Dcpp_link_args=-fprofile-instr-generate \
        -Dcpp_args="-fprofile-instr-generate=$coverage_data/%m%c.profraw -fcoverage-mapping -mllvm -runtime-counter-relocation"
}

# The suites system and oci once more, with programs that count. Where those have just run, the tests that took them
# long are left out: they find what the others do not, but hardly in other lines, and the figure is the least it can be.
suite_coverage() {
    local lower=$1 folder slow=()
    (hold_lock "box-$instance" && kind=box host_up "$lower" coverage) || return
    (box_exec root rm -rf "$coverage_data") || return
    # Plain users write there, too, and root of user namespaces.
    (box_exec root install -d -m 0777 "$coverage_data") || return
    (box_exec root /src/tests/host/coverage.py open "$coverage_data") || return
    for folder in system oci; do
        slow=()
        [ ! -f "$results/$folder.xml" ] || slow=(-p slow --slow "/build/results/$folder.xml")
        (box_exec root env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/src/tests/host SCTR_TEST_DEADLINE=60 \
            python3 -m pytest "/src/tests/$folder" -p no:cacheprovider -q "${slow[@]}") \
            >"$results/coverage-$folder.out" 2>&1 </dev/null || [ $? = 1 ] || { tail -n 60 "$results/coverage-$folder.out" >&2 && return 1; }
    done
    (box_exec root /src/tests/host/coverage.py sum "$coverage_data" /build/coverage /build/results "$coverage_llvm")
}
