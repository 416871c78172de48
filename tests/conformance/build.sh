#!/usr/bin/env bash
# Builds the compliance suite of the OCI runtime specification into DIRECTORY, from the sources of Debian that the
# host has (see tests/host/customize.sh), without a network. Usage: build.sh DIRECTORY
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
directory=$1
source=/usr/src/runtime-tools
module=$directory/gopath/src/github.com/opencontainers/runtime-tools
shim=$directory/gopath/src/github.com/mndrix/tap-go
mkdir -p "$directory/bin" "$module" "$shim"
cp -a "$source/." "$module"
cp "$here/tap-go/tap.go" "$shim"
export GOPATH=$directory/gopath:/usr/share/gocode GO111MODULE=off GOCACHE=$directory/cache GOFLAGS=-p=2
cd "$module"
# It runs inside containers that have no libraries.
CGO_ENABLED=0 go build -o "$directory/bin/runtimetest" ./cmd/runtimetest
go build -o "$directory/bin/" ./validation/...
cp "$source"/rootfs-*.tar.gz "$directory/bin"
