#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: install.sh pkgconfig|cmake|man BUILD CMAKE COMPILER [FLAGS]   Installs BUILD into an empty
# place and uses it from there as a stranger would, with the shared and with the static library.

way=$1
build=$2
cmake=$3
compiler=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

fail() {
    echo "install.sh $way: $*" >&2
    exit 1
}

# Runs a consumer: it must print its line, and use the shared library or not, as the second word says.
check() {
    output=$(LD_LIBRARY_PATH=$(dirname "$shared") "$1") || fail "$1 ends with $?"
    [ "$output" = 'Thread-1: 41 + 1 = 42' ] || fail "$1 prints: $output"
    if readelf -d "$1" | grep -q 'NEEDED.*libthrum\.so\.0'; then
        [ "$2" = shared ] || fail "$1 uses the shared library"
    else
        [ "$2" = static ] || fail "$1 does not use the shared library"
    fi
}

"$cmake" --install "$build" --prefix "$prefix" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail 'cmake --install'
}
shared=$(find "$prefix" -name libthrum.so)
static=$(find "$prefix" -name libthrum.a)
pc=$(find "$prefix" -name thrum.pc)
[ -n "$shared" ] && [ -n "$static" ] && [ -n "$pc" ] || fail 'a library or thrum.pc is missing'

case $way in
pkgconfig)
    sed -i "s|^prefix=.*|prefix=$prefix|" "$pc"
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs thrum) || fail 'pkg-config'
    # shellcheck disable=SC2086
    "$compiler" "$@" -o "$work/shared" "$here/consumer.c" $flags || fail 'the shared consumer'
    check "$work/shared" shared
    flags="$(pkg-config --cflags thrum) $static -pthread"
    # shellcheck disable=SC2086
    "$compiler" "$@" -o "$work/static" "$here/consumer.c" $flags || fail 'the static consumer'
    check "$work/static" static
    ;;
cmake)
    "$cmake" -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="$*" >"$work/log" 2>&1 &&
        "$cmake" --build "$work/build" >>"$work/log" 2>&1 || {
        cat "$work/log"
        fail 'find_package(thrum)'
    }
    check "$work/build/shared" shared
    check "$work/build/static" static
    ;;
man)
    pages=$(find "$prefix" -name 'thrum_*.3' | wc -l)
    [ "$pages" -gt 50 ] || fail "$pages man pages"
    page=$(find "$prefix" -name thrum_lock_acquire_until.3)
    grep -q 'ETIMEDOUT' "$page" || fail 'thrum_lock_acquire_until.3 does not name its error'
    if command -v mandoc >/dev/null 2>&1; then
        find "$prefix" -name '*.3' -exec mandoc -T lint -W warning {} + || fail 'mandoc'
    fi
    ;;
*) fail 'unknown way' ;;
esac
