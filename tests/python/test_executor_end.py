# SPDX-License-Identifier: MIT
"""How a ThreadPoolExecutor breaks and ends; contexts that a subclass makes; asyncio; memory."""

import asyncio
import concurrent.futures as standard
import gc
import logging
import threading
import unittest
import weakref

import thrum
import thrum.futures as futures
from test_executor import Gate, Pool

Broken = standard.thread.BrokenThreadPool


class BrokenTests(unittest.TestCase):
    def setUp(self):
        logging.getLogger('concurrent.futures').propagate = False
        self.addCleanup(setattr, logging.getLogger('concurrent.futures'), 'propagate', True)

    def test_initializer_fails(self):
        gate = Gate()

        def initialize():
            gate()
            raise LookupError('no')
        pool = Pool(1, initializer=initialize)
        waiting = [pool.submit(int) for _ in range(3)]
        gate.running.acquire()
        with self.assertLogs('concurrent.futures', 'CRITICAL') as logs:
            gate.open.set()
            errors = [future.exception() for future in waiting]
        self.assertIn('Exception in initializer:', logs.output[0])
        self.assertEqual([type(error) for error in errors], [Broken] * 3)
        self.assertEqual(len(set(map(id, errors))), 3)
        self.assertEqual({repr(error.__cause__) for error in errors}, {"LookupError('no')"})
        with self.assertRaises(Broken) as caught:
            pool.submit(int)
        self.assertIsInstance(caught.exception.__cause__, LookupError)
        self.assertEqual(pool._broken, str(caught.exception))
        pool.shutdown()

    def test_initializer(self):
        seen = []
        with Pool(2, initializer=lambda *args: seen.append(args), initargs=[1, 2]) as pool:
            gate = Gate()
            gate.occupy(pool, 2)
            gate.open.set()
        self.assertEqual(seen, [(1, 2)] * 2)


class ShutdownTests(unittest.TestCase):
    def test_timeout(self):
        gate = Gate()
        pool = Pool(1)
        future, = gate.occupy(pool)
        with self.assertRaisesRegex(TimeoutError, '1 threads? of the executor'):
            pool.shutdown(timeout=0.01)
        self.assertRaises(RuntimeError, pool.submit, int)
        self.assertRaises(TimeoutError, pool.shutdown, timeout=0)
        gate.open.set()
        self.assertIsNone(pool.shutdown(timeout=60))
        self.assertIsNone(pool.shutdown())
        self.assertTrue(future.done())

    def test_cancel_futures_tells_waiters(self):
        gate = Gate()
        pool = Pool(1)
        gate.occupy(pool)
        waiting = [pool.submit(int) for _ in range(5)]
        called = []
        waiting[0].add_done_callback(called.append)
        pool.shutdown(wait=False, cancel_futures=True)
        self.assertEqual(futures.wait(waiting).not_done, set())
        self.assertEqual(called, waiting[:1])
        self.assertTrue(all(future.cancelled() for future in waiting))
        gate.open.set()
        pool.shutdown()

    def test_queue_is_worked_off(self):
        gate, seen = Gate(), []
        pool = Pool(2)
        gate.occupy(pool, 2)
        for i in range(100):
            pool.submit(seen.append, i)
        pool.shutdown(wait=False)
        gate.open.set()
        pool.shutdown()
        self.assertEqual(sorted(seen), list(range(100)))

    def test_in_own_worker(self):
        pool = Pool(1)
        with self.assertRaisesRegex(RuntimeError, 'cannot join current thread'):
            pool.submit(pool.shutdown).result()
        self.assertRaises(RuntimeError, pool.submit, int)
        pool.shutdown()

    def test_while_a_worker_is_started(self):
        """As in a signal handler that comes then: the thread cannot wait for what it is about to start."""
        before, pool = threading.Thread.start, Pool(1)

        def start(thread):
            threading.Thread.start = before
            pool.shutdown()
            self.assertRaises(RuntimeError, pool.submit, int)
            thread.start()
        threading.Thread.start = start
        try:
            self.assertEqual(pool.submit(int).result(), 0)
        finally:
            threading.Thread.start = before
        pool.shutdown()
        self.assertFalse(any(thread.is_alive() for thread in pool._threads))

    def test_exit_calls_an_overridden_shutdown(self):
        calls = []

        class Own(Pool):
            def shutdown(self, *args, **kwargs):
                calls.append((args, kwargs))
                super().shutdown(*args, **kwargs)
        with Own(1) as pool:
            pool.submit(int)
        self.assertEqual(len(calls), 1)

    def test_dropped(self):
        gate, seen = Gate(), []
        pool = Pool(2)
        gate.occupy(pool, 2)
        pool.submit(seen.append, 1)
        threads, reference = pool._threads, weakref.ref(pool)
        del pool
        gc.collect()
        self.assertIsNone(reference())
        gate.open.set()
        for thread in list(threads):
            thread.join()
        self.assertEqual(seen, [1])

    def test_dropped_in_a_cycle(self):
        pool = Pool(1)
        pool.submit(int).result()
        pool.me = [pool]
        thread, = pool._threads
        del pool
        gc.collect()
        thread.join()

    def test_no_threads_are_left(self):
        for _ in range(20):
            with Pool(4) as pool:
                list(pool.map(abs, range(20)))
            self.assertFalse([t for t in threading.enumerate() if t in pool._threads])
        self.assertFalse([t for t in standard.thread._threads_queues if not t.is_alive()])


