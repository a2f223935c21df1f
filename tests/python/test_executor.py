# SPDX-License-Identifier: MIT
"""ThreadPoolExecutor: what CPython's own tests do not ask."""

import concurrent.futures as standard
import contextvars
import inspect
import os
import queue
import sys
import threading
import unittest
import weakref

import thrum.futures as futures
import thrum.queue
from makers import spawn

Pool = futures.ThreadPoolExecutor
StandardPool = Pool.__mro__[-3]


class Gate:
    """Calls that say when they run, and end when they may."""

    def __init__(self):
        self.running, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, value=None):
        self.running.release()
        self.open.wait()
        return value

    def occupy(self, pool, n=1):
        """Keep n workers busy."""
        held = [pool.submit(self, i) for i in range(n)]
        for _ in held:
            self.running.acquire()
        return held


class SubmitTests(unittest.TestCase):
    def test_arguments(self):
        def echo(*args, **kwargs):
            return args, kwargs
        with Pool(2) as pool:
            self.assertEqual(pool.submit(echo).result(), ((), {}))
            self.assertEqual(pool.submit(echo, 1).result(), ((1,), {}))
            self.assertEqual(pool.submit(echo, 1, 2, 3, 4, 5, 6, 7).result(), ((1, 2, 3, 4, 5, 6, 7), {}))
            self.assertEqual(pool.submit(echo, fn=1, self=2, args=3).result(),
                             ((), {'fn': 1, 'self': 2, 'args': 3}))
            self.assertEqual(pool.submit(echo, 1, *'ab', **{'x': 5}).result(), ((1, 'a', 'b'), {'x': 5}))
            self.assertEqual(pool.submit('a-b'.split, '-').result(), ['a', 'b'])
            self.assertEqual(pool.submit(dict, a=1).result(), {'a': 1})
            for wrong in (lambda: pool.submit(), lambda: pool.submit(fn=echo), lambda: pool.map(),
                          lambda: pool.imap_unordered(), lambda: pool.map(echo, fn=echo),
                          lambda: pool.map(echo, [1], wrong=1), lambda: pool.shutdown(True, True)):
                self.assertRaises(TypeError, wrong)
            self.assertIsInstance(pool.submit(None).exception(), TypeError)

    def test_base_exceptions(self):
        def fail(error):
            raise error
        with Pool(1) as pool:
            for error in (SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException('x')):
                future = pool.submit(fail, error)
                self.assertIs(future.exception(), error)
                self.assertEqual(error.__traceback__.tb_frame.f_code.co_name, 'fail')
            self.assertEqual(len(pool._threads), 1)

    def test_types(self):
        with Pool() as pool:
            self.assertIsInstance(pool, StandardPool)
            self.assertIsInstance(pool, standard.Executor)
            self.assertIs(type(pool.submit(int)), futures.Future)
        self.assertEqual((Pool.__name__, Pool.__module__), ('ThreadPoolExecutor', 'concurrent.futures.thread'))
        ours, standards = (list(inspect.signature(kind.submit).parameters) for kind in (Pool, StandardPool))
        self.assertEqual(ours, standards)

    def test_constructor(self):
        for wrong in (0, -1, 0.0, float('nan'), float('inf')):
            with self.assertRaisesRegex(ValueError, 'max_workers must be greater than 0'):
                Pool(wrong)
        for wrong in (dict(max_workers='1'), dict(initializer=1), dict(initializer=print, initargs=1),
                      dict(unknown=1)):
            self.assertRaises(TypeError, Pool, **wrong)
        for wrong in (dict(queue_limit=0), dict(queue_limit=-1), dict(overflow='x'), dict(overflow=1)):
            self.assertRaises(ValueError, Pool, **wrong)
        self.assertRaises(TypeError, Pool, 1, '', None, (), True)
        self.assertEqual(Pool(2.5)._max_workers, 3)
        self.assertEqual(Pool()._max_workers, StandardPool()._max_workers)
        pool = Pool(3, 'name', print, [1])
        self.assertEqual((pool._initializer, pool._initargs, pool._thread_name_prefix), (print, (1,), 'name'))
        with Pool(1, initargs=None) as pool:  # nobody asks what they are
            self.assertEqual((pool._initargs, pool.submit(int).result()), (None, 0))

    def test_attributes(self):
        gate = Gate()
        with Pool(2) as pool:
            self.assertEqual((pool._broken, pool._shutdown, len(pool._threads)), (False, False, 0))
            gate.occupy(pool, 2)
            pool.submit(int)
            self.assertEqual(pool._work_queue.qsize(), 1)
            self.assertFalse(pool._work_queue.empty())
            self.assertEqual(pool._idle_semaphore._value, 0)
            with pool._shutdown_lock:
                gate.open.set()
            pool.mine = 1
            self.assertEqual(pool.__dict__, {'mine': 1})
        self.assertTrue(pool._shutdown)
        self.assertEqual(len(pool._threads), 2)
        self.assertEqual(sorted(thread.name[-2:] for thread in pool._threads), ['_0', '_1'])
        self.assertFalse(any(thread.daemon or thread.is_alive() for thread in pool._threads))

    def test_idle_workers_are_used_again(self):
        with Pool(8) as pool:
            for _ in range(50):
                pool.submit(int).result()
                while pool._idle_semaphore._value == 0:
                    pass
            self.assertEqual(len(pool._threads), 1)
            gate = Gate()
            gate.occupy(pool, 8)
            self.assertEqual(len(pool._threads), 8)
            gate.open.set()
            while pool._idle_semaphore._value < 8:
                os.sched_yield()
            again = Gate()
            again.occupy(pool, 8)
            again.open.set()

    def test_more_workers_later(self):
        gate = Gate()
        with Pool(1) as pool:
            gate.occupy(pool)
            pool.submit(gate)
            pool._max_workers = 2
            gate.running.acquire()
            self.assertEqual(len(pool._threads), 2)
            gate.open.set()

    def test_order(self):
        seen = []
        with Pool(1) as pool:
            for i in range(1000):
                pool.submit(seen.append, i)
        self.assertEqual(seen, list(range(1000)))

    def test_cancelled_calls_are_passed_over(self):
        gate, seen = Gate(), []
        with Pool(1) as pool:
            gate.occupy(pool)
            waiting = [pool.submit(seen.append, i) for i in range(10)]
            self.assertEqual([future.cancel() for future in waiting[::2]], [True] * 5)
            gate.open.set()
        self.assertEqual(seen, [1, 3, 5, 7, 9])
        self.assertEqual({future._state for future in waiting[::2]}, {'CANCELLED_AND_NOTIFIED'})

    def test_states_set_by_hand(self):
        gate, seen = Gate(), []
        with Pool(1) as pool:
            gate.occupy(pool)
            started, finished = pool.submit(seen.append, 1), pool.submit(seen.append, 2)
            started.set_running_or_notify_cancel()
            finished.set_result(3)
            last = pool.submit(seen.append, 4)
            gate.open.set()
            last.result()
            started.set_result(5)
        self.assertEqual((seen, started.result(), finished.result()), ([4], 5, 3))

    def test_result_of_another_hand(self):
        """Somebody gives the future its result while the call runs: that is logged, and the worker goes on."""
        gate = Gate()
        with Pool(1) as pool:
            future, = gate.occupy(pool)
            future.set_result('mine')
            with self.assertLogs('concurrent.futures', 'CRITICAL'):
                gate.open.set()
                self.assertEqual(pool.submit(int).result(), 0)
        self.assertEqual(future.result(), 'mine')

    def test_callback_raises_no_exception(self):
        def leave(future):
            raise SystemExit
        gate = Gate()
        with Pool(1) as pool, self.assertLogs('concurrent.futures', 'CRITICAL'):
            future, = gate.occupy(pool)
            future.add_done_callback(leave)
            gate.open.set()
            self.assertEqual(pool.submit(int).result(), 0)

    def test_subclass(self):
        class Counting(Pool):
            def __init__(self, *args):
                super().__init__(*args)
                self.n = 0

            def submit(self, fn, /, *args, **kwargs):
                self.n += 1
                return super().submit(fn, *args, **kwargs)
        with Counting(2) as pool:
            self.assertEqual(list(pool.map(abs, [-1, 2])), [1, 2])
            self.assertEqual(sorted(pool.imap_unordered(abs, [-1, 2])), [1, 2])
            self.assertEqual(list(pool.map(abs, [-1, 2], timeout=60, buffersize=1)), [1, 2])
        self.assertEqual(pool.n, 6)
        with Pool(1) as pool:
            pool.submit = lambda fn, *args: Pool.submit(pool, int)
            self.assertEqual(list(pool.map(abs, [-1])), [0])

    def test_no_thread(self):
        """A submit that gets no thread fails as a whole; one that gets no second thread does not."""
        before, gate = threading.Thread.start, Gate()
        seen = []

        def refuse(thread):
            raise RuntimeError("can't start new thread")
        pool = Pool(2, queue_limit=1)
        threading.Thread.start = refuse
        try:
            for _ in range(2):
                with self.assertRaisesRegex(RuntimeError, "can't start new thread"):
                    pool.submit(seen.append, 1)
        finally:
            threading.Thread.start = before
        self.assertEqual(pool._work_queue.qsize(), 0)
        gate.occupy(pool)
        threading.Thread.start = refuse
        try:
            pool.submit(seen.append, 2)
        finally:
            threading.Thread.start = before
        gate.open.set()
        pool.shutdown()
        self.assertEqual((seen, len(pool._threads)), ([2], 1))

    def test_no_thread_for_another(self):
        """Who waits for the place of a call that got no thread goes on."""
        before, ready, got = threading.Thread.start, threading.Event(), []

        def submit():
            ready.set()
            got.append(pool.submit(int))

        def refuse(thread):
            threading.Thread.start = before
            others.append(spawn(submit))
            ready.wait()  # and it keeps the GIL until it blocks
            raise RuntimeError("can't start new thread")
        others, interval = [], sys.getswitchinterval()
        self.addCleanup(sys.setswitchinterval, interval)
        with Pool(1, queue_limit=1) as pool:
            sys.setswitchinterval(100)
            threading.Thread.start = refuse
            try:
                self.assertRaisesRegex(RuntimeError, "can't start new thread", pool.submit, int)
            finally:
                threading.Thread.start = before
                sys.setswitchinterval(interval)
            others[0].join()
            self.assertEqual(got[0].result(), 0)

    def test_calls_are_let_go(self):
        class Thing:
            pass
        thing = Thing()
        died = threading.Event()
        weakref.finalize(thing, died.set)
        with Pool(1) as pool:
            future = pool.submit(id, thing)
            future.result()
            del thing
            self.assertTrue(died.wait(60))
            self.assertIsNone(future.cancel() or None)


