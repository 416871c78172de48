# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# Builds the checkout in a throw-away copy of the host's root file system: box and VM get the same files.

# builder LOWER COMMAND...: runs it in that root, with the checkout at /src and build directories at /build.
builder() {
    local lower=$1
    shift
    mkdir -p "$cache/ccache" "$cache/builder"
    # No network: a build that would fetch something must fail here, not elsewhere.
    (
        # ninja does not expect another ninja in its directory.
        hold_lock "build-$instance"
        exec unshare --mount --pid --fork --kill-child --net --ipc -- \
            bash "$here/builder-init.sh" "$cache/builder" "$lower" "$checkout" "$build_dir" "$cache/ccache" "$@"
    )
}

# build_configure LOWER NAME [MESON_OPTION...]: makes build directory /build/NAME unless it is there with these options.
build_configure() {
    local lower=$1 name=$2 options=$build_dir/$2.options
    shift 2
    [ -f "$checkout/meson.build" ] || die "$checkout has no meson.build: nothing to build"
    mkdir -p "$build_dir"
    # build.ninja is what meson writes last: without it a set-up was cut short.
    if [ -f "$build_dir/$name/build.ninja" ] && [ "$(cat "$options" 2>&1)" = "$*" ]; then return 0; fi
    rm -rf "${build_dir:?}/$name"
    say "configuring build directory $name"
    quietly "$build_dir/$name.log" builder "$lower" \
        meson setup "/build/$name" /src --prefix=/usr --wrap-mode=nodownload "$@" || return
    echo "$*" >"$options"
}

# What is installed: as users get it, but for debug information, which takes a third of the compile time.
build_configure_default() { build_configure "$1" default -Doptimization=2 -Ddebug=false; }

# Several files in one go: half the compile time, for those who have no build directory yet. Names of different
# files may shadow each other in it, which the warnings of the default build must not judge.
build_configure_quick() {
    build_configure "$1" quick -Doptimization=2 -Ddebug=false -Dtests=false -Dunity=on -Dunity_size=5 -Dwerror=false
}

# All of it, the tests too.
build_default() {
    build_configure_default "$1" || return
    say "compiling build directory default"
    quietly "$build_dir/default.log" builder "$1" ninja --quiet -C /build/default
}

# build_product LOWER [BUILD]: leaves what `meson install` installs in $build_dir/dest-$kind-BUILD, for push_product.
build_product() {
    local lower=$1 build=${2:-default} outputs
    "build_configure_$build" "$lower" || return
    # Again after a change of meson.build, which may change the list that follows.
    quietly "$build_dir/$build.log" builder "$lower" ninja --quiet -C "/build/$build" build.ninja || return
    # Without the tests: nobody who tries sctr should wait for them.
    outputs=$(builder "$lower" python3 /src/tests/host/installed_targets.py "/build/$build") || return
    say "compiling sctr"
    # shellcheck disable=SC2086 # a list of file names without blanks
    quietly "$build_dir/$build.log" builder "$lower" ninja --quiet -C "/build/$build" $outputs || return
    rm -rf "$build_dir/dest-$kind-$build"
    quietly "$build_dir/install.log" builder "$lower" \
        env DESTDIR="/build/dest-$kind-$build" meson install -C "/build/$build" --no-rebuild
}

# push_product [BUILD]: unpacks the product in the running host of $kind and tells its systemd and its bus.
push_product() {
    local build=${1:-default}
    # Without the directories: while tar unpacks one that is there, nobody but root may look into it, not even the bus,
    # which reads its configuration anew at once and takes no more connections where it cannot.
    (cd "$build_dir/dest-$kind-$build" && find . ! -type d -print0) |
        tar --create --directory "$build_dir/dest-$kind-$build" --xattrs --null --no-recursion --files-from=- |
        ("${kind}_exec" root sh -c "umask 022 && tar --extract --directory / --xattrs --xattrs-include='*'") ||
        die "could not install the product in the $kind"
    ("${kind}_exec" root sh -c 'systemctl daemon-reload && systemctl reload dbus') ||
        die "systemd of the $kind, or its bus, does not reload"
    [ "$kind" = box ] || tar --create --directory "$checkout" tests README.md |
        (vm_exec root tar --extract --directory /src --recursive-unlink) || die "could not send the tests to the VM"
}
