#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Judge the type stubs of the package that is on PYTHONPATH, with mypy.

Usage: typed.py stubs           what the stubs say against what the package has (stubtest)
       typed.py types [ARGS]    mypy --strict on types_*.py; the right ones run, too, with ARGS

mypy keeps nothing: with a cache it misses what a stub does not import any more."""

import glob
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
WRONG = os.path.join(HERE, 'types_wrong.py')


def run(*args):
    env = {**os.environ, 'MYPYPATH': os.environ['PYTHONPATH']}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, *args], cwd=folder, env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f'{" ".join(args)}: exit status {done.returncode}\n{done.stdout}')
    return done.stdout


def stubs():
    options = ['--allowlist', os.path.join(HERE, 'stubs_allowed.txt')]
    newer = '--ignore-disjoint-bases'  # there the stubs would need a decorator that older typesheds lack
    if newer in run('-m', 'mypy.stubtest', '--help'):
        options.append(newer)
    print(run('-m', 'mypy.stubtest', *options, 'thrum'), end='')


def types(*args):
    for program in sorted(glob.glob(os.path.join(HERE, 'types_*.py'))):  # each sees only what it imports
        run('-m', 'mypy', '--config-file=', '--cache-dir=/dev/null', '--strict', '--show-error-codes', program)
        if program != WRONG:
            run(program, *args)
        print(os.path.basename(program))


def main(what, *args):
    {'stubs': stubs, 'types': types}[what](*args)


if __name__ == '__main__':
    main(*sys.argv[1:])
