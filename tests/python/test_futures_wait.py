# SPDX-License-Identifier: MIT
"""wait() and as_completed() by themselves."""

import gc
import random
import signal
import sys
import unittest
import weakref

import thrum.futures as futures
from makers import SEED, done, failed, notified, spawn


class Meanwhile:
    """Makes a call in a signal handler, most likely while the block waits."""

    def __init__(self, call, *args):
        self.call, self.ticks = lambda: call(*args), 0

    def tick(self, number, frame):
        self.ticks += 1
        if self.ticks == 3:
            self.call()

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.tick)
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)

    def __exit__(self, *unused):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


class WaitTests(unittest.TestCase):
    def test_finished(self):
        fs = [done(i) for i in range(3)] + [notified()]
        for given in (fs, fs + fs, set(fs), (f for f in fs), dict.fromkeys(fs)):
            pair = futures.wait(given)
            self.assertEqual(pair, (set(fs), set()))
            self.assertIs(type(pair), futures.DoneAndNotDoneFutures)
        self.assertEqual(futures.wait([]), (set(), set()))

    def test_conditions(self):
        for when, extra in ((futures.FIRST_COMPLETED, done()), (futures.FIRST_COMPLETED, notified()),
                            (futures.FIRST_EXCEPTION, failed(KeyError()))):
            never = futures.Future()
            self.assertEqual(futures.wait([never, extra], return_when=when), ({extra}, {never}))
            other = futures.Future()
            fs = [never, other]
            error = when == futures.FIRST_EXCEPTION
            call = other.set_exception if error else other.set_result
            with Meanwhile(call, KeyError()):
                self.assertEqual(futures.wait(fs, None, when), ({other}, {never}))
            if error:
                extra.exception(), other.exception()

    def test_cancelled_counts_when_notified(self):
        future = futures.Future()
        iterator = futures.as_completed([future], 0)
        future.cancel()
        self.assertRaises(TimeoutError, next, iterator)
        self.assertEqual(futures.wait([future], 0), (set(), {future}))
        self.assertRaises(TimeoutError, list, futures.as_completed([future], 0))
        with Meanwhile(future.set_running_or_notify_cancel):
            self.assertEqual(futures.wait([future]), ({future}, set()))

    def test_errors(self):
        with self.assertRaises(ValueError) as caught:
            futures.wait([futures.Future()], return_when='SOON')
        self.assertEqual(str(caught.exception), "Invalid return condition: 'SOON'")
        for call in (lambda: futures.wait(), lambda: futures.wait(5), lambda: futures.wait([], wrong=1),
                     lambda: futures.as_completed(), lambda: futures.as_completed(5),
                     lambda: futures.wait([futures.Future()], 'x'),
                     lambda: futures.as_completed([futures.Future()], timeout='x')):
            self.assertRaises(TypeError, call)
        self.assertRaises(AttributeError, futures.wait, [1])

    def test_waits_leave_nothing(self):
        future = futures.Future()
        refs = sys.getrefcount(future)
        for _ in range(100):
            futures.wait([future, future], 0)
            futures.as_completed([future])
            for _ in range(2):
                self.assertRaises(TimeoutError, next, futures.as_completed([future], 0))
        self.assertEqual(sys.getrefcount(future), refs)
        future.set_result(1)


class AsCompletedTests(unittest.TestCase):
    def test_order(self):
        fs = [futures.Future() for _ in range(50)]
        order = random.Random(SEED).sample(fs, 50)
        for future in order[:10]:
            future.set_result(1)
        iterator = futures.as_completed(fs + fs)
        given = [future for future in fs if future.done()]
        self.assertEqual([next(iterator) for _ in given], given)
        for future in order[10:]:
            future.set_result(1)
        self.assertEqual(list(iterator), order[10:])
        self.assertRaises(StopIteration, next, iterator)

    def test_blocks(self):
        fs = [futures.Future() for _ in range(200)]
        iterator = futures.as_completed(reversed(fs), 60)
        thread = spawn(lambda: [future.set_result(1) for future in fs])
        self.assertEqual(list(iterator), fs)
        thread.join()

    def test_one_is_enough(self):
        first, second = futures.Future(), futures.Future()
        iterator = futures.as_completed([second, first])
        for future in first, second:
            with Meanwhile(future.set_result, 1):
                self.assertIs(next(iterator), future)

    def test_timeout(self):
        fs = [done(), futures.Future(), futures.Future()]
        iterator = futures.as_completed(fs, 0)
        self.assertIs(next(iterator), fs[0])
        with self.assertRaises(TimeoutError) as caught:
            next(iterator)
        self.assertEqual(str(caught.exception), '2 (of 3) futures unfinished')
        self.assertRaises(StopIteration, next, iterator)

    def test_close(self):
        iterator = futures.as_completed([done(), futures.Future()])
        iterator.close()
        self.assertEqual(list(iterator), [])

    def test_busy(self):
        future, errors = futures.Future(), []
        iterator = futures.as_completed([future])

        def handle():
            for call in (iterator.close, iterator.__next__):
                try:
                    call()
                except ValueError as error:
                    errors.append(str(error))
            future.set_result(1)
        with Meanwhile(handle):
            self.assertIs(next(iterator), future)
        self.assertEqual(errors, ['generator already executing'] * 2)

    def test_drops_what_it_has_given(self):
        fs = [done(i) for i in range(5)] + [futures.Future()]
        refs = [weakref.ref(future) for future in fs]
        iterator = futures.as_completed(fs)
        fs[5].set_result(5)
        fs.clear()
        for ref in refs:
            self.assertIsNotNone(ref())
            next(iterator)
            self.assertIsNone(ref())
        iterator = futures.as_completed([futures.Future()])
        del iterator

    def test_collected_in_a_cycle(self):
        future = futures.Future()
        future.iterator = futures.as_completed([future])
        ref = weakref.ref(future)
        del future
        gc.collect()
        self.assertIsNone(ref())


if __name__ == '__main__':
    unittest.main()
