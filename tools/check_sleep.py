#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No test sleeps, outside tests/stress and tests/spec/time.c, where sleeping is the concept.

Usage: check_sleep.py [ROOT]"""

import os
import re
import sys

import csource

C_SLEEP = re.compile(r'\b(?:sleep|usleep|nanosleep|clock_nanosleep|thrum_sleep|thrum_sleep_until)'
                     r'\s*\(')
PY_SLEEP = re.compile(r'\b(?:time\.)?sleep\s*\(')
SH_SLEEP = re.compile(r'^[^#\n]*\bsleep [0-9$]', re.M)
ALLOWED = (os.path.join('tests', 'stress', ''), os.path.join('tests', 'spec', 'time.c'))


def check(root, path):
    if path.endswith(('.c', '.h')):
        text, pattern = csource.Source(path, root).code, C_SLEEP
    else:
        text = open(os.path.join(root, path), encoding='utf-8').read()
        pattern = PY_SLEEP if path.endswith('.py') else SH_SLEEP
    for match in pattern.finditer(text):
        line = text.count('\n', 0, match.end()) + 1
        yield f'{path}:{line}: a test sleeps: {match.group().strip()}'


def main(root='.'):
    breaches = []
    paths = [path for path in csource.files(root, ['tests'], ('.c', '.h', '.py', '.sh'))
             if not path.startswith(ALLOWED)]
    for path in paths:
        breaches += check(root, path)
    return csource.report('check_sleep', breaches, f'{len(paths)} files')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
