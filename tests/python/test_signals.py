# SPDX-License-Identifier: MIT
"""Signal handlers run in every blocking call: they may raise, and time-outs keep running."""

import signal
import threading
import time
import unittest

import thrum.futures
import thrum.queue
import thrum.threading as toolbox


class Interrupt(Exception):
    pass


class Held:
    """A condition whose own lock is held by another thread until the block ends."""

    def __enter__(self):
        self.condition = toolbox.Condition()
        self.held, self.done = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.hold)
        self.thread.start()
        self.held.wait()
        return self.condition

    def hold(self):
        with self.condition:
            self.held.set()
            self.done.wait()

    def __exit__(self, *unused):
        self.done.set()
        self.thread.join()


def full(cls):
    queue = cls(1)
    queue.put(0)
    return queue


def opened(queue):
    assert queue.mutex
    return queue


def future(look=False):
    result = thrum.futures.Future()
    assert not look or result._condition
    return result


def in_condition(condition, method, *args):
    with condition:
        return getattr(condition, method)(*args)


def never():
    return False


# Each call blocks; with a timeout as its last argument where it takes one.
TIMED = {
    'Condition.wait': lambda t: in_condition(toolbox.Condition(), 'wait', t),
    'Condition(Lock).wait': lambda t: in_condition(toolbox.Condition(threading.Lock()), 'wait', t),
    'Condition.wait_for': lambda t: in_condition(toolbox.Condition(), 'wait_for', never, t),
    'Semaphore.acquire': lambda t: toolbox.Semaphore(0).acquire(True, t),
    'BoundedSemaphore.acquire': lambda t: toolbox.BoundedSemaphore(0).acquire(True, t),
    'Event.wait': lambda t: toolbox.Event().wait(t),
    'Barrier.wait': lambda t: toolbox.Barrier(2).wait(t),
    'Queue.get': lambda t: thrum.queue.Queue().get(True, t),
    'LifoQueue.get': lambda t: thrum.queue.LifoQueue().get(True, t),
    'PriorityQueue.get': lambda t: thrum.queue.PriorityQueue().get(True, t),
    'Queue.put': lambda t: full(thrum.queue.Queue).put(1, True, t),
    'PriorityQueue.put': lambda t: full(thrum.queue.PriorityQueue).put(1, True, t),
    'open Queue.get': lambda t: opened(thrum.queue.Queue()).get(True, t),
    'open Queue.put': lambda t: opened(full(thrum.queue.Queue)).put(1, True, t),
    'Future.result': lambda t: future().result(t),
    'Future.exception': lambda t: future().exception(t),
    'open Future.result': lambda t: future(True).result(t),
    'wait': lambda t: thrum.futures.wait([future(), future()], t).done,
    'as_completed': lambda t: next(thrum.futures.as_completed([future(), future()], t)),
}
UNTIMED = {
    'Queue.join': lambda: full(thrum.queue.Queue).join(),
    'open Queue.join': lambda: opened(full(thrum.queue.Queue)).join(),
}
EXPIRY = (threading.BrokenBarrierError, thrum.queue.Empty, thrum.queue.Full, TimeoutError)


class SignalTests(unittest.TestCase):
    def setUp(self):
        self.calls = 0
        self.limit = 0
        before = signal.signal(signal.SIGALRM, self.handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def handle(self, number, frame):
        self.calls += 1
        if self.calls == self.limit:
            raise Interrupt

    def check_raises(self, call, *args):
        self.calls, self.limit = 0, 3
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        with self.assertRaises(Interrupt):
            call(*args)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertGreaterEqual(self.calls, 3)

    def test_handler_raises(self):
        for name, call in TIMED.items():
            for timeout in (None, 60):
                with self.subTest(name, timeout=timeout):
                    self.check_raises(call, timeout)
        for name, call in UNTIMED.items():
            with self.subTest(name):
                self.check_raises(call)

    def test_handler_raises_in_acquire(self):
        with Held() as condition:
            self.check_raises(condition.acquire)
            self.check_raises(condition.acquire, True, 60)
            self.check_raises(condition.__enter__)
            self.check_raises(condition._lock.acquire)
        with condition:
            pass

    def test_timeout_runs_on(self):
        for name, call in TIMED.items():
            with self.subTest(name):
                self.calls, self.limit = 0, -1
                signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
                begin = time.monotonic()
                try:
                    self.assertFalse(call(0.05))
                except EXPIRY:
                    pass
                signal.setitimer(signal.ITIMER_REAL, 0)
                self.assertGreaterEqual(time.monotonic() - begin, 0.05)
                self.assertGreater(self.calls, 0)

    def test_handler_ends_the_wait(self):
        event, queue, semaphore = toolbox.Event(), thrum.queue.Queue(), toolbox.Semaphore(0)
        first, second, third = future(), future(True), future()

        def handle(number, frame):
            event.set()
            queue.put(7)
            semaphore.release()
            for each in (first, second, third):
                if not each.done():
                    each.set_result(3)
                    break
        signal.signal(signal.SIGALRM, handle)
        for wait, result in ((first.result, 3), (second.result, 3),
                             (lambda: len(thrum.futures.wait([third]).done), 1),
                             (event.wait, True), (queue.get, 7), (semaphore.acquire, True)):
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            self.assertEqual(wait(), result)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def check_next(self, take, give, give_back):
        """The handler of who waits first waits for who waits next."""
        going, alive = threading.Event(), []

        def come_next():
            going.set()
            give_back(take())
        next_one = threading.Thread(target=come_next)

        def handle(number, frame):
            self.calls += 1
            if self.calls == 3:
                signal.setitimer(signal.ITIMER_REAL, 0)
                next_one.start()
                going.wait()
                give()
                next_one.join(60)
                alive.append(next_one.is_alive())
        self.calls = 0
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        give_back(take())
        self.assertEqual(alive, [False])
        next_one.join()

    def test_handler_waits_for_the_next(self):
        held = Held()
        with held as condition:
            def let_go():
                held.done.set()
                held.thread.join()
            self.check_next(condition.acquire, let_go, lambda _: condition.release())
        semaphore, queue = toolbox.Semaphore(0), thrum.queue.Queue()
        self.check_next(semaphore.acquire, semaphore.release, lambda _: semaphore.release())
        self.check_next(queue.get, lambda: queue.put(1), queue.put)

    def test_interrupted_waiter_is_gone(self):
        condition = toolbox.Condition()
        self.check_raises(in_condition, condition, 'wait')
        self.assertEqual(len(condition._waiters), 0)
        semaphore = toolbox.Semaphore(0)
        self.check_raises(semaphore.acquire)
        semaphore.release()
        self.assertTrue(semaphore.acquire(False))
        barrier = toolbox.Barrier(2)
        self.check_raises(barrier.wait)
        never = future()
        for call in (lambda: thrum.futures.wait([never]),
                     lambda: next(thrum.futures.as_completed([never])), never.result):
            self.check_raises(call)
        never.set_result(1)
        self.assertEqual(never.result(), 1)
        self.assertEqual((barrier.n_waiting, barrier.broken), (0, False))


if __name__ == '__main__':
    unittest.main()
