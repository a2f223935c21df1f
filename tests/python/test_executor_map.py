# SPDX-License-Identifier: MIT
"""map and imap_unordered."""

import gc
import inspect
import itertools
import threading
import unittest
import weakref

import thrum.futures as futures
from test_executor import Gate, Pool


try:
    import _testcapi
except ImportError:
    _testcapi = None


class Thing:
    pass


class MapTests(unittest.TestCase):
    @unittest.skipUnless(_testcapi and hasattr(_testcapi, 'set_nomemory'), 'needs _testcapi')
    def test_no_memory(self):
        with Pool(1) as pool:
            for iterate in pool.map, pool.imap_unordered:
                failures = 0
                for i in range(1, 60):
                    _testcapi.set_nomemory(i, i + 1)
                    try:
                        iterate(abs, ())
                    except MemoryError:
                        failures += 1
                    finally:
                        _testcapi.remove_mem_hooks()
                self.assertGreater(failures, 0)

    def both(self, pool):
        return pool.map, lambda *args, **kwargs: iter(sorted(pool.imap_unordered(*args, **kwargs)))

    def test_results(self):
        with Pool(3) as pool:
            for iterate in self.both(pool):
                for size in (None, 1, 2, 3, 100, 1000):
                    self.assertEqual(list(iterate(abs, range(-100, 0), buffersize=size)),
                                     list(iterate(abs, range(-100, 0))))
                self.assertEqual(list(iterate(max, 'abc', 'bca', 'aaaa')), ['b', 'c', 'c'])
                self.assertEqual(list(iterate(abs)), [])
                self.assertEqual(list(iterate(abs, [])), [])
                self.assertEqual(list(iterate(abs, [], buffersize=1)), [])
            self.assertEqual(list(pool.map(str, range(3), timeout=60, chunksize=7)), ['0', '1', '2'])

    def test_stop_iteration_of_a_call(self):
        """It is an error as any other, and not the end."""
        with Pool(1) as pool:
            for iterate in pool.map, pool.imap_unordered:
                for size in None, 1:
                    results = iterate(next, [iter('a'), iter(''), iter('b')], buffersize=size)
                    self.assertEqual(next(results), 'a')
                    with self.assertRaisesRegex(RuntimeError, 'generator raised') as caught:
                        next(results)
                    self.assertIsInstance(caught.exception.__cause__, StopIteration)
                    self.assertEqual(list(results), [])

    def test_buffersize(self):
        with Pool(1) as pool:
            for iterate in pool.map, pool.imap_unordered:
                for wrong in ('1', 1.0):
                    with self.assertRaisesRegex(TypeError, 'buffersize must be an integer or None'):
                        iterate(abs, [1], buffersize=wrong)
                for wrong in (0, -1):
                    with self.assertRaisesRegex(ValueError, 'buffersize must be None or > 0'):
                        iterate(abs, [1], buffersize=wrong)

    def test_never_more_than_buffersize(self):
        """As many calls are submitted as may be, and none more, before, between and after results."""
        for name in ('map', 'imap_unordered'):
            with self.subTest(name), Pool(2) as pool:
                numbers = itertools.count()
                results = getattr(pool, name)(int, numbers, buffersize=4)
                self.assertEqual(next(numbers), 4)
                for i in range(10):
                    next(results)
                    self.assertEqual(next(numbers), 6 + 2 * i)
                results.close()
                self.assertEqual(list(results), [])

    def test_infinite(self):
        with Pool(2) as pool:
            self.assertEqual(list(itertools.islice(pool.map(abs, itertools.count(), buffersize=5), 100)),
                             list(range(100)))

    def test_unordered_gives_what_is_there(self):
        gates = [Gate() for _ in range(3)]
        with Pool(3) as pool:
            results = pool.imap_unordered(lambda i: gates[i](i), range(3))
            for i in (2, 0, 1):
                gates[i].open.set()
                self.assertEqual(next(results), i)
            self.assertRaises(StopIteration, next, results)

    def test_exception_ends_it(self):
        for name in ('map', 'imap_unordered'):
            with self.subTest(name), Pool(1) as pool:
                seen = []

                def divide(x):
                    seen.append(x)
                    return 1 // x
                gate = Gate()
                gate.occupy(pool)
                results = getattr(pool, name)(divide, [1, 0, 3, 4])
                pool.submit(gate)
                gate.open.set()
                self.assertEqual(next(results), 1)
                self.assertRaises(ZeroDivisionError, next, results)
                self.assertRaises(StopIteration, next, results)

    def test_what_is_left_is_cancelled(self):
        """The end of an iterator of which something was asked, close(), and an exception cancel the rest."""
        futures.report_unread(False)
        self.addCleanup(futures.report_unread, True)
        for name in ('map', 'imap_unordered'):
            for end in ('drop', 'close', 'fail'):
                first, second, ran = Gate(), Gate(), []
                calls = [int, lambda: first() // 0 if end == 'fail' else first(), second]
                calls += [lambda: ran.append(1)] * 20
                with self.subTest(name, end=end), Pool(1) as pool:
                    results = getattr(pool, name)(lambda i: calls[i](), range(len(calls)))
                    self.assertEqual(next(results), 0)
                    first.running.acquire()
                    if end == 'close':
                        results.close()
                    elif end == 'fail':
                        first.open.set()
                        self.assertRaises(TypeError, next, results)
                    results = None
                    first.open.set()
                    second.open.set()
                    pool.submit(int).result()
                self.assertEqual(ran, [])

    def test_not_begun_is_not_cancelled(self):
        for name in ('map', 'imap_unordered'):
            for end in (lambda results: results.close(), lambda results: None):
                seen, gate = [], Gate()
                with Pool(1) as pool:
                    gate.occupy(pool)
                    end(getattr(pool, name)(seen.append, range(10)))
                    gc.collect()
                    gate.open.set()
                self.assertEqual(seen, list(range(10)))

    def test_iterable_raises(self):
        def numbers(n):
            yield from range(n)
            raise LookupError
        with Pool(2) as pool:
            for name in ('map', 'imap_unordered'):
                self.assertRaises(LookupError, getattr(pool, name), abs, numbers(3))
                self.assertRaises(LookupError, getattr(pool, name), abs, numbers(1), buffersize=2)
                results, seen = getattr(pool, name)(abs, numbers(5), buffersize=2), []
                with self.assertRaises(LookupError):
                    for value in results:
                        seen.append(value)
                self.assertGreaterEqual(len(seen), 4)
                self.assertEqual(list(results), [])

    def test_pool_ends_meanwhile(self):
        for name in ('map', 'imap_unordered'):
            pool = Pool(1)
            results = getattr(pool, name)(abs, range(5), buffersize=2)
            pool.shutdown()
            self.assertEqual(next(results), 0)
            self.assertRaises(RuntimeError, list, results)
            pool = Pool(1)
            results = getattr(pool, name)(abs, range(5), buffersize=2)
            reference = weakref.ref(pool)
            del pool
            gc.collect()
            self.assertIsNone(reference())
            self.assertEqual(sorted(results), [0, 1])

    def test_timeout(self):
        gate = Gate()
        with Pool(1) as pool:
            results = pool.map(gate, [1, 2], timeout=0.01)
            self.assertRaises(TimeoutError, next, results)
            self.assertRaises(StopIteration, next, results)
            gate.open.set()
            self.assertEqual(list(pool.map(abs, [1, 2], timeout=60)), [1, 2])

    def test_nothing_is_kept(self):
        with Pool(1) as pool:
            for name in ('map', 'imap_unordered'):
                results = getattr(pool, name)(lambda i: Thing(), range(5))
                for thing in results:
                    reference = weakref.ref(thing)
                    del thing
                    gc.collect()
                    self.assertIsNone(reference())

    def test_busy(self):
        gate, errors = Gate(), []
        with Pool(1) as pool:
            for name in ('map', 'imap_unordered'):
                gate.open.clear()
                results = getattr(pool, name)(gate, [1])
                thread = threading.Thread(target=lambda: errors.append(next(results)))
                gate.running.acquire()
                thread.start()
                while thread.is_alive():
                    try:
                        results.close()
                    except ValueError as error:
                        self.assertIn('already executing', str(error))
                        self.assertRaises(ValueError, next, results)
                        gate.open.set()
                        thread.join()
                    else:
                        gate.open.set()
                        thread.join()
        self.assertEqual(gate.open.is_set(), True)

    def test_shut_pool(self):
        pool = Pool(1)
        pool.shutdown()
        for iterate in pool.map, pool.imap_unordered:
            self.assertRaisesRegex(RuntimeError, 'after shutdown', iterate, abs, [1])
            self.assertEqual(list(iterate(abs, [])), [])

    def test_foreign_futures(self):
        """A subclass that returns futures of its own."""
        class Wrapped(Pool):
            def submit(self, fn, /, *args):
                inner, outer = super().submit(fn, *args), futures.Future.__mro__[-2]()
                inner.add_done_callback(lambda f: outer.set_result((f.result(),)))
                return outer
        with Wrapped(2) as pool:
            self.assertEqual(list(pool.map(abs, [-1, -2], timeout=60)), [(1,), (2,)])
            self.assertEqual(list(pool.map(abs, [-1, -2], buffersize=1)), [(1,), (2,)])
            self.assertEqual(sorted(pool.imap_unordered(abs, [-1, -2])), [(1,), (2,)])

    def test_unread_errors_are_told(self):
        told = []
        before, threading.excepthook = threading.excepthook, lambda args: told.append(args.exc_type)
        try:
            with Pool(1) as pool:
                pool.map(lambda: None, [1])
                pool.imap_unordered(lambda: None, [1])
                pool.submit(divmod, 1, 0)
                self.assertIsInstance(pool.submit(divmod, 1, 0).exception(), ZeroDivisionError)
                self.assertRaises(TypeError, list, pool.map(lambda: None, [1]))
        finally:
            threading.excepthook = before
        self.assertEqual(sorted(told, key=repr), [TypeError, TypeError, ZeroDivisionError])

    def test_signatures(self):
        self.assertEqual(str(inspect.signature(Pool.map)),
                         '(self, /, fn, *iterables, timeout=None, chunksize=1, buffersize=None)')


if __name__ == '__main__':
    unittest.main()