class ContextTests(unittest.TestCase):
    variable = contextvars.ContextVar('variable', default='none')

    def test_carried(self):
        for carries, expected in ((True, 'mine'), (False, 'none')):
            with Pool(1, context=carries) as pool:
                pool.submit(int).result()
                token = self.variable.set('mine')
                future = pool.submit(self.variable.get)
                mapped = pool.map(lambda x, y=0: self.variable.get(), [1], [2])
                lazy = pool.imap_unordered(lambda x: self.variable.get(), [1])
                self.variable.reset(token)
                self.assertEqual(future.result(), expected)
                self.assertEqual(list(mapped), [expected])
                self.assertEqual(list(lazy), [expected])

    def test_copies(self):
        """What a call sets is seen neither by others nor by who submitted it."""
        with Pool(1, context=True) as pool:
            pool.submit(self.variable.set, 'theirs').result()
            self.assertEqual(pool.submit(self.variable.get).result(), 'none')
            self.assertEqual(self.variable.get(), 'none')
            with self.assertRaises(ZeroDivisionError):
                pool.submit(divmod, 1, 0).result()
            self.assertEqual(pool.submit(lambda *a, **k: (a, k), 1, b=2).result(), ((1,), {'b': 2}))


class LimitTests(unittest.TestCase):
    def test_block(self):
        gate = Gate()
        with Pool(1, queue_limit=2) as pool:
            gate.occupy(pool)
            pool.submit(int), pool.submit(int)
            third = []
            thread = threading.Thread(target=lambda: third.append(pool.submit(int, 3)))
            thread.start()
            while not _blocked_in_submit(thread):
                pass
            self.assertEqual((pool._work_queue.qsize(), third), (2, []))
            gate.open.set()
            thread.join()
            self.assertEqual(third[0].result(), 3)
            self.assertEqual(list(pool.map(abs, range(-50, 50))), [abs(i) for i in range(-50, 50)])

    def test_block_ends_with_the_pool(self):
        gate, errors = Gate(), []
        pool = Pool(1, queue_limit=1)
        gate.occupy(pool)
        waiting = pool.submit(int)

        def submit():
            try:
                pool.submit(int)
            except RuntimeError as error:
                errors.append(str(error))
        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        pool.shutdown(wait=False)
        for thread in threads:
            thread.join()
        self.assertEqual(errors, ['cannot schedule new futures after shutdown'] * 3)
        gate.open.set()
        self.assertEqual(waiting.result(), 0)

    def test_refuse(self):
        gate = Gate()
        with Pool(1, queue_limit=1, overflow='refuse') as pool:
            gate.occupy(pool)
            waiting = pool.submit(int)
            self.assertRaises(queue.Full, pool.submit, int)
            self.assertRaises(queue.Full, pool.map, int, [1])
            gate.open.set()
            self.assertEqual(waiting.result(), 0)

    def test_a_queue_put_in_its_place(self):
        """Programs bound the standard library's executor so."""
        for made in (queue.Queue, thrum.queue.Queue):
            pool, gate = Pool(1, overflow='refuse'), Gate()
            pool._work_queue = made(2)
            gate.occupy(pool)
            pool.submit(int), pool.submit(int)
            self.assertRaises(queue.Full, pool.submit, int)
            self.assertEqual(pool._work_queue.qsize(), 2)
            self.assertRaises(RuntimeError, setattr, pool, '_work_queue', made())
            gate.open.set()
            pool.shutdown()
        with Pool(1) as pool:
            pool._work_queue = queue.SimpleQueue()
            self.assertRaises(TypeError, setattr, pool, '_work_queue', queue.PriorityQueue())
            self.assertRaises(TypeError, delattr, pool, '_work_queue')
            self.assertEqual(list(pool.map(int, range(9))), list(range(9)))

    def test_caller_runs(self):
        gate = Gate()
        with Pool(1, queue_limit=1, overflow='caller_runs') as pool:
            gate.occupy(pool)
            pool.submit(int)
            here = pool.submit(threading.get_ident)
            self.assertTrue(here.done())
            self.assertEqual(here.result(), threading.get_ident())
            failed = pool.submit(divmod, 1, 0)
            self.assertIsInstance(failed.exception(), ZeroDivisionError)
            gate.open.set()

    def test_own_submit_never_blocks(self):
        for overflow in ('block', 'caller_runs'):
            with self.subTest(overflow), Pool(1, queue_limit=1, overflow=overflow) as pool:
                def work():
                    return [future.result() for future in [pool.submit(int, i) for i in range(5)]]
                self.assertEqual(pool.submit(work).result(), [0, 1, 2, 3, 4])


def _blocked_in_submit(thread):
    frame = sys._current_frames().get(thread.ident)
    return frame is not None and frame.f_code.co_name == '<lambda>'


if __name__ == '__main__':
    unittest.main()
