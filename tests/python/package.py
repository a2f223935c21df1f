#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build a source distribution and of that a wheel, without a network, and use what the wheel holds.

Usage: package.py PYTHON_DIR"""

import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

USE = """
import os, threading, thrum, thrum.native, thrum.queue
thrum.install()
q = thrum.queue.Queue()
threading.Thread(target=q.put, args=(1,)).start()
assert q.get() == 1 and thrum.__file__.startswith({place!r}), thrum.__file__
include = thrum.native.get_include()
assert include.startswith({place!r}) and os.path.exists(include + '/thrum/task.h'), include
with open('task.c', 'w') as source:
    source.write('#include <thrum.h>\\nTHRUM_TASK(int, twice, (int, n)) {{ return 2 * n; }}')
assert os.system('${{THRUM_CC:-cc}} -shared -fPIC -o task.so task.c -I' + include) == 0
assert thrum.native.load('./task.so').twice(4) == 8
"""


def main(source):
    with tempfile.TemporaryDirectory() as folder:
        def run(*args, cwd=folder):
            env = {**os.environ, 'PYTHONPATH': ''}
            done = subprocess.run([sys.executable, *args], cwd=cwd, env=env, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                sys.exit(done.stdout)
            return done.stdout
        run(os.path.join(os.path.abspath(source), 'setup.py'), '-q', 'egg_info', '-e', folder, 'sdist',
            '-d', folder)
        with tarfile.open(glob.glob(os.path.join(folder, '*.tar.gz'))[0]) as archive:
            archive.extractall(folder)
        tree = glob.glob(os.path.join(folder, 'thrum-*', ''))[0]
        run('setup.py', '-q', 'bdist_wheel', '-d', folder, cwd=tree)
        wheel = glob.glob(os.path.join(folder, '*.whl'))[0]
        place = os.path.join(folder, 'place')
        shutil.unpack_archive(wheel, place, 'zip')
        run('-c', f'import sys; sys.path.insert(0, {place!r})' + USE.format(place=place))
        files = {os.path.basename(path) for path in glob.glob(os.path.join(place, 'thrum', '*'))}
        missing = {'__init__.py', '__init__.pyi', '_thrum.pyi', 'futures.pyi', 'native.pyi', 'queue.pyi',
                   'threading.pyi', 'py.typed'} - files
        if missing:
            sys.exit(f'the wheel lacks {missing}')
        print(os.path.basename(wheel), sorted(files))


if __name__ == '__main__':
    main(*sys.argv[1:])
