#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: alone.sh INCLUDE_DIR STANDARD COMPILER...   Compiles every public header alone, and twice in
# one file, with and without the fast paths inline.

include=$1
standard=$2
shift 2
case $standard in
c++*) language=c++ ;;
*) language=c ;;
esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

failed=0
count=0
for header in "$include"/thrum.h "$include"/thrum/*.h; do
    name=${header#"$include"/}
    printf '#include <%s>\n#include <%s>\nint thrum_test_unused;\n' "$name" "$name" >"$work/header.c"
    for mode in -UTHRUM_NO_INLINE -DTHRUM_NO_INLINE; do
        count=$((count + 1))
        if ! "$@" -x $language -std="$standard" -O2 -Wall -Wextra -Wpedantic -Werror "$mode" \
            -I"$include" -c -o "$work/header.o" "$work/header.c" 2>"$work/errors"; then
            echo "$name does not compile alone as $standard $mode:"
            sed -n 1,12p "$work/errors"
            failed=$((failed + 1))
        fi
    done
done
echo "$count headers compiled as $standard, $failed failed"
[ "$failed" -eq 0 ] && [ "$count" -gt 20 ]
