# SPDX-License-Identifier: MIT
"""Threads that do different things to one object at the same moment: with a GIL few of these meet, without one
(python3.13t and later) most do. THRUM_SEED repeats the choices, not the run."""

import concurrent.futures as standard
import gc
import logging
import random
import sys
import unittest
import weakref

import thrum.futures as futures
import thrum.native
import thrum.queue
import thrum.threading as toolbox
from makers import FREE_THREADED, SEED, meet, run_python

ROUNDS = 60
Pool = futures.ThreadPoolExecutor


def setUpModule():
    print(f'THRUM_SEED={SEED}')


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


class RaceTests(unittest.TestCase):
    def setUp(self):
        self.random, before = random.Random(f'{SEED}.{self.id()}'), sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, before)
        logger, self.records = logging.getLogger('concurrent.futures'), Records()
        logger.addHandler(self.records)
        self.addCleanup(logger.removeHandler, self.records)
        propagate, logger.propagate = logger.propagate, False
        self.addCleanup(setattr, logger, 'propagate', propagate)
        futures.report_unread(False)
        self.addCleanup(futures.report_unread, True)


class FutureTests(RaceTests):
    def test_one_outcome(self):
        """Of all who complete or cancel it one succeeds; each callback is called once; all readers agree."""
        for _ in range(ROUNDS):
            future, won, called, read = futures.Future(), [], [], []

            def complete(method, *args):
                try:
                    if getattr(future, method)(*args) in (None, True):
                        won.append(method)
                except futures.InvalidStateError:
                    pass

            def add():
                for _ in range(5):
                    future.add_done_callback(called.append)

            def look():
                repr(future), future.done(), future.running(), future.cancelled()
                future._get_snapshot(), future._state, future._waiters, future._result
                try:
                    read.append(future.result(60))
                except (KeyError, futures.CancelledError) as error:
                    read.append(type(error))
            meet(lambda: complete('set_result', 'x'), lambda: complete('set_exception', KeyError('y')),
                 lambda: complete('cancel'), add, add, look, look, lambda: future._condition)
            self.assertEqual((len(won), called, len(set(read))), (1, [future] * 10, 1))
            self.assertEqual(read[0], {'set_result': 'x', 'set_exception': KeyError,
                                       'cancel': futures.CancelledError}[won[0]])

    def test_waits_end_when_they_should(self):
        """The futures are completed while wait() gathers them."""
        for _ in range(ROUNDS):
            fs = [futures.Future() for _ in range(9)]
            if self.random.random() < 0.2:
                fs[4]._condition

            def wait(library, when, enough):
                found = library.wait(fs, None, when)
                assert enough(found), found

            def complete(some):
                for future in some:
                    future.set_exception(KeyError()) if future is fs[5] else future.set_result(1)
            meet(lambda: complete(fs[:5]), lambda: complete(fs[5:]),
                 lambda: wait(futures, futures.ALL_COMPLETED, lambda found: not found.not_done),
                 lambda: wait(futures, futures.FIRST_COMPLETED, lambda found: found.done),
                 lambda: wait(futures, futures.FIRST_EXCEPTION,
                              lambda found: fs[5] in found.done or not found.not_done),
                 lambda: wait(standard, futures.ALL_COMPLETED, lambda found: not found.not_done))

    def test_as_completed_gives_each_once(self):
        for _ in range(ROUNDS):
            fs, shared = [futures.Future() for _ in range(8)], []

            def take(items):
                try:
                    for future in items:
                        shared.append(future)
                except ValueError:
                    pass  # another thread is in it
            items = futures.as_completed(fs)
            meet(lambda: [future.set_result(1) for future in fs[::2]], lambda: take(items), lambda: take(items),
                 lambda: [future.cancel() and future.set_running_or_notify_cancel() for future in fs[1::2]],
                 lambda: self.assertEqual(sorted(map(id, futures.as_completed(fs))), sorted(map(id, fs))))
            shared += items
            self.assertEqual(sorted(map(id, shared)), sorted(map(id, fs)))

    def test_one_condition(self):
        for _ in range(ROUNDS):
            future, event, condition, seen = futures.Future(), toolbox.Event(), toolbox.Condition(), []
            queue = thrum.queue.Queue()
            queue.put('x')

            def look():
                seen.append((future._condition, future._waiters, event._cond, condition._lock, queue.mutex,
                             queue.not_empty, queue.queue))
            meet(look, look, look, lambda: queue.put('y'), lambda: future.set_result(1), event.set)
            self.assertEqual({tuple(map(id, row)) for row in seen}, {tuple(map(id, seen[0]))})
            self.assertEqual(list(queue.queue), ['x', 'y'])


class QueueTests(RaceTests):
    def test_storage_is_exchanged(self):
        """A program may set the attributes of a queue that others use."""
        for kind in (thrum.queue.Queue, thrum.queue.LifoQueue):
            queue, stop = kind(), []

            def use():
                for i in range(ROUNDS):
                    queue.put(i)
                    assert queue.qsize() >= 0
                    len(queue.queue), queue.maxsize, queue.unfinished_tasks, queue.full(), queue.empty()

            def exchange():
                for _ in range(ROUNDS):
                    queue.queue = type(queue.queue)()
                    queue.not_full = toolbox.Condition(queue.mutex)
            meet(use, use, exchange, exchange)

    def test_shutdown_and_join(self):
        for _ in range(ROUNDS):
            for kind in (thrum.queue.Queue, thrum.queue.PriorityQueue):
                queue, got, put = kind(2), [], []

                def give():
                    try:
                        for i in range(9):
                            queue.put(i)
                            put.append(i)
                    except thrum.queue.ShutDown:
                        pass

                def take():
                    try:
                        while True:
                            got.append(queue.get())
                            queue.task_done()
                    except thrum.queue.ShutDown:
                        pass
                meet(give, give, take, take, lambda: (queue.put(9), put.append(9), queue.shutdown()), queue.join)
                self.assertEqual(sorted(got), sorted(put))


