# SPDX-License-Identifier: MIT
"""Threads at random. THRUM_SEED repeats a run."""

import concurrent.futures as standard
import functools
import random
import sys
import threading
import unittest

import thrum.futures as futures
import thrum.queue
import thrum.threading as toolbox
from makers import SEED, meet

ROUNDS = 400


def together(n, call):
    """Run call(random generator) in n threads; raise what one of them raised."""
    meet(*[functools.partial(call, random.Random(f'{SEED}.{number}')) for number in range(n)])


class StressTests(unittest.TestCase):
    def setUp(self):
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, before)

    def test_semaphore(self):
        semaphore, inside = toolbox.BoundedSemaphore(2), []

        def work(rng):
            for _ in range(ROUNDS):
                if semaphore.acquire(timeout=rng.choice((None, 0, 1e-4, 1))):
                    inside.append(1)
                    assert len(inside) <= 2
                    inside.pop()
                    semaphore.release()
        together(6, work)
        self.assertEqual(semaphore._value, 2)

    def test_condition(self):
        for lock in (None, threading.Lock()):
            condition, inside, tokens = toolbox.Condition(lock), [], [0]

            def work(rng):
                for _ in range(ROUNDS // 2):
                    with condition:
                        inside.append(1)
                        assert len(inside) == 1
                        inside.pop()
                        if rng.random() < 0.5:
                            tokens[0] += 1
                            condition.notify(rng.choice((1, 1, 2)))
                        elif condition.wait_for(lambda: tokens[0], rng.choice((0, 1e-4, 1e-3))):
                            tokens[0] -= 1
            together(6, work)
            self.assertEqual(len(condition._waiters), 0)

    def test_no_notification_is_lost(self):
        """Waiters without time limit: a lost one hangs."""
        condition, tokens = toolbox.Condition(), [0]

        def work(rng):
            for _ in range(ROUNDS // 4):
                give = rng.random() < 0.5
                for turn in (give, not give):
                    with condition:
                        if turn:
                            tokens[0] += 1
                            condition.notify()
                        elif give or condition.wait_for(lambda: tokens[0], 1e-3):
                            condition.wait_for(lambda: tokens[0])
                            tokens[0] -= 1
                        else:
                            tokens[0] += 1
                            condition.notify()
                            tokens[0] -= 1
        together(4, work)

    def test_queues(self):
        for cls in (thrum.queue.Queue, thrum.queue.LifoQueue, thrum.queue.PriorityQueue):
            for maxsize in (0, 1, 7):
                for look in (False, True):
                    self.stress_queue(cls(maxsize), look)

    def stress_queue(self, queue, look):
        put, got, n, total = [], [], 4, 4 * (ROUNDS // 4)
        ends = toolbox.Semaphore(0)

        def producer(rng):
            for _ in range(ROUNDS // 4):
                item = rng.randrange(1000)
                while True:
                    try:
                        queue.put(item, rng.random() < 0.8, rng.choice((None, 1e-4)))
                        break
                    except thrum.queue.Full:
                        pass
                put.append(item)
                if look and rng.random() < 0.02:
                    assert queue.mutex is not None
            ends.release()

        def consumer(rng):
            while True:
                try:
                    got.append(queue.get(rng.random() < 0.8, rng.choice((None, 1e-4))))
                    queue.task_done()
                except thrum.queue.Empty:
                    pass
                except thrum.queue.ShutDown:
                    return

        def work(rng):
            (producer if next(numbers) < n else consumer)(rng)
        numbers = iter(range(2 * n))
        closer = threading.Thread(target=lambda: ([ends.acquire() for _ in range(n)], queue.join(),
                                                  queue.shutdown()))
        closer.start()
        together(2 * n, work)
        closer.join()
        self.assertEqual((sorted(got), len(got)), (sorted(put), total))

    def test_barrier(self):
        barrier, rounds = toolbox.Barrier(4, lambda: rounds.append(1)), []
        indexes = []

        def work(rng):
            for _ in range(ROUNDS // 4):
                indexes.append(barrier.wait())
        together(4, work)
        self.assertEqual(len(rounds), ROUNDS // 4)
        self.assertEqual(sorted(indexes), sorted(list(range(4)) * (ROUNDS // 4)))

    def test_broken_barrier(self):
        barrier = toolbox.Barrier(3)

        def work(rng):
            for _ in range(ROUNDS // 4):
                try:
                    barrier.wait(rng.choice((1e-4, 1e-3, 0.01)))
                except threading.BrokenBarrierError:
                    barrier.reset()
        together(4, work)

    def test_event(self):
        event, over = toolbox.Event(), []

        def work(rng):
            for _ in range(ROUNDS):
                rng.choice((event.set, event.clear, lambda: event.wait(1e-4)))()
        together(4, work)
        waiter = threading.Thread(target=lambda: over.append(event.wait()))
        event.clear()
        waiter.start()
        event.set()
        event.clear()
        waiter.join(0.01)
        event.set()
        waiter.join()
        self.assertEqual(over, [True])

    def test_futures(self):
        """Each is completed or cancelled once; whoever waits is told."""
        for _ in range(ROUNDS // 4):
            fs = [futures.Future() for _ in range(8)]
            called, claimed = [], [threading.Lock() for _ in fs]
            for future in fs:
                future.add_done_callback(called.append)

            def complete(rng):
                for number in rng.sample(range(8), 8):
                    if rng.random() < 0.2:
                        fs[number].cancel()
                    if claimed[number].acquire(False) and fs[number].set_running_or_notify_cancel():
                        fs[number].set_result(number)

            def watch(rng):
                some = rng.sample(fs, 5)
                if rng.random() < 0.2:
                    assert some[0]._condition
                for future in rng.choice((futures, standard)).as_completed(some):
                    assert future.done()
                when = rng.choice((futures.FIRST_COMPLETED, futures.FIRST_EXCEPTION))
                futures.wait(fs, rng.choice((None, 1e-4)), when)
                assert rng.choice((futures, standard)).wait(fs).not_done == set()
                for number, future in enumerate(fs):
                    try:
                        assert future.result() == number
                    except futures.CancelledError:
                        assert future.cancelled()
            roles = iter((complete, complete, watch, watch, watch))
            together(5, lambda rng: next(roles)(rng))
            self.assertEqual(sorted(map(id, called)), sorted(map(id, fs)))


if __name__ == '__main__':
    print(f'THRUM_SEED={SEED}', flush=True)
    unittest.main()
