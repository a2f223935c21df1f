# SPDX-License-Identifier: MIT
"""Calls that wait for each other in a circle: the one that closes it is told, and whom it goes along."""

import re
import threading
import unittest

import thrum.futures as futures
from test_executor import Pool
from test_executor_nested import WAITS


class CircleTests(unittest.TestCase):
    def setUp(self):
        self.futures, self.ready = {}, threading.Event()
        futures.report_unread(False)
        self.addCleanup(futures.report_unread, True)

    def tearDown(self):
        self.futures.clear()  # with errors that nobody has read

    def waiter(self, name, others, wait):
        def call():
            self.arrived.release()
            self.ready.wait()
            return wait([self.futures[other] for other in others])
        call.__qualname__ = name
        return call

    def circle(self, links, wait, workers=5, pools=1):
        """Calls that wait for each other; returns their errors."""
        self.futures, self.ready, self.arrived = {}, threading.Event(), threading.Semaphore(0)
        pools = [Pool(workers) for _ in range(pools)]
        for i, (name, others) in enumerate(links.items()):
            self.futures[name] = pools[i % len(pools)].submit(self.waiter(name, others, wait))
        for _ in links:  # each runs on a worker of its own
            self.arrived.acquire()
        self.ready.set()
        errors = {name: future.exception(600) for name, future in self.futures.items()}
        for pool in pools:
            pool.shutdown()
        return errors

    def test_result(self):
        for links in ({'a': 'a'}, {'a': 'b', 'b': 'a'}, {'a': 'b', 'b': 'c', 'c': 'a'}):
            for pools in (1, 2):
                errors = self.circle(links, WAITS['result'], pools=pools)
                for error in errors.values():
                    self.assertIsInstance(error, RuntimeError)
                    names = re.fullmatch('deadlock: tasks wait for each other: (.*)', str(error))[1]
                    names = names.split(' -> ')
                    self.assertEqual((names[0], sorted(names[1:])), (names[-1], sorted(links)))

    def test_waits(self):
        """Who closes the circle gets the error; the others get on."""
        for name in ('exception', 'wait', 'as_completed'):
            with self.subTest(name):
                errors = self.circle({'a': 'b', 'b': 'a'}, WAITS[name])
                told = [error for error in errors.values() if error is not None]
                self.assertEqual(len(told), 1)
                self.assertIn('deadlock', str(told[0]))

    def test_all_of_several(self):
        errors = self.circle({'a': 'bc', 'b': 'a', 'c': ''}, WAITS['wait'])
        self.assertEqual(sum(error is not None for error in errors.values()), 1)

    def test_no_circle(self):
        """One way out of the circle is enough for who waits for any."""
        errors = self.circle({'a': 'bc', 'b': 'a', 'c': ''}, WAITS['wait for the first'])
        self.assertEqual(set(errors.values()), {None})
        errors = self.circle({'a': 'bc', 'b': 'd', 'c': 'd', 'd': ''}, WAITS['result'])
        self.assertEqual(set(errors.values()), {None})

    def test_with_a_time_limit(self):
        def wait(fs):
            try:
                return fs[0].result(0.01)
            except TimeoutError:
                return 'late'
        errors = self.circle({'a': 'b', 'b': 'a'}, wait)
        self.assertEqual(set(errors.values()), {None})

    def test_helped(self):
        """A call that runs on the stack of the one it waits for."""
        with Pool(1) as pool:
            def inner(future):
                return future.result()

            def outer():
                self.ready.wait()
                return pool.submit(inner, self.futures['outer']).result()
            self.futures['outer'] = pool.submit(outer)
            self.ready.set()
            outer.__qualname__, inner.__qualname__ = 'outer', 'inner'
            with self.assertRaisesRegex(RuntimeError, 'each other: inner -> outer -> inner$'):
                self.futures['outer'].result()

    def test_helped_by_another(self):
        """The report names those too that a worker runs in the place of waiting for them."""
        with Pool(2) as pool:
            def first():
                self.ready.wait()
                return self.futures['helped'].result()

            def other():
                running.wait()
                return self.futures['first'].result()

            def helped():
                running.set()
                return self.futures['other'].result()
            running = threading.Event()
            for call in first, other, helped:
                call.__qualname__ = call.__name__
                self.futures[call.__name__] = pool.submit(call)
            self.ready.set()
            with self.assertRaisesRegex(RuntimeError, 'each other: (other -> first -> helped -> other|'
                                                      'helped -> other -> first -> helped)$'):
                self.futures['first'].result()


if __name__ == '__main__':
    unittest.main()
