# SPDX-License-Identifier: MIT
"""python3 -m thrum runs programs unchanged; THRUM_STATS=1 says what was made."""

import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = '''
import queue, sys, threading
c = threading.Condition()
q = queue.Queue()
def produce():
    for i in range(3):
        q.put(i)
    q.put(None)
t = threading.Thread(target=produce)
t.start()
for item in iter(q.get, None):
    print(item)
t.join()
print(sys.argv[1:], __name__, sys.path[0] == sys.argv[0].rpartition('/')[0])
'''


class MainTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.script = self.write('program.py', PROGRAM)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def run_python(self, *args, stats='0'):
        return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=60,
                              cwd=self.folder, env={**os.environ, 'THRUM_STATS': stats})

    def same(self, *args):
        plain, ours = self.run_python(*args), self.run_python('-m', 'thrum', *args)
        self.assertEqual((ours.returncode, ours.stdout, ours.stderr),
                         (plain.returncode, plain.stdout, plain.stderr))
        return ours

    def test_script(self):
        self.assertEqual(self.same(self.script, 'a', '-b').stdout,
                         "0\n1\n2\n['a', '-b'] __main__ True\n")

    def test_module_and_command(self):
        self.same('-m', 'program', 'x')
        self.same('-c', 'import sys; print(sys.argv, __name__)', 'x')

    def test_failures(self):
        for text in ('import nothing_of_that_name', 'raise SystemExit(3)', '1 +',
                     'def f():\n    return 1 / 0\nf()', 'import sys\nsys.exit("text")'):
            with self.subTest(text):
                self.assertNotEqual(self.same(self.write('fails.py', text)).returncode, 0)

    def test_stats(self):
        done = self.run_python('-m', 'thrum', self.script, stats='1')
        self.assertRegex(done.stderr, r'^thrum: made Condition \d+, Event \d+, Queue 1\n$')
        self.assertEqual(self.run_python('-m', 'thrum', self.script).stderr, '')
        done = self.run_python('-m', 'thrum', '-c', 'from concurrent.futures import Future, wait\n'
                               'fs = [Future(), Future()]\nwait(fs, 0)', stats='1')
        self.assertEqual(done.stderr, 'thrum: made Future 2\n')

    def test_misuse(self):
        for args in ((), ('-m',), ('-x',), ('absent.py',)):
            with self.subTest(args):
                self.assertEqual(self.run_python('-m', 'thrum', *args).returncode, 2)

    def test_install(self):
        done = self.run_python('-c', 'import queue, threading, thrum, thrum.queue\n'
                                     'thrum.install(); thrum.install()\n'
                                     'print(queue.Queue is thrum.queue.Queue,'
                                     ' type(threading.Thread()._started) is thrum.threading.Event)\n'
                                     'import logging.handlers, concurrent.futures as f\n'
                                     'with f.ThreadPoolExecutor(2) as e:\n'
                                     '    print(list(e.map(str, range(3))))')
        self.assertEqual(done.stdout, "True True\n['0', '1', '2']\n", done.stderr)


if __name__ == '__main__':
    unittest.main()
