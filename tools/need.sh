#!/bin/sh
# SPDX-License-Identifier: MIT
# Usage: need.sh PACKAGE...   Fetches with apt the Debian packages that are missing.
# A package that is named like its command counts as present when the command is there.

missing=
for package in "$@"; do
    if command -v "$package" >/dev/null 2>&1; then
        continue
    fi
    if ! command -v dpkg-query >/dev/null 2>&1; then
        case $package in
        lib*) continue ;; # not a Debian: CMake finds the library, or says that it does not
        esac
    elif [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ]; then
        continue
    fi
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "thrum: please install:$missing (there is no apt-get here to do it)" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "thrum: please install:$missing (needs root, or sudo without a password)" >&2
    exit 1
fi

echo "thrum: fetching with apt-get:$missing"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
# An index that could not be fetched whole does not matter if the packages can be.
if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update;
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    echo "thrum: apt-get could not install:$missing" >&2
    exit 1
fi
