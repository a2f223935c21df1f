# SPDX-License-Identifier: MIT
"""python3 -m thrum runs programs unchanged; THRUM_STATS=1 says what was made."""

import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

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

    def test_failures_elsewhere(self):
        """A traceback has the program's own lines only, whichever way it was started."""
        self.write('fails.py', 'def f():\n    return 1 / 0\nf()')
        self.write('stops.py', 'import os, signal\nos.kill(os.getpid(), signal.SIGINT)')
        for args in (('fails.py',), ('-m', 'fails'), ('-m', 'absent'), ('-c', '1 +'), ('stops.py',),
                     ('-m', 'stops'), ('-c', 'raise KeyboardInterrupt'), ('-c', '\n1 / 0')):
            with self.subTest(args):
                self.assertNotEqual(self.same(*args).returncode, 0)

    def test_where(self):
        """__file__ is absolute, and what stands beside a script is found, not what stands beside a link."""
        self.write('beside.py', 'import os\nos.chdir("/")')
        self.write('where.py', 'import beside, os, sys\nprint(os.listdir(os.path.dirname(__file__)) and __file__,'
                               ' sys.path[0], sys.argv, __spec__ and __spec__.name)')
        os.mkdir(os.path.join(self.folder, 'links'))
        os.symlink('../where.py', os.path.join(self.folder, 'links', 'link.py'))
        for args in (('where.py',), ('./where.py', 'x'), ('links/link.py',), ('-m', 'where', 'x')):
            with self.subTest(args):
                self.assertEqual(self.same(*args).returncode, 0)
        self.same('-c', 'import sys; print(sys.path[0])')

    def test_the_current_folder_is_gone(self):
        start = ('import os, sys\nos.mkdir("gone")\nos.chdir("gone")\nos.rmdir("../gone")\n'
                 'os.execv(sys.executable, [sys.executable, *sys.argv[1:]])')
        for args in ((), ('-m', 'thrum')):
            with self.subTest(args):
                done = self.run_python('-c', start, *args, self.script, 'a')
                self.assertEqual((done.returncode, done.stdout), (0, "0\n1\n2\n['a'] __main__ True\n"))

    def test_folder_and_zip(self):
        os.mkdir(os.path.join(self.folder, 'app'))
        self.write('app/__main__.py', 'import sys\nprint(sys.argv, sys.path[0], __name__, __package__)')
        with zipfile.ZipFile(os.path.join(self.folder, 'app.zip'), 'w') as archive:
            archive.write(os.path.join(self.folder, 'app', '__main__.py'), '__main__.py')
        for name in ('app', 'app.zip'):
            with self.subTest(name):
                self.assertEqual(self.same(name, 'x').returncode, 0)

    def test_main_stays(self):
        """A thread that outlives the end of a module still finds it in __main__."""
        self.write('outlived.py', 'import threading\ndef last():\n    threading.main_thread().join()\n'
                                  '    import __main__\n    print(__main__.x)\n'
                                  'x = 1\nthreading.Thread(target=last).start()')
        for args in (('outlived.py',), ('-m', 'outlived')):
            with self.subTest(args):
                self.assertEqual(self.same(*args).stdout, '1\n')

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
