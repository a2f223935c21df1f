# SPDX-License-Identifier: MIT
"""ThreadPoolExecutor when signals come, when processes fork, and when interpreters end."""

import os
import signal
import sys
import threading
import unittest
import warnings

import thrum.futures as futures
from makers import run_python
from test_executor import Gate, Pool
from test_fork import in_child
from test_signals import Interrupt
from test_subinterpreters import create, interpreters

warnings.simplefilter('ignore', DeprecationWarning)  # 3.12: fork with threads


class SignalTests(unittest.TestCase):
    def setUp(self):
        self.calls = 0
        before = signal.signal(signal.SIGALRM, self.handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def handle(self, number, frame):
        self.calls += 1
        if self.calls == 3:
            raise Interrupt

    def check(self, call, *args, **kwargs):
        self.calls = 0
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        with self.assertRaises(Interrupt):
            call(*args, **kwargs)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def test_blocking_calls(self):
        gate = Gate()
        pool = Pool(1, queue_limit=1)
        held, = gate.occupy(pool)
        self.check(held.result)
        self.check(held.result, 60)
        waiting = pool.submit(int)
        self.check(pool.submit, int)
        self.check(pool.map, int, [1])
        self.check(pool.shutdown)
        self.check(pool.shutdown, timeout=60)
        gate.open.set()
        self.assertEqual(waiting.result(), 0)
        pool.shutdown()

    def test_iterators(self):
        for name in ('map', 'imap_unordered'):
            with Pool(1) as pool:
                gate = Gate()
                results = getattr(pool, name)(gate, [1, 2])
                self.check(next, results)
                gate.open.set()
                self.assertEqual(list(results), [])

    def test_pool_lives_on(self):
        """A handler that uses the pool while the main thread is inside it."""
        seen = []

        def handle(number, frame):
            seen.append(pool.submit(abs, -1))
        signal.signal(signal.SIGALRM, handle)
        pool = Pool(2)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        while len(seen) < 20:
            list(pool.map(abs, range(50)))
            pool.submit(abs, -1).result()
        signal.setitimer(signal.ITIMER_REAL, 0)
        pool.shutdown()
        self.assertEqual({future.result() for future in seen}, {1})

    def test_shutdown_in_a_handler(self):
        errors = []

        def handle(number, frame):
            signal.setitimer(signal.ITIMER_REAL, 0)
            pool.shutdown()
        signal.signal(signal.SIGALRM, handle)
        for _ in range(20):
            pool = Pool(1)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            try:
                while True:
                    pool.submit(int)
            except RuntimeError as error:
                errors.append(str(error))
        self.assertEqual(set(errors), {'cannot schedule new futures after shutdown'})


class ForkTests(unittest.TestCase):
    def test_idle_workers_stay_in_the_parent(self):
        with Pool(2) as pool:
            gate = Gate()
            held = gate.occupy(pool, 2)
            gate.open.set()
            futures.wait(held)

            def use():
                assert [future.result() for future in [pool.submit(abs, -i) for i in range(9)]] == list(range(9))
                assert list(pool.map(abs, range(9))) == list(range(9))
                assert 1 <= len(pool._threads) <= 2
                pool.shutdown()
            for _ in range(5):
                self.assertTrue(in_child(use))
            self.assertEqual(pool.submit(abs, -1).result(), 1)

    def test_busy_workers_stay_in_the_parent(self):
        gate, ran = Gate(), []
        with Pool(1) as pool:
            held, = gate.occupy(pool)
            waiting = [pool.submit(ran.append, i) for i in range(3)]

            def use():
                for future in waiting[:2]:
                    try:
                        future.result()
                    except futures.CancelledError:
                        continue
                    raise AssertionError
                assert futures.wait(waiting[1:]).not_done == set()
                try:
                    held.result()
                except RuntimeError as error:
                    assert 'not in this process' in str(error)
                assert pool.submit(abs, -1).result() == 1
                assert ran == []
                pool.shutdown()

            def used_before():
                assert pool.submit(abs, -1).result() == 1
                for future in futures.as_completed(waiting + [held]):
                    assert future.cancelled() or isinstance(future.exception(), RuntimeError)
            self.assertTrue(in_child(use))
            self.assertTrue(in_child(used_before))
            gate.open.set()
            self.assertEqual([future.result() for future in waiting], [None] * 3)
        self.assertEqual(ran, [0, 1, 2])

    def test_in_a_task(self):
        with Pool(1) as pool:
            def work():
                def use():
                    assert pool.submit(abs, -1).result() == 1
                    pool.shutdown(wait=False)
                return in_child(use)
            self.assertTrue(pool.submit(work).result())
            self.assertEqual(pool.submit(abs, -1).result(), 1)

    def test_child_of_a_task_ends_with_it(self):
        """It does not go on with the calls that its parent has queued."""
        reading, writing = os.pipe()
        with Pool(1) as pool:
            gate = Gate()
            gate.occupy(pool)
            child = pool.submit(os.fork)
            after = pool.submit(os.write, writing, b'x')
            gate.open.set()
            self.assertEqual(after.result(), 1)
            self.assertGreater(child.result(), 0)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child.result(), 0)[1]), 0)
        os.close(writing)
        self.assertEqual(os.read(reading, 10), b'x')
        os.close(reading)


