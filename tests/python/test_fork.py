# SPDX-License-Identifier: MIT
"""A child process uses the objects at which threads of its parent wait."""

import os
import signal
import threading
import unittest
import warnings

import thrum.futures
import thrum.queue
import thrum.threading as toolbox

warnings.simplefilter('ignore', DeprecationWarning)  # 3.12: fork with threads


def in_child(function):
    """Call function() in a forked child; return whether all was well there."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(20)
            function()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class ForkTests(unittest.TestCase):
    def setUp(self):
        self.condition, self.other = toolbox.Condition(), toolbox.Condition(threading.Lock())
        self.semaphore, self.event = toolbox.Semaphore(0), toolbox.Event()
        self.barrier, self.queue = toolbox.Barrier(2), thrum.queue.Queue()
        self.full = thrum.queue.Queue(1)
        self.full.put(0)
        self.futures = [thrum.futures.Future() for _ in range(4)]
        self.futures[0]._condition
        self.threads = []

    def start(self, *calls):
        for call in calls:
            self.threads.append(threading.Thread(target=call))
            self.threads[-1].start()

    def wait(self, condition):
        with condition:
            condition.wait()

    def wait_for_waiters(self, condition):
        while True:
            with condition:
                if len(condition._waiters) == 1:
                    return

    def use(self):
        for condition in (self.condition, self.other):
            with condition:
                assert len(condition._waiters) == 0
                condition.notify_all()
                assert not condition.wait(0.001)
        self.semaphore.release()
        assert self.semaphore.acquire(False)
        self.event.set()
        assert self.event.wait()
        self.queue.put(1)
        assert self.queue.get() == 1
        assert self.full.get() == 0
        self.full.put(2)
        for number, future in enumerate(self.futures):
            future.set_result(number)
            assert future.result() == number
        assert len(thrum.futures.wait(self.futures).done) == 4
        assert list(thrum.futures.as_completed(self.futures)) == self.futures
        self.barrier.reset()
        thread = threading.Thread(target=self.barrier.wait)
        thread.start()
        self.barrier.wait()
        thread.join()

    def test_waiters_stay_in_the_parent(self):
        self.start(lambda: self.wait(self.condition), lambda: self.wait(self.other),
                   self.semaphore.acquire, self.event.wait, self.barrier.wait, self.queue.get,
                   lambda: self.full.put(1), self.futures[0].result, self.futures[1].exception,
                   lambda: thrum.futures.wait(self.futures),
                   lambda: list(thrum.futures.as_completed(self.futures)))
        self.wait_for_waiters(self.condition)
        self.wait_for_waiters(self.other)
        while self.barrier.n_waiting == 0:
            os.sched_yield()
        for _ in range(5):
            self.assertTrue(in_child(self.use))
        for condition in (self.condition, self.other):
            with condition:
                condition.notify_all()
        self.semaphore.release()
        self.event.set()
        self.barrier.wait()
        self.queue.put(1)
        self.full.get()
        for future in self.futures:
            future.set_result(1)
        for thread in self.threads:
            thread.join()

    def test_handler_forks(self):
        """The child is in the handler, which interrupted a wait, and goes on to wait."""
        children = []

        def handle(number, frame):
            signal.setitimer(signal.ITIMER_REAL, 0)
            children.append(os.fork())
            if children[-1] == 0:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(20)
                threading.Thread(target=self.queue.put, args=('child',)).start()
            else:
                self.queue.put('parent')
        before = signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        item = self.queue.get()
        if children[0] == 0:
            os._exit(0 if item == 'child' else 1)
        signal.signal(signal.SIGALRM, before)
        self.assertEqual(item, 'parent')
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]), 0)

    def test_reinit(self):
        self.condition.acquire()
        self.other.acquire()

        def use():
            def take():
                for condition in (self.condition, self.other):
                    assert not condition.acquire(False)
                    condition._at_fork_reinit()
                    with condition:
                        pass
                ok.append(1)
            ok = []
            thread = threading.Thread(target=take)
            thread.start()
            thread.join()
            assert ok
        self.assertTrue(in_child(use))


if __name__ == '__main__':
    unittest.main()
