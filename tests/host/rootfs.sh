# shellcheck shell=bash disable=SC2154 # variables of host and common.sh
# Debian root file systems from the apt sources that the machine already has, kept in the cache.

suite=trixie

# The Debian archive as apt knows it. Never a host name of ours: the machine's administrator chose the mirror.
debian_mirror() {
    if [ -n "${SCTR_HOST_MIRROR:-}" ]; then
        printf '%s\n' "$SCTR_HOST_MIRROR"
        return
    fi
    command -v apt-get >/dev/null || die "apt-get is missing: the test host is made on Debian (or a relative with mmdebstrap and SCTR_HOST_MIRROR set)"
    local uri
    uri=$(apt_debian_uri)
    if [ -z "$uri" ]; then
        # A fresh image has sources but no lists, and apt names only what it has fetched.
        quietly "$cache/apt.log" apt-get update
        uri=$(apt_debian_uri)
    fi
    [ -n "$uri" ] || die "no Debian archive among apt's sources: add one, or set SCTR_HOST_MIRROR to the URI of a Debian mirror"
    printf '%s\n' "$uri"
}

apt_debian_uri() {
    # shellcheck disable=SC2016 # apt expands them
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $2 == "Debian" && !seen { print $3; seen = 1 }'
}

# Installs a program on the machine itself, from its own distribution.
machine_install() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    command -v apt-get >/dev/null || die "$program is missing and there is no apt-get: install $package yourself"
    say "installing $package on this machine"
    hold_lock apt
    DEBIAN_FRONTEND=noninteractive quietly "$cache/apt.log" apt-get install -y --no-install-recommends "$package" 2>/dev/null && return
    quietly "$cache/apt.log" apt-get update
    DEBIAN_FRONTEND=noninteractive quietly "$cache/apt.log" apt-get install -y --no-install-recommends "$package"
}

package_list() {
    local tier=$1
    case $tier in
    base) sed '/^#/d' "$here/packages.base" ;;
    full) sed '/^#/d' "$here/packages.base" "$here/packages.full" ;;
    container) ;;
    esac
}

# Everything that the content of a tier's root depends on.
root_key() {
    { echo "$suite" && package_list "$1" && cat "$here/customize.sh" && declare -f debootstrap_to; } | sha256sum | head -c 12
}

root_path() {
    printf '%s/root/%s-%s\n' "$cache" "$1" "$(root_key "$1")"
}

# Runs mmdebstrap so that even kill -9 leaves none of its mounts and processes on the machine.
debootstrap_to() {
    local target=$1 mirror
    shift
    machine_install mmdebstrap mmdebstrap
    mirror=$(debian_mirror)
    local proxies=() line
    while IFS= read -r line; do
        proxies+=(--aptopt="$line")
    done < <(apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy')
    quietly "$target.log" unshare --mount --pid --fork --kill-child --propagation private --mount-proc -- \
        timeout --kill-after=10 1200 mmdebstrap --mode=root --format=directory \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        "${proxies[@]}" "$@" "$suite" "$target" "$mirror"
}

# Makes the root file system of a tier if the cache has none for today's package list, and prints its path.
# Tiers: base and full are roots of a host; container is a minimal Debian for containers to run on.
root_make() {
    local tier=$1 path options
    path=$(root_path "$tier")
    if [ ! -d "$path" ]; then
        mkdir -p "$cache/root"
        (
            hold_lock "root-$tier"
            [ ! -d "$path" ] || exit 0
            rm -rf --one-file-system "$cache/root/.new-$tier"
            say "making the $tier root file system (Debian $suite), once"
            options=(--variant=minbase)
            [ "$tier" = container ] || options=(
                --variant=apt --include="$(package_list "$tier" | paste -sd,)" --customize-hook="$here/customize.sh"
            )
            debootstrap_to "$cache/root/.new-$tier" "${options[@]}" || exit
            mv -T "$cache/root/.new-$tier" "$path"
            root_forget_old "$tier" "$path"
        ) || die "could not make the $tier root file system"
    fi
    printf '%s\n' "$path"
}

# A running host keeps the root that it stands on.
root_forget_old() {
    local tier=$1 keep=$2 old
    for old in "$cache/root/$tier-"*; do
        [ "$old" = "$keep" ] && continue
        grep -qsFx "$old" "$cache"/{box,vm}/*/roots && continue
        rm -rf --one-file-system "$old"
    done
}

# What `try` needs: any root that is there, the smaller one if both must be made.
root_any() {
    local full
    full=$(root_path full)
    if [ -d "$full" ]; then printf '%s\n' "$full"; else root_make base; fi
}