class ContextsOfASubclassTests(unittest.TestCase):
    """What InterpreterPoolExecutor does: it makes a context for each worker, and the calls pass through it."""

    class Prepared(Pool):
        BROKEN = LookupError

        @classmethod
        def prepare_context(cls, initializer, initargs, *, log):
            def create():
                return ContextsOfASubclassTests.Context(log, initializer, initargs)

            def resolve(fn, args, kwargs):
                return fn, args, kwargs
            return create, resolve

    class Context:
        def __init__(self, log, initializer, initargs):
            self.log, self.first = log, (initializer, initargs)

        def initialize(self):
            self.log.append('initialize')
            if self.first[0]:
                self.first[0](*self.first[1])

        def run(self, task):
            fn, args, kwargs = task
            return 'run', fn(*args, **kwargs)

        def finalize(self):
            self.log.append('finalize')

    def test_calls(self):
        log = []
        with self.Prepared(1, initializer=log.append, initargs=('first',), log=log) as pool:
            self.assertEqual(pool.submit(dict, [(1, 2)], a=3).result(), ('run', {1: 2, 'a': 3}))
            self.assertEqual(list(pool.map(pow, [2], [3])), [('run', 8)])
            self.assertIsInstance(pool.submit(divmod, 1, 0).exception(), ZeroDivisionError)
        self.assertEqual(log, ['initialize', 'first', 'finalize'])

    def test_broken(self):
        log = []
        with self.Prepared(1, initializer=divmod, initargs=(1, 0), log=log) as pool:
            with self.assertLogs('concurrent.futures', 'CRITICAL'):
                self.assertIsInstance(pool.submit(int).exception(), LookupError)
            self.assertRaises(LookupError, pool.submit, int)
        self.assertEqual(log, ['initialize', 'finalize'])


class AsyncioTests(unittest.TestCase):
    def test_run_in_executor(self):
        async def main():
            loop = asyncio.get_running_loop()
            with Pool(2) as pool:
                values = await asyncio.gather(*(loop.run_in_executor(pool, pow, 2, i) for i in range(50)))
                self.assertEqual(values, [2 ** i for i in range(50)])
                with self.assertRaises(ZeroDivisionError):
                    await loop.run_in_executor(pool, divmod, 1, 0)
                gate = Gate()
                gate.occupy(pool, 2)
                waiting = loop.run_in_executor(pool, int)
                waiting.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await waiting
                gate.open.set()
            loop.set_default_executor(Pool(1, 'default'))
            name = await asyncio.to_thread(lambda: threading.current_thread().name)
            self.assertEqual(name, 'default_0')
        asyncio.run(main())


class CountTests(unittest.TestCase):
    def test_made(self):
        before = thrum.made()['ThreadPoolExecutor']
        Pool(), Pool()
        self.assertEqual(thrum.made()['ThreadPoolExecutor'], before + 2)

    def test_nothing_leaks(self):
        class Thing:
            pass
        things = weakref.WeakSet()

        def make(*args, **kwargs):
            thing = Thing()
            things.add(thing)
            return thing

        def use():
            with Pool(2, context=True) as pool:
                one = pool.submit(make, Thing(), x=Thing())
                many = list(pool.map(make, range(50), buffersize=3))
                some = pool.imap_unordered(make, range(50))
                next(some), one.result(), many
                pool.map(make, range(10))
        counts = []
        for _ in range(5):
            use()
            gc.collect()
            self.assertEqual(len(things), 0)
            counts.append(len(gc.get_objects()))
        self.assertLess(counts[-1] - counts[1], 20)


if __name__ == '__main__':
    unittest.main()
