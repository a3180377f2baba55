# Functions that the tools share. Sourced by them, with bash; does nothing by itself.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
release_folder="$root/.build-release"
release_binaries="$release_folder/release"

# Flags of every build: an import that Package.swift does not allow is an error.
build_flags=(--explicit-target-dependency-import-check error)
# Flags of release builds: debug builds and tests keep the check of exclusive access.
release_flags=(-c release --scratch-path "$release_folder" -Xswiftc -enforce-exclusivity=unchecked "${build_flags[@]}")

# Messages go to standard error, so that a program's output can be piped.
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'
else
    bold='' red='' yellow='' plain=''
fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }
warn() { printf '%s==>%s %s\n' "$yellow" "$plain" "$*" >&2; }
die() { printf '%s==>%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }

# tidied COMMAND…: runs a command of the Swift package manager, which leaves an empty folder behind for every process that
# it starts, with a folder for temporary files that is removed afterwards.
tidied() {
    local folder status=0
    folder=$(mktemp -d)
    TMPDIR="$folder" "$@" || status=$?
    rm -rf "$folder"
    return "$status"
}

# need_packages NAME…: installs the Debian packages of the list that are missing.
need_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "Missing packages: ${missing[*]}. Install them with apt-get and try again."
        become=(sudo)
    fi
    say "Installing ${missing[*]}"
    local install=("${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
    # The first attempt fails where the package lists have never been fetched or are out of date.
    "${install[@]}" "${missing[@]}" >&2 || {
        "${become[@]}" apt-get update -q >&2
        "${install[@]}" "${missing[@]}" >&2
    } || die "The packages could not be installed: ${missing[*]}"
}

need_swift() {
    command -v swift >/dev/null || die "Swift 6.3 is needed: no swift in PATH. See https://www.swift.org/install/linux/"
}

# need_build_tools: what compiling takes, beside Swift.
need_build_tools() {
    need_swift
    need_packages liblz4-dev libzstd-dev
}

# build_release PRODUCT: builds a release product unless it is newer than all sources.
build_release() {
    local product=$1 binary="$release_binaries/$1" stamp="$release_folder/$1.built"
    if [ -x "$binary" ] && [ -e "$stamp" ] &&
        [ -z "$(find "$root/Sources" "$root/Package.swift" -newer "$stamp" -print -quit)" ]; then
        return
    fi
    need_build_tools
    say "Building $product (the first time takes some minutes)"
    mkdir -p "$release_folder"
    # The stamp is as old as the start of the build: what is edited meanwhile is built the next time.
    touch "$stamp.new"
    (cd "$root" && tidied swift build "${release_flags[@]}" --product "$product" >&2) || die "The build of $product failed."
    mv "$stamp.new" "$stamp"
}

# is_open PORT [ADDRESS]: whether something accepts connections there, by default at 127.0.0.1.
is_open() {
    (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null
}
