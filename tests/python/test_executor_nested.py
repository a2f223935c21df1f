# SPDX-License-Identifier: MIT
"""Calls that wait for other calls of their pool: none of them hangs."""

import contextvars
import threading
import unittest

import thrum.futures as futures
from test_executor import Gate, Pool


def ident():
    return threading.get_ident()


# Ways to wait for futures without a time limit.
WAITS = {
    'result': lambda fs: [future.result() for future in fs],
    'exception': lambda fs: [future.exception() for future in fs],
    'wait': lambda fs: futures.wait(fs),
    'wait for the first': lambda fs: futures.wait(fs, return_when='FIRST_COMPLETED'),
    'wait for an exception': lambda fs: futures.wait(fs, return_when='FIRST_EXCEPTION'),
    'as_completed': lambda fs: list(futures.as_completed(fs)),
}


NEEDS_ALL = ('result', 'exception', 'wait')


class HelpTests(unittest.TestCase):
    def setUp(self):
        self.pool = Pool(1)
        self.addCleanup(self.pool.shutdown)

    def test_one_worker(self):
        for name, wait in WAITS.items():
            with self.subTest(name):
                def work():
                    inner = [self.pool.submit(ident) for _ in range(5)]
                    wait(inner)
                    return ident(), inner[0].result()
                outer, inner = self.pool.submit(work).result()
                if name in NEEDS_ALL:
                    self.assertEqual((outer, len(self.pool._threads)), (inner, 1))

    def test_iterators(self):
        def work():
            return (list(self.pool.map(abs, [-1, -2])), sorted(self.pool.imap_unordered(abs, [-1, -2])),
                    list(self.pool.map(abs, [-1, -2], buffersize=1)),
                    sorted(self.pool.imap_unordered(abs, [-1, -2], buffersize=1)))
        self.assertEqual(self.pool.submit(work).result(), ([1, 2],) * 4)

    def test_any_of_several(self):
        """A call that need not end is not run by who waits: it may wait for what follows."""
        def fail_after(event):
            event.wait()
            raise KeyError
        waits = {'iterator': lambda fs: next(futures.as_completed(fs)),
                 **{name: wait for name, wait in WAITS.items() if name.startswith('wait for')}}
        for name, wait in waits.items():
            with self.subTest(name), Pool(2) as pool:
                def work():
                    begun, after = threading.Event(), threading.Event()
                    first = pool.submit(fail_after, begun)
                    second = pool.submit(lambda: begun.set() or after.wait(60))
                    wait([second, first])
                    after.set()
                    return second.result(), type(first.exception())
                self.assertEqual(pool.submit(work).result(), (True, KeyError))

    def test_cancelled(self):
        """No worker is needed to tell who waits that a call was cancelled."""
        for name in 'wait', 'wait for the first', 'wait for an exception':
            with self.subTest(name):
                def work():
                    inner = self.pool.submit(abs, -1)
                    inner.cancel()
                    return futures.wait([inner], 60).not_done or WAITS[name]([inner]).not_done
                self.assertEqual(self.pool.submit(work).result(), set())

    def test_only_what_is_waited_for(self):
        """An unrelated call is not run on the stack of one that waits."""
        stack, seen = [], []

        def inner():
            seen.append(list(stack))

        def unrelated():
            seen.append(('unrelated', list(stack)))

        def outer():
            stack.append('outer')
            self.pool.submit(unrelated)
            self.pool.submit(inner).result()
            stack.pop()
        self.pool.submit(outer).result()
        self.pool.submit(int).result()
        self.assertEqual(seen, [['outer'], ('unrelated', [])])

    def test_deep(self):
        def chain(n):
            return 0 if n == 0 else 1 + self.pool.submit(chain, n - 1).result()
        for depth in (10, 17, 100, 1000):
            self.assertEqual(self.pool.submit(chain, depth).result(), depth)

    def test_wide_and_deep(self):
        def tree(n):
            if n == 0:
                return 1
            return sum(future.result() for future in [self.pool.submit(tree, n - 1) for _ in range(3)])
        self.assertEqual(self.pool.submit(tree, 6).result(), 729)

    def test_failure(self):
        def work():
            with self.assertRaises(ZeroDivisionError):
                self.pool.submit(divmod, 1, 0).result()
            self.assertRaises(SystemExit, self.pool.submit(exit_now).result)
            return 'alive'

        def exit_now():
            raise SystemExit
        self.assertEqual(self.pool.submit(work).result(), 'alive')

    def test_own_context(self):
        variable = contextvars.ContextVar('variable', default='none')

        def inner():
            before = variable.get()
            variable.set('inner')
            return before

        def outer():
            variable.set('outer')
            return self.pool.submit(inner).result(), variable.get()
        self.assertEqual(self.pool.submit(outer).result(), ('none', 'outer'))
        with Pool(1, context=True) as pool:
            def carried():
                variable.set('outer')
                return pool.submit(inner).result(), variable.get()
            self.assertEqual(pool.submit(carried).result(), ('outer', 'outer'))

    def test_in_a_callback(self):
        results, done = [], threading.Event()

        def called(future):
            results.append(self.pool.submit(abs, -1).result())
            done.set()
        gate = Gate()
        future, = gate.occupy(self.pool)
        future.add_done_callback(called)
        gate.open.set()
        done.wait()
        self.assertEqual(results, [1])