class ExitTests(unittest.TestCase):
    def run_program(self, program, out, error=''):
        done = run_python('import threading, atexit\nimport thrum.futures as futures\n'
                          'Pool = futures.ThreadPoolExecutor\n' + program)
        self.assertEqual((done.returncode, done.stdout), (0, out), done.stderr)
        self.assertIn(error, done.stderr)
        self.assertNotIn('Fatal', done.stderr)

    def test_queue_is_worked_off(self):
        self.run_program('''
pool = Pool(2)
for i in range(100):
    pool.submit(print, '.', end='')
''', '.' * 100)

    def test_idle(self):
        self.run_program('''
pools = [Pool(3) for _ in range(3)]
for pool in pools:
    list(pool.map(abs, range(10)))
pools[0].shutdown()
print('end')
''', 'end\n')

    def test_blocked(self):
        """A worker waits for calls in its pool's queue when the main thread ends."""
        self.run_program('''
pool, go, started = Pool(1), threading.Event(), threading.Event()
def waits():
    inner = [pool.submit(abs, -i) for i in range(3)]
    started.set()
    go.wait()
    print([future.result(60) for future in inner])
pool.submit(waits)
started.wait()
threading.Timer(0.01, go.set).start()
''', '[0, 1, 2]\n')

    def test_late_submit(self):
        self.run_program('''
pool = Pool(1)
pool.submit(int).result()
@atexit.register
def last():
    for late in (pool, Pool(1)):
        try:
            late.submit(int)
        except RuntimeError as error:
            print(error)
''', 'cannot schedule new futures after interpreter shutdown\n' * 2)

    def test_made_at_exit(self):
        self.run_program('''
@atexit.register
def last():
    with Pool(1) as pool:
        try:
            pool.submit(int)
        except RuntimeError as error:
            print(error)
''', 'cannot schedule new futures after interpreter shutdown\n')

    def test_exception_nobody_reads(self):
        self.run_program('''
pool = Pool(1)
pool.map(lambda: 1, [1])
print('end')
''', 'end\n', 'takes 0 positional arguments but 1 was given')

    def test_pool_in_a_module_that_dies_last(self):
        self.run_program('''
import sys
pool = Pool(2)
sys.keep = [pool, pool.submit(int), pool.map(int, [1]), pool.imap_unordered(int, [1])]
sys.keep.append(sys.keep)
print('end')
''', 'end\n')

    def test_installed(self):
        self.run_program('''
import thrum, concurrent.futures, sys
thrum.install()
assert concurrent.futures.ThreadPoolExecutor is Pool
assert concurrent.futures.thread.ThreadPoolExecutor is Pool
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as pool:
    print(list(pool.map(pow, range(3), range(3))))
assert thrum.made()['ThreadPoolExecutor'] == 1
''', '[1, 1, 4]\n')


@unittest.skipIf(interpreters is None, 'this Python shows no subinterpreters')
class SubinterpreterTests(unittest.TestCase):
    PROGRAM = '''
import sys
sys.path[:] = {path!r}
import thrum.futures as futures
pool = futures.ThreadPoolExecutor(2)
assert pool.submit(pow, 2, 8).result() == 256
def outer():
    return pool.submit(abs, -1).result()
assert pool.submit(outer).result() == 1
assert sorted(pool.imap_unordered(abs, range(-5, 0))) == [1, 2, 3, 4, 5]
pool.shutdown()
'''

    def test_own_pools(self):
        for _ in range(3):
            number = create()
            try:
                failure = interpreters.run_string(number, self.PROGRAM.format(path=sys.path))
                self.assertIsNone(failure)
            finally:
                interpreters.destroy(number)
        with Pool(1) as pool:
            self.assertEqual(pool.submit(abs, -1).result(), 1)


if __name__ == '__main__':
    unittest.main()
