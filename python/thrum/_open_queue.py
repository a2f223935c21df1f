# SPDX-License-Identifier: MIT
"""The verbs of an open queue: one at whose locks or storage the program looks, or a subclass with
hooks of its own. They take the queue's mutex and call its hooks, as the standard library does."""

from time import monotonic

from ._thrum import ShutDown
from queue import Empty, Full


def _wait(condition, ready, block, timeout, error):
    """Wait on the condition until ready(); raise the error when the time is over."""
    deadline = None if timeout is None else monotonic() + timeout
    while not ready():
        left = None if deadline is None else deadline - monotonic()
        if not block or (left is not None and left <= 0):
            raise error
        condition.wait(left)


def put(queue, block, timeout, item):
    def ready():
        if queue.is_shutdown:
            raise ShutDown
        return queue.maxsize <= 0 or queue._qsize() < queue.maxsize

    with queue.not_full:
        _wait(queue.not_full, ready, block, timeout, Full)
        queue._put(item)
        queue.unfinished_tasks += 1
        queue.not_empty.notify()


def get(queue, block, timeout):
    def ready():
        if queue._qsize():
            return True
        if queue.is_shutdown:
            raise ShutDown
        return False

    with queue.not_empty:
        _wait(queue.not_empty, ready, block, timeout, Empty)
        item = queue._get()
        queue.not_full.notify()
        return item


def task_done(queue, block, timeout):
    with queue.all_tasks_done:
        left = queue.unfinished_tasks - 1
        if left < 0:
            raise ValueError('task_done() called too many times')
        if left == 0:
            queue.all_tasks_done.notify_all()
        queue.unfinished_tasks = left


def join(queue, block, timeout):
    with queue.all_tasks_done:
        while queue.unfinished_tasks:
            queue.all_tasks_done.wait()


def shutdown(queue, immediate, timeout):
    with queue.mutex:
        queue.is_shutdown = True
        while immediate and queue._qsize():
            queue._get()
            if queue.unfinished_tasks > 0:
                queue.unfinished_tasks -= 1
        if immediate:
            queue.all_tasks_done.notify_all()
        queue.not_empty.notify_all()
        queue.not_full.notify_all()


def qsize(queue, block, timeout):
    with queue.mutex:
        return queue._qsize()


def empty(queue, block, timeout):
    with queue.mutex:
        return not queue._qsize()


def full(queue, block, timeout):
    with queue.mutex:
        return 0 < queue.maxsize <= queue._qsize()