class ReplacementTests(unittest.TestCase):
    def test_with_a_time_limit(self):
        """A call with a time limit is not run in the place of waiting, but by another worker."""
        with Pool(1) as pool:
            def work():
                inner = pool.submit(ident)
                futures.wait([pool.submit(int)], timeout=60)
                return ident(), inner.result(timeout=60)
            outer, inner = pool.submit(work).result()
            self.assertNotEqual(outer, inner)
            self.assertEqual(pool.submit(abs, -1).result(), 1)

    def test_time_limit_passes(self):
        gate = Gate()
        with Pool(1) as pool:
            def work():
                with self.assertRaises(TimeoutError):
                    pool.submit(gate).result(0.01)
                return 'went on'
            future = pool.submit(work)
            self.assertEqual(future.result(), 'went on')
            gate.open.set()

    def test_no_thread_to_replace_it(self):
        """Then the call is run in the place of waiting after all."""
        before = threading.Thread.start

        def refuse(thread):
            raise RuntimeError("can't start new thread")
        with Pool(1) as pool:
            def work():
                threading.Thread.start = refuse
                try:
                    return pool.submit(ident).result(60), ident()
                finally:
                    threading.Thread.start = before
            self.assertEqual(len(set(pool.submit(work).result())), 1)

    def test_waits_for_running_calls(self):
        """Two that wait for one which runs, and for one that waits in the queue."""
        gate = Gate()
        with Pool(2) as pool:
            running = pool.submit(gate, 'held')
            gate.running.acquire()

            def work():
                return running.result(), pool.submit(abs, -2).result()
            waiting = pool.submit(work)
            self.assertEqual(pool.submit(abs, -1).result(), 1)
            gate.open.set()
            self.assertEqual(waiting.result(), ('held', 2))

    def test_no_more_at_once_than_max_workers(self):
        """Others take the places of those who wait; when these go on, no further calls begin meanwhile."""
        lock, count, most = threading.Lock(), [0], [0]

        def leaf():
            with lock:
                count[0] += 1
                most[0] = max(most[0], count[0])
            with lock:
                count[0] -= 1

        with Pool(2) as pool:
            def work():
                inner = [pool.submit(leaf) for _ in range(20)]
                for future in inner:
                    future.result(60)
            for future in [pool.submit(work) for _ in range(10)]:
                future.result()
        self.assertLessEqual(most[0], 2)

    def test_its_place_is_taken_again(self):
        """Who has waited goes on, and then no other call begins in its place."""
        gate = Gate()
        with Pool(1) as pool:
            def work():
                for _ in range(3):
                    pool.submit(int).result(60)
                gate()
            working = pool.submit(work)
            gate.running.acquire()
            late = pool.submit(int)
            self.assertRaises(TimeoutError, late.result, 0.05)
            gate.open.set()
            working.result()
            self.assertEqual(late.result(), 0)

    def test_surplus_workers_leave(self):
        with Pool(1) as pool:
            def work(n):
                return ident() if n == 0 else pool.submit(work, n - 1).result(60)
            pool.submit(work, 20).result()
            self.assertGreater(len(pool._threads), 1)
            surplus = max(pool._threads, key=lambda thread: int(thread.name.rpartition('_')[2]))
            while len(pool._threads) > 1:
                for thread in list(pool._threads):
                    thread.join(0.05)
            self.assertEqual(pool.submit(abs, -1).result(), 1)
            self.assertTrue(surplus.name.startswith('ThreadPoolExecutor-'))

    def test_limit(self):
        """Past 256 that wait the next one is told so."""
        futures.report_unread(False)
        self.addCleanup(futures.report_unread, True)
        with Pool(1) as pool:
            def work(n):
                return 0 if n == 0 else 1 + pool.submit(work, n - 1).result(600)
            self.assertEqual(pool.submit(work, 200).result(), 200)
            with self.assertRaisesRegex(RuntimeError, '256 tasks of this executor wait'):
                pool.submit(work, 300).result()
            self.assertEqual(pool.submit(abs, -1).result(), 1)

    def test_foreign_waits_are_no_excuse(self):
        """A pool of one is a lock round its calls, whatever else they wait for."""
        gate, inside = Gate(), []
        with Pool(1) as single, Pool(1) as other:
            def work(i):
                inside.append(i)
                result = other.submit(gate).result()
                inside.append(i)
                return result
            both = [single.submit(work, i) for i in range(2)]
            gate.running.acquire()
            self.assertEqual(single._work_queue.qsize(), 1)
            gate.open.set()
            futures.wait(both)
        self.assertEqual(inside, [0, 0, 1, 1])

    def test_calls_of_another_pool_are_not_run_here(self):
        gate = Gate()
        with Pool(1) as here, Pool(1) as there:
            gate.occupy(there)
            call = there.submit(ident)
            waiting = here.submit(lambda: (call.result(), ident()))
            after = there.submit(ident)
            gate.open.set()
            self.assertEqual(waiting.result()[0], after.result())
            self.assertNotEqual(*waiting.result())

    def test_shut_pool(self):
        """Calls that have begun before shutdown() may still wait for those in the queue."""
        gate = Gate()
        pool = Pool(1)

        def work():
            inner = [pool.submit(abs, -i) for i in range(5)]
            gate()
            return [future.result(60) for future in inner]
        future = pool.submit(work)
        gate.running.acquire()
        pool.shutdown(wait=False)
        gate.open.set()
        self.assertEqual(future.result(), list(range(5)))
        pool.shutdown()


if __name__ == '__main__':
    unittest.main()
