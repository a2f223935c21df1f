#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: must_fail.sh INCLUDE_DIR FILE COMPILER...   FILE must compile with -DGOOD, and without must be
# refused with a message that matches its `expect:` line (an extended regular expression). Its
# `flags:` line, if any, holds further compiler options.

include=$1
file=$2
shift 2
expect=$(sed -n 's|^/\* expect: \(.*\) \*/$|\1|p' "$file")
flags=$(sed -n 's|^/\* flags: \(.*\) \*/$|\1|p' "$file")
if [ -z "$expect" ]; then
    echo "$file has no expect: line"
    exit 1
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2086
compile() {
    LC_ALL=C "$@" -std=gnu11 $flags -I"$include" -c -o "$work/out.o" "$file" >"$work/messages" 2>&1
}

if ! compile "$@" -DGOOD; then
    echo "$file does not compile with -DGOOD, so that its failure proves nothing:"
    cat "$work/messages"
    exit 1
fi
if compile "$@"; then
    echo "$file compiles, and must not"
    exit 1
fi
if ! grep -Eq "error: .*($expect)" "$work/messages"; then
    echo "$file is refused, but not with: $expect"
    cat "$work/messages"
    exit 1
fi
