# SPDX-License-Identifier: MIT
"""What CPython's own tests do not ask: newer names, open queues, other people's locks, memory."""

import collections
import gc
import inspect
import sys
import threading
import unittest
import weakref

import thrum
import thrum.futures
import thrum.queue
import thrum.threading as toolbox
from makers import FREE_THREADED

SYNC = (toolbox.Condition, toolbox.Semaphore, toolbox.BoundedSemaphore, toolbox.Event)
QUEUES = (thrum.queue.Queue, thrum.queue.LifoQueue, thrum.queue.PriorityQueue)


def spawn(call, *args):
    thread = threading.Thread(target=call, args=args)
    thread.start()
    return thread


class PlainLock:
    """A lock of a program's own: acquire and release, and nothing else."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = 0

    def acquire(self, blocking=True):
        self.calls += 1
        return self.lock.acquire(blocking)

    def release(self):
        self.lock.release()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *unused):
        self.release()


class ConditionTests(unittest.TestCase):
    def test_locks(self):
        for lock in (None, threading.Lock(), threading.RLock(), PlainLock(),
                     toolbox.Condition()._lock, toolbox.Semaphore(1)):
            with self.subTest(lock):
                condition = toolbox.Condition(lock)
                if lock is not None:
                    self.assertIs(condition._lock, lock)
                for method in (condition.wait, condition.notify, condition.notify_all):
                    self.assertRaises(RuntimeError, method)
                self.ping_pong(condition)

    def ping_pong(self, condition):
        turns = []

        def play(me):
            for _ in range(50):
                with condition:
                    condition.wait_for(lambda: len(turns) % 2 == me)
                    turns.append(me)
                    condition.notify()
        thread = spawn(play, 1)
        play(0)
        thread.join()
        self.assertEqual(turns, [0, 1] * 50)

    def test_locked(self):
        for lock in (None, threading.Lock(), threading.RLock(), PlainLock()):
            condition = toolbox.Condition(lock)
            if isinstance(lock, PlainLock):
                lock.locked = lock.lock.locked
            self.assertFalse(condition.locked())
            with condition:
                self.assertTrue(condition.locked())
                seen = []
                spawn(lambda: seen.append(condition.locked())).join()
                self.assertEqual(seen, [True])
            self.assertFalse(condition.locked())

    def test_depth_is_restored(self):
        condition = toolbox.Condition()
        with condition, condition, condition:
            self.assertFalse(condition.wait(0.001))
            self.assertEqual(condition._lock._recursion_count(), 3)
        self.assertEqual(condition._lock._recursion_count(), 0)
        self.assertIs(condition._lock, condition._lock)
        self.assertRegex(repr(condition), r'^<Condition\(<unlocked _thread.RLock object owner=0 '
                                          r'count=0 at 0x[0-9a-f]+>, 0\)>$')

    def test_not_a_lock(self):
        self.assertRaises(AttributeError, toolbox.Condition, 3)
        self.assertRaises(TypeError, toolbox.Condition, None, None)

    def test_timeouts(self):
        for bad, error in ((1e100, OverflowError), (float('nan'), ValueError), ('1', TypeError)):
            with self.subTest(bad):
                with toolbox.Condition() as _:
                    pass
                if bad == bad:
                    self.assertRaises(error, toolbox.Event().wait, bad)
                self.assertRaises(error, toolbox.Semaphore(0).acquire, True, bad)
                self.assertRaises(error, toolbox.Barrier(2).wait, bad)
                self.assertRaises(error, thrum.queue.Queue().get, True, bad)


class SemaphoreTests(unittest.TestCase):
    def test_messages(self):
        bounded = toolbox.BoundedSemaphore(2)
        for call, message in ((lambda: toolbox.Semaphore(-1), 'semaphore initial value must be >= 0'),
                              (lambda: toolbox.Semaphore().release(0), 'n must be one or more'),
                              (lambda: bounded.release(), 'Semaphore released too many times'),
                              (lambda: toolbox.Semaphore().acquire(False, 1),
                               "can't specify timeout for non-blocking acquire")):
            with self.assertRaises(ValueError) as caught:
                call()
            self.assertEqual(str(caught.exception), message)
        self.assertEqual(repr(bounded), f'<threading.BoundedSemaphore at {id(bounded):#x}: value=2/2>')

    def test_release_many(self):
        semaphore = toolbox.Semaphore(0)
        threads = [spawn(semaphore.acquire) for _ in range(8)]
        semaphore.release(n=8)
        for thread in threads:
            thread.join()
        self.assertEqual(semaphore._value, 0)


class QueueTests(unittest.TestCase):
    def test_order(self):
        for cls, order in zip(QUEUES, ([2, 3, 1], [1, 3, 2], [1, 2, 3])):
            for look in (False, True):
                queue = cls()
                for item in (2, 3, 1):
                    queue.put(item)
                if look:
                    self.assertEqual(sorted(queue.queue), [1, 2, 3])
                self.assertEqual([queue.get() for _ in range(3)], order)

    def test_shutdown(self):
        for cls in QUEUES:
            for look in (False, True):
                with self.subTest(cls, look=look):
                    self.check_shutdown(cls, look)

    def check_shutdown(self, cls, look):
        queue, errors = cls(1), []

        def expect(call, *args):
            try:
                call(*args)
            except thrum.queue.ShutDown:
                errors.append(call)
        queue.put(1)
        if look:
            self.assertFalse(queue.mutex.locked())
        threads = [spawn(expect, queue.put, 2) for _ in range(2)] + [spawn(queue.join)]
        queue.shutdown()
        self.assertTrue(queue.is_shutdown)
        for thread in threads[:2]:
            thread.join()
        self.assertEqual(queue.get(), 1)
        self.assertRaises(thrum.queue.ShutDown, queue.get)
        self.assertRaises(thrum.queue.ShutDown, queue.put, 1)
        queue.task_done()
        threads[2].join()
        self.assertEqual(len(errors), 2)
        queue = cls()
        threads = [spawn(expect, queue.get) for _ in range(2)]
        queue.shutdown(immediate=True)
        for thread in threads:
            thread.join()
        self.assertEqual(len(errors), 4)

    def test_opened_while_waited_for(self):
        for cls in QUEUES:
            for name in ('queue', 'mutex', 'not_empty', 'not_full', 'all_tasks_done'):
                with self.subTest(cls, name=name):
                    queue, items = cls(2), []
                    getter = spawn(lambda: items.append(queue.get()))
                    getattr(queue, name)
                    queue.put(1)
                    getter.join()
                    queue.put(2), queue.put(3)
                    putter = spawn(queue.put, 4)
                    items += [queue.get() for _ in range(3)]
                    putter.join()
                    self.assertEqual(sorted(items), [1, 2, 3, 4])
                    joiner = spawn(queue.join)
                    for _ in range(4):
                        queue.task_done()
                    joiner.join()
                    self.assertRaises(ValueError, queue.task_done)

    def test_hooks(self):
        class Unique(thrum.queue.Queue):
            def _init(self, maxsize):
                self.queue = set()

            def _put(self, item):
                self.queue.add(item)

            def _get(self):
                return self.queue.pop()
        queue = Unique()
        for item in (1, 1, 2, 2):
            queue.put(item)
        self.assertEqual(queue.qsize(), 2)
        self.assertEqual({queue.get(), queue.get()}, {1, 2})
        self.assertRaises(thrum.queue.Empty, queue.get_nowait)

    def test_kinds_of_storage(self):
        self.assertIsInstance(thrum.queue.Queue().queue, collections.deque)
        self.assertIsInstance(thrum.queue.LifoQueue().queue, list)
        queue = thrum.queue.Queue(3)
        for item in range(3):
            queue.put(item)
        with queue.mutex:
            queue.queue.clear()
        self.assertTrue(queue.empty())
        self.assertFalse(queue.full())

    def test_maxsize_is_raised(self):
        queue = thrum.queue.Queue(1)
        queue.put(1)
        thread = spawn(queue.put, 2)
        queue.maxsize = 2
        thread.join()
        self.assertTrue(queue.full())

    def test_comparison_uses_the_queue(self):
        queue = thrum.queue.PriorityQueue()

        class Item:
            def __lt__(self, other):
                queue.put(self)
        queue.put(Item())
        self.assertRaises(RuntimeError, queue.put, Item())

    def test_subscript(self):
        self.assertEqual(str(thrum.queue.Queue[int]), 'queue.Queue[int]')


class MemoryTests(unittest.TestCase):
    MAKERS = {**{cls.__name__: cls for cls in SYNC + QUEUES}, 'Barrier': lambda: toolbox.Barrier(1),
              'Condition(Lock)': lambda: toolbox.Condition(threading.Lock())}

    def use(self, thing):
        thing.attribute = thing
        ref = weakref.ref(thing)
        for name in ('_lock', '_cond', 'mutex'):
            getattr(thing, name, None)
        if isinstance(thing, QUEUES):
            thing.put((1, 2))
        return ref

    def test_cycles_are_collected(self):
        for name, make in self.MAKERS.items():
            with self.subTest(name):
                ref = self.use(make())
                gc.collect()
                self.assertIsNone(ref())

    def churn(self, make, n):
        for _ in range(n):
            thing = make()
            if isinstance(thing, QUEUES):
                thing.put([2])
                thing.put([1])
                thing.get()
            elif not isinstance(thing, toolbox.Event):
                getattr(thing, 'wait' if isinstance(thing, toolbox.Barrier) else 'acquire')()

    def test_nothing_leaks(self):
        for name, make in self.MAKERS.items():
            with self.subTest(name):
                self.churn(make, 100)
                gc.collect()
                kind = type(make())
                refs, blocks = sys.getrefcount(kind), sys.getallocatedblocks()
                self.churn(make, 100_000)
                gc.collect()
                if not FREE_THREADED:
                    self.assertEqual(sys.getrefcount(kind), refs)
                self.assertLess(sys.getallocatedblocks() - blocks, 1000)

    def test_errors_do_not_leak(self):
        queue, event = thrum.queue.Queue(1), toolbox.Event()
        queue.put(0)
        blocks = sys.getallocatedblocks()
        for _ in range(20_000):
            self.assertFalse(event.wait(0))
            self.assertRaises(thrum.queue.Full, queue.put_nowait, 1)
            self.assertRaises(TypeError, queue.put)
            self.assertRaises(TypeError, toolbox.Semaphore, wrong=1)
        self.assertLess(sys.getallocatedblocks() - blocks, 1000)


class SurfaceTests(unittest.TestCase):
    def test_signatures(self):
        import queue as standard_queue
        for ours, standard in ((toolbox, threading), (thrum.queue, standard_queue)):
            for name in ours.REPLACED:
                with self.subTest(name):
                    kind, plain = getattr(ours, name), getattr(standard, name, None)
                    self.assertEqual((kind.__module__, kind.__name__), (standard.__name__, name))
                    if plain is not None and not issubclass(kind, Exception):
                        self.compare(kind, plain)

    def compare(self, kind, plain):
        for name in [name for name in vars(plain) if not name.startswith('_')]:
            self.assertTrue(hasattr(kind, name), name)
            method = getattr(plain, name)
            if callable(method):
                self.assertTrue(getattr(kind, name).__doc__)
                self.assertEqual(list(inspect.signature(getattr(kind, name)).parameters),
                                 list(inspect.signature(method).parameters), name)
        if kind is not toolbox.Event:
            self.assertEqual(list(inspect.signature(kind).parameters),
                             list(inspect.signature(plain).parameters))

    def test_everything_is_there(self):
        for name in threading.__all__:
            self.assertTrue(hasattr(toolbox, name), name)
        self.assertEqual(sum(thrum.made().values()) > 0, True)


class GarbageTests(unittest.TestCase):
    """Garbage that is collected in the middle of what an object does uses that object."""

    def often(self, use, call):
        """Make the call, and let each collection that it sets off call use()."""
        class Cycle:
            def __init__(self):
                self.self = self

            def __del__(self):
                if going:
                    Cycle()
                    use()
        going, before = [True], gc.get_threshold()
        gc.collect()
        Cycle()
        gc.set_threshold(1)
        try:
            return call()
        finally:
            going.clear()
            gc.set_threshold(*before)

    def test_queue_opens(self):
        for cls in QUEUES:
            opened, late, puts = cls(), list(range(24, 4, -1)), [0, 1, 2, 3, 4]
            for item in puts:
                opened.put(item)

            def put():
                if late:
                    item = late.pop()
                    try:
                        opened.put(item)
                        puts.append(item)
                    except RuntimeError:  # this thread is in the heap
                        self.assertIs(cls, thrum.queue.PriorityQueue)
            storage = self.often(put, lambda: opened.queue)
            self.assertIs(storage, opened.queue)
            self.assertEqual(list(storage), puts)

    def test_one_lock(self):
        for make in (lambda: (toolbox.Condition(), '_lock'), lambda: (toolbox.Event(), '_cond'),
                     lambda: (thrum.queue.Queue(), 'mutex'), lambda: (thrum.queue.Queue(), 'not_full'),
                     lambda: (thrum.futures.Future(), '_condition'),
                     lambda: (thrum.futures.ThreadPoolExecutor(1), '_shutdown_lock')):
            seen, (object, name) = [], make()

            def look():
                try:
                    seen.append(getattr(object, name))
                except RuntimeError:  # it is being opened by this thread
                    self.assertIsInstance(object, thrum.queue.Queue)
            seen.append(self.often(look, lambda: getattr(object, name)))
            self.assertEqual(set(map(id, seen)), {id(getattr(object, name))}, name)


if __name__ == '__main__':
    unittest.main()
