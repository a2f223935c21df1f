# SPDX-License-Identifier: MIT
"""Wrong uses: each line with a comment has to be the error that it names, or mypy --strict says that
the comment is not needed. Nobody runs it."""

import concurrent.futures
import queue
import threading

import thrum
import thrum.native
from thrum.futures import Future, ThreadPoolExecutor, as_completed, wait
from thrum.futures import Futures  # type: ignore[attr-defined]
from thrum.queue import LifoQueue, PriorityQueue, Queue
from thrum.queue import Deque  # type: ignore[attr-defined]
from thrum.threading import Barrier, Condition, Event, Semaphore
from thrum.threading import Mutex  # type: ignore[attr-defined]


def half(n: int) -> float:
    return n / 2


def show(future: Future[str]) -> None:
    print(future.result())


thrum.instal()  # type: ignore[attr-defined]
thrum.install(threading)  # type: ignore[call-arg]

Condition(1)  # type: ignore[arg-type]
Condition(Event())  # type: ignore[arg-type]
condition = Condition()
condition.wait('1')  # type: ignore[arg-type]
condition.wait_for(1)  # type: ignore[arg-type]
condition.wait_for()  # type: ignore[call-arg]
condition.notify('all')  # type: ignore[arg-type]
condition.signal()  # type: ignore[attr-defined]
text: str = condition.wait_for(lambda: 1)  # type: ignore[assignment]
standard_condition: threading.Condition = condition  # type: ignore[assignment]

Semaphore('1')  # type: ignore[arg-type]
Semaphore(count=1)  # type: ignore[call-arg]
Semaphore().release(None)  # type: ignore[arg-type]
Event().set(True)  # type: ignore[call-arg]
Event().value  # type: ignore[attr-defined]
Barrier()  # type: ignore[call-arg]
Barrier(2, action=1)  # type: ignore[arg-type]
Barrier(2).parties = 3  # type: ignore[misc]

numbers: Queue[int] = Queue()
numbers.put('one')  # type: ignore[arg-type]
numbers.put_nowait(None)  # type: ignore[arg-type]
numbers.put(1, timeout='1')  # type: ignore[arg-type]
words: str = numbers.get()  # type: ignore[assignment]
numbers.shutdown(True, 1)  # type: ignore[call-arg]
Queue[str]('3')  # type: ignore[arg-type]
LifoQueue[int]().put(b'')  # type: ignore[arg-type]
PriorityQueue[object]()  # type: ignore[type-var]
untyped: Queue = numbers  # type: ignore[type-arg]
standard_queue: queue.Queue[int] = numbers  # type: ignore[assignment]

future: Future[int] = Future()
future.set_result('1')  # type: ignore[arg-type]
future.set_exception('1')  # type: ignore[arg-type]
future.add_done_callback(show)  # type: ignore[arg-type]
future.result('1')  # type: ignore[arg-type]
plain: concurrent.futures.Future[int] = concurrent.futures.Future()
ours: Future[int] = plain  # type: ignore[assignment]
wait(future)  # type: ignore[arg-type]
as_completed([1])  # type: ignore[type-var]
done, pending, rest = wait([future])  # type: ignore[misc]

pool = ThreadPoolExecutor(4)
pool.submit(half, 'one')  # type: ignore[arg-type]
pool.submit(half)  # type: ignore[call-arg]
pool.submit(half, 1, rest=2)  # type: ignore[call-arg]
halves: Future[int] = pool.submit(half, 1)  # type: ignore[arg-type]
pool.map(half, 1)  # type: ignore[arg-type]
pool.map(half, [1], buffer_size=1)  # type: ignore[call-arg]
names: list[str] = list(pool.imap_unordered(half, [1]))  # type: ignore[arg-type]
pool.shutdown(True, True)  # type: ignore[misc]
ThreadPoolExecutor(overflow='drop')  # type: ignore[arg-type]
ThreadPoolExecutor(1, '', None, (), True)  # type: ignore[misc]

thrum.native.load(1)  # type: ignore[arg-type]
thrum.native.Pool().submit(half, 1)  # type: ignore[arg-type]
thrum.native.load('').half.start(1)  # type: ignore[attr-defined]
