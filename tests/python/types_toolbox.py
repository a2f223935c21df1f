# SPDX-License-Identifier: MIT
"""Right uses of thrum.threading and thrum.queue, with the types that they have. mypy --strict reads it
and python3 runs it: see typed.py."""

import sys
from typing import assert_type

import thrum.queue as queues
from thrum.queue import Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from thrum.threading import (TIMEOUT_MAX, Barrier, BoundedSemaphore, BrokenBarrierError, Condition,
                             Event, ExceptHookArgs, Lock, RLock, Semaphore, Thread, ThreadError, Timer,
                             active_count, activeCount, current_thread, currentThread, enumerate,
                             excepthook, get_ident, get_native_id, getprofile, gettrace, local,
                             main_thread, setprofile, settrace, stack_size)

if sys.version_info >= (3, 12):
    from thrum.threading import setprofile_all_threads, settrace_all_threads
    assert callable(setprofile_all_threads) and callable(settrace_all_threads)
if sys.version_info >= (3, 15):
    from thrum.threading import concurrent_tee, serialize_iterator, synchronized_iterator
    assert callable(concurrent_tee) and callable(serialize_iterator) and callable(synchronized_iterator)


class PlainLock:
    """acquire and release are enough for a condition."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class Latch(Condition):
    def open(self) -> int:
        with self as held:
            assert_type(held, bool)
            self.notify_all()
            return self.wait_for(lambda: 1, timeout=2.5)


class Numbers(Queue[int]):
    """A queue with hooks of its own."""

    def _init(self, maxsize: int, /) -> None:
        self.numbers: list[int] = []

    def _qsize(self) -> int:
        return len(self.numbers)

    def _put(self, item: int, /) -> None:
        self.numbers.append(item)

    def _get(self) -> int:
        return self.numbers.pop()


def conditions() -> None:
    for condition in (Condition(), Condition(Lock()), Condition(RLock()), Condition(None),
                      Condition(lock=PlainLock()), Condition(Condition())):
        assert_type(condition.acquire(), bool)
        assert_type(condition.release(), None)
    condition = Condition(Lock())
    assert_type(condition.acquire(True, timeout=1), bool)
    assert_type(condition.locked(), bool)
    condition.notify(2)
    assert_type(condition.wait(timeout=0), bool)
    assert_type(condition.wait_for(lambda: 'done'), str)
    condition.release()
    assert_type(Latch().open(), int)


def semaphores() -> None:
    several: list[Semaphore] = [Semaphore(), Semaphore(2), BoundedSemaphore(value=1)]
    for semaphore in several:
        assert_type(semaphore.acquire(blocking=False, timeout=None), bool)
        assert_type(semaphore.release(), None)
        with semaphore as taken:
            assert_type(taken, bool)
    Semaphore(0).release(n=2)


def events_and_barriers() -> None:
    event = Event()
    event.set()
    assert_type(event.wait(), bool)
    assert_type(event.is_set(), bool)
    event.clear()
    barrier = Barrier(1, action=event.set, timeout=1.5)
    assert_type(barrier.wait(timeout=None), int)
    assert_type((barrier.parties, barrier.n_waiting, barrier.broken), tuple[int, int, bool])
    barrier.abort()
    try:
        barrier.wait()
    except BrokenBarrierError as error:
        assert_type(error, BrokenBarrierError)
    barrier.reset()


def standard_names() -> None:
    seen = local()
    seen.name = 'here'
    thread = Thread(target=semaphores, name='semaphores', daemon=True)
    thread.start()
    thread.join()
    timer = Timer(3600, semaphores)
    timer.start()
    timer.cancel()
    for one in (current_thread(), main_thread(), *enumerate()):
        assert_type(one, Thread)
    assert_type(active_count(), int)
    assert_type((get_ident(), get_native_id(), stack_size()), tuple[int, int, int])
    setprofile(getprofile())
    if gettrace() is None:
        settrace(lambda frame, event, arg: None)
        sys.settrace(None)
    assert TIMEOUT_MAX > 1.5 and issubclass(ThreadError, Exception)
    for function in (excepthook, ExceptHookArgs, activeCount, currentThread):
        assert callable(function)
    with Lock(), RLock():
        pass


def queue_of_text() -> None:
    queue: Queue[str] = Queue(maxsize=3)
    assert_type(queue.put('one', timeout=1), None)
    queue.put_nowait('two')
    queue.put('three', False)
    try:
        queue.put_nowait('four')
    except Full:
        pass
    assert_type(queue.get(), str)
    assert_type(queue.get(block=False, timeout=None), str)
    assert_type(queue.get_nowait(), str)
    for _ in range(3):
        queue.task_done()
    queue.join()
    assert_type((queue.qsize(), queue.empty(), queue.full()), tuple[int, bool, bool])
    assert_type((queue.maxsize, queue.unfinished_tasks, queue.is_shutdown), tuple[int, int, bool])
    queue.maxsize = 4
    with queue.mutex:
        for condition in (queue.not_empty, queue.not_full, queue.all_tasks_done):
            assert_type(condition, Condition)
            condition.notify()
    queue.shutdown(immediate=True)
    try:
        queue.get()
    except ShutDown:
        pass


def other_queues() -> None:
    last = LifoQueue[tuple[int, str]](2)
    last.put((1, 'one'))
    assert_type(last.queue, list[tuple[int, str]])
    assert_type(last.get(), tuple[int, str])
    ranked: PriorityQueue[tuple[int, str]] = PriorityQueue()
    ranked.put((2, 'two'))
    assert_type(ranked.get(), tuple[int, str])
    queues.Queue[bytes]().put(b'bytes')
    simple: SimpleQueue[int] = SimpleQueue()
    simple.put(1)
    assert_type(simple.get(), int)
    try:
        simple.get_nowait()
    except Empty:
        pass
    numbers = Numbers()
    numbers.put(3)
    assert_type(numbers.get(), int)


conditions()
semaphores()
events_and_barriers()
standard_names()
queue_of_text()
other_queues()
