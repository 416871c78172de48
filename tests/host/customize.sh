#!/usr/bin/env bash
# mmdebstrap's last step on a new root file system: what the packages do not do by themselves.
set -euo pipefail
root=$1

chroot "$root" useradd --create-home --uid 1000 --user-group --shell /bin/bash guest
# useradd may have chosen other ranges; tests rely on these.
printf 'guest:100000:65536\ncontainers:2147483647:2147483648\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
mkdir -p "$root/var/lib/systemd/linger"
touch "$root/var/lib/systemd/linger/guest"

# Empty means: make an id at each boot, and do not treat it as the first boot ever.
: >"$root/etc/machine-id"
echo sctr-host >"$root/etc/hostname"
printf '127.0.0.1 localhost sctr-host\n::1 localhost\n' >"$root/etc/hosts"
echo LANG=C.UTF-8 >"$root/etc/default/locale"

mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system.conf.d"
# No rate limit: a burst of output that a test writes must arrive whole.
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRateLimitBurst=0\n' \
    >"$root/etc/systemd/journald.conf.d/sctr-host.conf"
printf '[Manager]\nDefaultTimeoutStopSec=10s\n' >"$root/etc/systemd/system.conf.d/sctr-host.conf"

# Tells the machine outside how the boot went, on a fifo (box) or a serial port (VM).
cat >"$root/etc/systemd/system/sctr-host-ready.service" <<'UNIT'
[Unit]
Description=Report the end of the boot to the machine outside

[Service]
Type=exec
ExecStart=/bin/sh -c 'state=$(systemctl is-system-running --wait); for port in /run/host/sctr/boot /dev/ttyS1; do [ -e $port ] && echo "boot $state" 1<>$port; done; exit 0'

[Install]
WantedBy=multi-user.target
UNIT

# Daemons that only some tests want: they start them. Timers: nothing may run beside a bench.
unwanted=(
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    containerd.service docker-registry.service podman.service podman.socket podman-auto-update.timer
    podman-restart.service podman-clean-transient.service ssh.service ssh.socket
    apparmor.service iperf3.service nftables.service netavark-dhcp-proxy.socket netavark-dhcp-proxy.service e2scrub_reap.service
)
present=()
for unit in "${unwanted[@]}"; do
    [ -e "$root/usr/lib/systemd/system/$unit" ] && present+=("$unit")
done
chroot "$root" systemctl --quiet disable "${present[@]}"
chroot "$root" systemctl --quiet enable sctr-host-ready.service
chroot "$root" systemctl --quiet mask systemd-firstboot.service systemd-pstore.service \
    systemd-networkd-wait-online.service getty@tty1.service getty-static.service \
    console-getty.service serial-getty@ttyS0.service serial-getty@ttyS1.service

# Else each boot would first rebuild what packages may have left stale (ldconfig, the journal catalog).
touch --reference="$root/usr" "$root/etc/.updated" "$root/var/.updated"

export APT_CONFIG="${MMDEBSTRAP_APT_CONFIG:?set by mmdebstrap}"
if [ -x "$root/usr/sbin/sshd" ]; then
    rm -f "$root/boot/"*
    (
        cd "$root/tmp"
        # The package itself would pull in and run an initramfs generator; the VM brings its own initrd.
        image=$(apt-cache depends --important linux-image-cloud-amd64 |
            sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
        apt-get -q download "$image"
        dpkg-deb --extract "$image"_*.deb "$root"
        rm "$image"_*.deb
    )
    chroot "$root" depmod "$(basename "$root"/lib/modules/*)"
fi

# Debian packages the libraries of the compliance suite and not its programs: these are in the source package alone.
fetch_compliance_suite() {
    local work=$root/tmp/source options
    mkdir -p "$work/lists" "$root/usr/src/runtime-tools" &&
        sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$work/list" &&
        options=(-q -o Dir::Etc::SourceList="$work/list" -o Dir::State::Lists="$work/lists") &&
        apt-get "${options[@]}" update &&
        (cd "$work" && apt-get "${options[@]}" source --download-only --tar-only golang-github-opencontainers-runtime-tools) &&
        tar --extract --file "$work"/golang-github-opencontainers-runtime-tools_*.orig.tar.* \
            --directory "$root/usr/src/runtime-tools" --strip-components=1
}

if [ -d "$root/usr/share/gocode/src/github.com/opencontainers/runtime-tools" ]; then
    (fetch_compliance_suite) || {
        # A mirror may have no sources: the host is whole without, and the suite says that it could not run.
        echo "no sources of the compliance suite" >&2
        rm -rf "$root/usr/src/runtime-tools"
    }
    rm -rf "$root/tmp/source"
fi
