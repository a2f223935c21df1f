#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a part of Twisted's own tests under python3 -m thrum, and beside it without: the same must pass.

Twisted is a program of some size with threads of its own: pools that grow and shrink, workers fed by a
queue, calls from threads into the event loop and back, database connections in threads, WSGI. What
fails only under thrum may try again twice: some of the tests count on a machine that is not busy."""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ('twisted._threads', 'twisted.enterprise', 'twisted.logger', 'twisted.internet.test.test_base',
           'twisted.internet.test.test_threads', 'twisted.test.test_threadable',
           'twisted.test.test_threadpool', 'twisted.test.test_threads', 'twisted.web.test.test_wsgi')
LEAST = 500
USED = ('Event', 'Queue')


def run(folder, names, *options):
    os.makedirs(folder, exist_ok=True)
    out = os.path.join(folder, 'out.json')
    done = subprocess.run([sys.executable, *options, os.path.join(HERE, 'twisted_suite.py'), out, *names],
                          cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=500)
    if not os.path.exists(out):
        sys.exit(done.stdout)
    with open(out, encoding='utf-8') as file:
        result = json.load(file)
    return result['tests'], result['made']


def worse(plain, ours):
    return sorted(name for name in plain.keys() | ours.keys()
                  if ours.get(name, 'missing') not in ('ok', plain.get(name, 'missing')))


def main():
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
        beside = executor.submit(run, os.path.join(folder, 'plain'), MODULES)
        ours, made = run(os.path.join(folder, 'ours'), MODULES, '-m', 'thrum')
        plain = beside.result()[0]
        for _ in range(2):
            if failed := worse(plain, ours):
                print('once more:', *failed)
                ours.update(run(os.path.join(folder, 'again'), failed, '-m', 'thrum')[0])
    wrong = [f'{name}: {ours.get(name)} (plain: {plain.get(name)})' for name in worse(plain, ours)]
    wrong += [f'no {name} was made' for name in USED if not made[name]]
    if len(ours) < LEAST:
        wrong.append(f'only {len(ours)} tests ran, not {LEAST}')
    print(*wrong, sep='\n', end='\n' if wrong else '')
    ok, before = (list(words.values()).count('ok') for words in (ours, plain))
    print(f'Twisted: {ok} of {len(ours)} pass, {before} without thrum; made {made}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
