#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a module of CPython's own test suite, unchanged, with thrum's types in place, and beside it without.

Usage: conform.py PACKAGE_DIR MODULE

The types are put in place by a .pth file of a virtual environment, so that the children which
the tests start have them too. Fails when a test has another outcome than in the plain run that
expected.txt does not name, when a test named there passes, or when the types were not used."""

import json
import os
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))

# What a run of the module has to have made at least, and how many tests it has at least.
USED = {
    'lock_tests': (85, ('Barrier', 'Condition', 'Semaphore', 'BoundedSemaphore', 'Event')),
    'test_thread': (24, ()),
    'test_threading': (190, ('Barrier', 'Condition', 'Semaphore', 'BoundedSemaphore', 'Event')),
    'test_queue': (54, ('Queue', 'LifoQueue', 'PriorityQueue')),
    'test_threadsignals': (6, ()),
}


def environment(folder, package):
    """Make the virtual environment, and return its python."""
    venv.create(folder, symlinks=True)
    python = os.path.join(folder, 'bin', 'python')
    site = subprocess.run([python, '-c', 'import site; print(site.getsitepackages()[0])'],
                          check=True, capture_output=True, text=True).stdout.strip()
    with open(os.path.join(site, 'thrum_conform.pth'), 'w', encoding='utf-8') as file:
        file.write(f'{package}\n{HERE}\nimport thrum_conform\n')
    return python


def run(python, module, folder):
    """Run the module's tests; returns the outcome of each, and what was made."""
    out = os.path.join(folder, 'out.json')
    name = module if module == 'lock_tests' else f'test.{module}'
    subprocess.run([python, os.path.join(HERE, 'suite.py'), out, name], cwd=folder, timeout=280)
    with open(out, encoding='utf-8') as file:
        result = json.load(file)
    os.remove(out)
    return result['tests'], result['made']


def expected(module):
    """The tests of the module that cannot pass, and why."""
    tests = {}
    with open(os.path.join(HERE, 'expected.txt'), encoding='utf-8') as file:
        for line in file:
            if line.strip() and not line.startswith('#'):
                name, why = line.strip().split(': ', 1)
                if name.startswith(f'test.{module}.'):
                    tests[name] = why
    return tests


def judge(module, plain, ours, made):
    wrong = []
    least, types = USED[module]
    excused = expected(module)
    if len(ours) < least:
        wrong.append(f'only {len(ours)} tests ran, not {least}')
    for name in sorted(set(plain) | set(ours)):
        before, after = plain.get(name, 'missing'), ours.get(name, 'missing')
        if name in excused and after == 'ok':
            wrong.append(f'{name}: passes, take it out of expected.txt')
        elif name not in excused and after != before and after != 'ok':
            wrong.append(f'{name}: {after} (plain: {before})')
    for name in types:
        if not made.get(name):
            wrong.append(f'no {name} was made')
    return wrong


def main(package, module):
    with tempfile.TemporaryDirectory() as folder:
        python = environment(os.path.join(folder, 'venv'), os.path.abspath(package))
        ours, made = run(python, module, folder)
        if module == 'lock_tests':
            plain = {name: 'skipped' if word == 'skipped' else 'ok' for name, word in ours.items()}
        else:
            plain = run(sys.executable, module, folder)[0]
    wrong = judge(module, plain, ours, made)
    for line in wrong:
        print(line)
    passed = sum(outcome == 'ok' for outcome in ours.values())
    print(f'{module}: {passed} of {len(ours)} pass, {sum(o == "ok" for o in plain.values())} without '
          f'thrum; made {made}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
