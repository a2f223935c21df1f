#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a module of CPython's own test suite, unchanged, with thrum's types in place, and beside it without.

Usage: conform.py PACKAGE_DIR SUITE

The types are put in place by a .pth file of a virtual environment, so that the children which
the tests start have them too. Fails when a test has another outcome than in the plain run that
expected.txt does not name, when a test named there passes, or when the types were not used. A suite
is a module, or a part of one. What has failed is tried again, and said: some of CPython's tests count on a
machine that is not busy. Once in suites that judge our types, twice in those that only must not suffer
from them."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))

SYNC = ('Barrier', 'Condition', 'Semaphore', 'BoundedSemaphore', 'Event')
POOL = ('Future', 'ThreadPoolExecutor')


class Suite:
    """How many tests it has at least, what it has to have made, the patterns of its tests' names, and
    whether it judges our types."""

    def __init__(self, least, types=(), patterns=(), judges=False, module=None):
        self.least, self.types, self.patterns = least, types, patterns
        self.judges, self.module = judges, module


SUITES = {
    'lock_tests': Suite(85, SYNC, judges=True),
    'test_thread': Suite(24, judges=True),
    'test_threading': Suite(190, SYNC, judges=True),
    'test_queue': Suite(54, ('Queue', 'LifoQueue', 'PriorityQueue'), judges=True),
    'test_threadsignals': Suite(6, judges=True),
    'futures.threads': Suite(64, POOL, ('*.FutureTests.*', '*.ThreadPool*'), judges=True,
                             module='test_concurrent_futures'),
    'futures.fork': Suite(59, ('Future',), ('*.ProcessPoolFork[!s]*',), module='test_concurrent_futures'),
    'futures.forkserver': Suite(59, ('Future',), ('*.ProcessPoolForkserver*',),
                                module='test_concurrent_futures'),
    'futures.spawn': Suite(59, ('Future',), ('*.ProcessPoolSpawn*',), module='test_concurrent_futures'),
    'test_asyncio.test_futures': Suite(155, ('Future',)),
    'test_asyncio.test_threads': Suite(6, POOL),
    'test_asyncio.test_base_events': Suite(105, POOL),
    'test_asyncio.test_events': Suite(240, POOL),
    'test_asyncio.test_tasks': Suite(900, POOL),
    'test_context': Suite(43, POOL),
    'test_logging': Suite(200, ('Queue',)),
    'test_sched': Suite(11),
    'test_socketserver': Suite(27),
    'test_threading_local': Suite(21),
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


def run(python, module, folder, patterns):
    """Run the module's tests; returns the outcome of each, and what was made."""
    os.makedirs(folder, exist_ok=True)
    out = os.path.join(folder, 'out.json')
    name = module if module == 'lock_tests' else f'test.{module}'
    subprocess.run([python, os.path.join(HERE, 'suite.py'), out, name, *patterns], cwd=folder,
                   timeout=580)
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


def both(python, suite, module, folder):
    """Run with our types and without; at the same time, if that cannot fail a test for good."""
    with ThreadPoolExecutor(1 if suite.judges else 2) as executor:
        ours = executor.submit(run, python, module, os.path.join(folder, 'ours'), suite.patterns)
        if module != 'lock_tests':
            plain = executor.submit(run, sys.executable, module, os.path.join(folder, 'plain'),
                                    suite.patterns)
            return *ours.result(), plain.result()[0]
        tests, made = ours.result()
        return tests, made, {name: 'skipped' if word == 'skipped' else 'ok' for name, word in tests.items()}


def again(python, module, folder, plain, ours, chances):
    """Give those that fail only with our types more chances."""
    for _ in range(chances):
        failed = [name for name, word in ours.items()
                  if word not in ('ok', plain.get(name)) and name not in expected(module)]
        if not failed:
            break
        print('once more:', *failed)
        ours.update(run(python, module, folder, failed)[0])


def judge(suite, module, plain, ours, made):
    wrong = []
    excused = expected(module)
    if len(ours) < suite.least:
        wrong.append(f'only {len(ours)} tests ran, not {suite.least}')
    for name in sorted(set(plain) | set(ours)):
        before, after = plain.get(name, 'missing'), ours.get(name, 'missing')
        if name in excused and after == 'ok':
            wrong.append(f'{name}: passes, take it out of expected.txt')
        elif name not in excused and after != before and after != 'ok':
            wrong.append(f'{name}: {after} (plain: {before})')
    for name in suite.types:
        if not made.get(name):
            wrong.append(f'no {name} was made')
    return wrong


def main(package, name):
    suite = SUITES[name]
    module = suite.module or name
    with tempfile.TemporaryDirectory() as folder:
        python = environment(os.path.join(folder, 'venv'), os.path.abspath(package))
        ours, made, plain = both(python, suite, module, folder)
        again(python, module, folder, plain, ours, 1 if suite.judges else 2)
    wrong = judge(suite, module, plain, ours, made)
    for line in wrong:
        print(line)
    passed = sum(outcome == 'ok' for outcome in ours.values())
    print(f'{name}: {passed} of {len(ours)} pass, {sum(o == "ok" for o in plain.values())} without '
          f'thrum; made {made}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
