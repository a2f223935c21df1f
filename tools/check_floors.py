#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No include goes up: a file sees public headers, its own floor, and the floors below.

Usage: check_floors.py [ROOT]"""

import os
import re
import sys

import csource

FLOORS = {'base': 0, 'park': 1, 'sync': 2, 'shared': 2, 'thread': 3, 'exec': 4}
SEAMS = {
    'light': {'park/strand.h', 'base/deque.h', 'exec/deque.h'},
    'explore': {'park/strand.h'},
    'trace': {'base/probe.h'},
    'process': {'exec/backend.h', 'exec/ranks.h', 'process/backend.h'},
    'mpi': {'exec/backend.h', 'process/backend.h'},
    'python': set(), 'cli': set(), 'examples': set(), 'bench': set(),
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def breach_of(root, path, name, quoted):
    """Says what is wrong with `path` including `name`, or None."""
    parts = path.split(os.sep)
    public = name == 'thrum.h' or name.startswith('thrum/')
    if public and os.path.exists(os.path.join(root, 'include', name)):
        return None
    if public:
        return 'no such public header'
    floor = name.split('/')[0]
    if parts[0] == 'include':
        return 'a public header includes an internal one' if quoted or floor in FLOORS else None
    if not quoted:
        return 'internal headers are included with quotes' if floor in FLOORS else None
    if parts[0] in SEAMS:
        own = os.path.exists(os.path.join(root, os.path.dirname(path), name))
        own = own or os.path.exists(os.path.join(root, parts[0], name))
        return None if own or name in SEAMS[parts[0]] else 'an annex includes an internal header'
    if floor not in FLOORS or '/' not in name:
        return 'write internal includes as "floor/file.h"'
    if not os.path.exists(os.path.join(root, 'src', name)):
        return 'no such file'
    if FLOORS[floor] > FLOORS[parts[1]]:
        return f'floor {FLOORS[parts[1]]} includes floor {FLOORS[floor]}'
    if FLOORS[floor] == FLOORS[parts[1]] and floor != parts[1]:
        return 'the two halves of a floor do not see each other'
    return None


def main(root='.'):
    breaches = []
    count = 0
    paths = csource.files(root, ['src', 'include', *SEAMS], ('.c', '.h', '.def'))
    for path in paths:
        parts = path.split(os.sep)
        if parts[0] == 'src' and (len(parts) != 3 or parts[1] not in FLOORS):
            breaches.append(f'{path}:1: not on a floor')
            continue
        text = open(os.path.join(root, path), encoding='utf-8').read()
        for match in INCLUDE.finditer(text):
            count += 1
            why = breach_of(root, path, match.group(1) or match.group(2), bool(match.group(1)))
            if why:
                line = text.count('\n', 0, match.start()) + 1
                breaches.append(f'{path}:{line}: {match.group(1) or match.group(2)}: {why}')
    return csource.report('check_floors', breaches, f'{len(paths)} files, {count} includes')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
