#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the programs of examples/ in order, each under a heading; stops at the first that fails.
set -u

if [ $# -ne 1 ] || [ ! -d "$1/examples" ]; then
    echo "usage: tour.sh BUILD_DIR (a build directory that holds examples/)" >&2
    exit 2
fi
build=$1
sources=$(dirname "$0")/../examples

bold= plain=
if [ -t 1 ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

title() {
    sed -n -e '/SPDX/d' -e '/^\/\*/{s|^/\* *||;s| *\*/$||;p;q;}' "$1"
}

for source in "$sources"/[0-9]*.c; do
    program=$(basename "$source" .c)
    printf '%s%s  %s%s   [examples/%s.c]\n\n' \
        "$bold" "${program%%_*}" "$(title "$source")" "$plain" "$program"
    "$build/examples/$program" 2>&1
    status=$?
    if [ "$status" -ne 0 ]; then
        echo "tour: $program ended with exit code $status" >&2
        exit 1
    fi
    echo
done
echo "Next: change something in examples/ and run it again; README.md says where to read on."