class PoolTests(RaceTests):
    def test_no_more_workers_than_that(self):
        for _ in range(ROUNDS):
            most = self.random.randrange(1, 4)
            with Pool(most) as pool:
                meet(*[lambda: [pool.submit(int) for _ in range(9)]] * 3)
                self.assertLessEqual(len(pool._threads), most)

    def test_who_helps_and_who_cancels(self):
        """A call is run by a worker, or by one that waits for it, or it was cancelled; nothing is logged."""
        for _ in range(ROUNDS // 3):
            pool, ran = Pool(3), []
            leaves = [pool.submit(lambda i=i: ran.append(i) or i) for i in range(20)]

            def call():
                some = self.random.sample(leaves, 10)
                futures.wait(some)
                return [future.cancelled() or future.result() for future in some]
            waits = [pool.submit(call) for _ in range(6)]
            meet(lambda: [future.cancel() for future in leaves[::3]],
                 lambda: [future.cancel() for future in leaves[::2]],
                 lambda: [future.result() for future in waits], lambda: pool.shutdown(wait=False))
            pool.shutdown()
            self.assertEqual(sorted(ran), [i for i, future in enumerate(leaves) if not future.cancelled()])
        self.assertEqual(self.records.texts, [])

    def test_results_of_all(self):
        with Pool(4) as pool:
            for _ in range(ROUNDS):
                size = self.random.choice((None, 1, 4))
                self.assertEqual(sorted(pool.imap_unordered(abs, range(-9, 1), buffersize=size)),
                                 list(range(10)))
                shared, taken = pool.map(abs, range(-9, 1), buffersize=size), []

                def take():
                    try:
                        for result in shared:
                            taken.append(result)
                    except ValueError:
                        pass  # another thread is in it
                meet(take, take)
                taken += shared
                self.assertEqual(sorted(taken), list(range(10)))

    def test_the_end_comes_meanwhile(self):
        for _ in range(ROUNDS):
            pool, made = Pool(2), []
            gone = weakref.ref(pool)

            def submit(pool):
                try:
                    for i in range(9):
                        made.append(pool.submit(abs, -i))
                except RuntimeError:
                    pass
            meet(lambda: submit(pool), lambda: submit(pool), gc.collect if self.random.random() < 0.1 else int,
                 lambda: pool.shutdown(self.random.random() < 0.5, cancel_futures=self.random.random() < 0.5))
            pool = None
            self.assertTrue(all(future.cancelled() or future.result(60) >= 0 for future in made))
        gc.collect()
        self.assertIsNone(gone())

    def test_an_initializer_fails(self):
        for _ in range(ROUNDS // 3):
            made = []
            pool = Pool(3, initializer=lambda: 1 / 0)

            def submit():
                try:
                    for _ in range(9):
                        made.append(pool.submit(int))
                except standard.BrokenExecutor:
                    pass
            meet(submit, submit, lambda: [future.cancel() for future in list(made)])
            pool.shutdown()
            for future in made:
                self.assertTrue(future.cancelled() or
                                isinstance(future.exception(60), standard.BrokenExecutor))
        self.assertEqual(set(self.records.texts), {'Exception in initializer:'})

    def test_attributes(self):
        pool = Pool(2)

        def look():
            for _ in range(ROUNDS):
                list(pool._threads), pool._broken, pool._shutdown, pool._work_queue.qsize()
                pool._idle_semaphore, pool._shutdown_lock, pool._max_workers

        def change():
            for i in range(ROUNDS):
                pool._max_workers = 1 + i % 3
        meet(look, look, change, lambda: [pool.submit(int) for _ in range(ROUNDS)])
        pool.shutdown()


class NativeTests(RaceTests):
    def test_submit_cancel_and_read(self):
        import test_native
        for _ in range(ROUNDS // 10):
            pool, made = thrum.native.Pool(3), []

            def submit():
                for i in range(30):
                    made.append((i, pool.submit(test_native.lib.same_i32, i)))

            def read():
                for i, future in list(made):
                    try:
                        assert future.result(60) == i
                    except futures.CancelledError:
                        assert future.cancelled()
            meet(submit, submit, lambda: [future.cancel() for _, future in list(made)], read, read)
            pool.shutdown()
            read()


class InterpreterTests(unittest.TestCase):
    @unittest.skipUnless(FREE_THREADED, 'this interpreter has a GIL')
    def test_the_gil_stays_off(self):
        program = ('import sys, thrum, thrum.futures, thrum.native, thrum.queue, thrum.threading\n'
                   'thrum.install()\nprint(sys._is_gil_enabled())')
        done = run_python(program, PYTHONWARNINGS='error')
        self.assertEqual((done.stdout, done.stderr, done.returncode), ('False\n', '', 0))


if __name__ == '__main__':
    unittest.main()
