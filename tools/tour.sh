#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the programs of examples/ in order, each under a heading; stops at the first that fails. Then
# tree_sum reads the machine's own files; that some of them are not for everybody is no failure. Then
# the programs of examples/python/ under thrum, if its Python half has been built.
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
    sed -n -e '/SPDX/d' -e '/^\/\*/{s|^/\* *||;s| *\*/$||;p;q;}' -e '/^"""/{s|"""||g;p;q;}' "$1"
}

# heading NUMBER FILE
heading() {
    printf '%s%s  %s%s   [examples/%s]\n\n' "$bold" "$1" "$(title "$sources/$2")" "$plain" "$2"
}

stop_unless() {
    if [ "$1" -ne 0 ]; then
        echo "tour: $2 ended with exit code $1" >&2
        exit 1
    fi
    echo
}

for source in "$sources"/[0-9]*.c; do
    program=$(basename "$source" .c)
    heading "${program%%_*}" "$program.c"
    "$build/examples/$program" 2>&1
    stop_unless $? "$program"
done

for files in /usr/include /usr/share /etc; do
    [ -d "$files" ] && break
done
sums=$(mktemp) || exit 1
trap 'rm -f "$sums"' EXIT
heading '  ' tree_sum.c
echo "\$ tree_sum $files"
"$build/examples/tree_sum" "$files" >"$sums"
status=$?
echo "The last of its lines, of which each is a checksum, a size and a path:"
tail -n 3 "$sums"
[ "$status" -eq 1 ] && status=0
stop_unless "$status" tree_sum

# Those from 22 on call the tasks of a library.
python_programs() {
    for source in "$sources"/python/[0-9]*.py; do
        program=$(basename "$source" .py)
        number=${program%%_*}
        library=
        [ "$number" -ge 22 ] && library=$build/examples/python/libnative.so
        heading "$number" "python/$program.py"
        "$build/examples/python/run" "$source" ${library:+"$library"} 2>&1
        stop_unless $? "python/$program.py"
    done
}

if [ -x "$build/examples/python/run" ]; then
    echo "The same in Python, unchanged programs with thrum in place of the standard library's objects:"
    echo
    python_programs
else
    cat "$build/examples/python/left_out" 2>/dev/null || echo "The Python half is left out: it was not built"
    echo
fi
echo "Next: change something in examples/ and run it again; README.md says where to read on."
