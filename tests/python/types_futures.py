# SPDX-License-Identifier: MIT
"""Right uses of thrum.futures and thrum.native, with the types that they have. mypy --strict reads it
and python3 runs it: see typed.py.

Usage: types_futures.py [libnative.so]"""

import asyncio
import concurrent.futures
import sys
from typing import Any, assert_type

import thrum.native
from thrum.futures import (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor,
                           CancelledError, DoneAndNotDoneFutures, Executor, Future, InvalidStateError,
                           ProcessPoolExecutor, ThreadPoolExecutor, TimeoutError, as_completed,
                           report_unread, wait)

if sys.version_info >= (3, 14):
    from thrum.futures import InterpreterPoolExecutor
    assert issubclass(InterpreterPoolExecutor, Executor)


class Pool(ThreadPoolExecutor):
    """A subclass says itself what a with statement gives."""

    def two(self) -> Future[int]:
        return self.submit(lambda: 2)


def half(n: int, *, rest: bool = False) -> float:
    return n % 2 if rest else n / 2


def show(future: Future[float]) -> None:
    assert future.done()


def show_any(future: concurrent.futures.Future[float]) -> None:
    assert future.done()


def futures() -> None:
    future: Future[list[str]] = Future()
    assert_type(future.set_running_or_notify_cancel(), bool)
    future.set_result(['done'])
    assert_type(future.result(timeout=1), list[str])
    assert_type(future.exception(), BaseException | None)
    assert_type((future.cancel(), future.cancelled(), future.running(), future.done()),
                tuple[bool, bool, bool, bool])
    failed = Future[int]()
    failed.set_exception(ValueError('failed'))
    try:
        failed.result()
        failed.set_result(1)
    except (CancelledError, InvalidStateError, TimeoutError, BrokenExecutor, ValueError) as error:
        assert not isinstance(error, OSError)
    standard: concurrent.futures.Future[list[str]] = future
    assert standard is future
    assert_type(report_unread(True), None)
    late: type[OSError] = TimeoutError
    assert late is TimeoutError


def pools() -> None:
    with ThreadPoolExecutor(2, 'worker', len, ('begun',), context=True, queue_limit=8,
                            overflow='caller_runs') as pool:
        assert_type(pool, ThreadPoolExecutor)
        future = pool.submit(half, 3, rest=True)
        assert_type(future, Future[float])
        assert_type(future.result(), float)
        future.add_done_callback(show)
        future.add_done_callback(show_any)
        for number in pool.map(half, [1, 2], timeout=3600, chunksize=2, buffersize=4):
            assert_type(number, float)
        results = pool.imap_unordered(half, [1, 2], buffersize=2)
        assert_type(next(results), float)
        results.close()
        pool.shutdown(wait=True, cancel_futures=False, timeout=3600)
    with Pool() as own:
        assert_type(own, Pool)
        assert_type(own.two().result(), int)
    standard: concurrent.futures.ThreadPoolExecutor = own
    assert isinstance(standard, Executor) and not issubclass(ProcessPoolExecutor, ThreadPoolExecutor)


def waits() -> None:
    with ThreadPoolExecutor() as pool:
        names = {pool.submit(half, n): f'half of {n}' for n in range(3)}
        for future in as_completed(names, timeout=3600):
            assert_type(future, Future[float])
            assert_type(names[future], str)
        pending = set(names)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            assert_type(done, set[Future[float]])
        both: DoneAndNotDoneFutures[float] = wait(names, timeout=1.5, return_when=ALL_COMPLETED)
        assert_type(both.done, set[Future[float]])
        assert len(both.not_done) == 0
    plain: concurrent.futures.Future[int] = concurrent.futures.Future()
    plain.set_result(1)
    assert_type(wait([plain], 1, FIRST_EXCEPTION).done, set[concurrent.futures.Future[int]])
    for other in as_completed([plain]):
        assert_type(other, concurrent.futures.Future[int])
    for each in concurrent.futures.as_completed(names):
        assert_type(each.result(), float)


async def in_a_loop() -> None:
    with ThreadPoolExecutor() as pool:
        assert_type(await asyncio.wrap_future(pool.submit(half, 1)), float)
        assert_type(await asyncio.get_running_loop().run_in_executor(pool, half, 1), float)


def native(path: str) -> None:
    library = thrum.native.load(path)
    for task in library:
        assert_type(task, thrum.native.Task)
        assert_type(task.__name__, str)
    pending = {library.count_primes.submit(n, end=n + 100) for n in range(0, 300, 100)}
    assert_type(pending, set[thrum.native.NativeFuture])
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in as_completed(done):
            assert_type(future, thrum.native.NativeFuture)
            count: int = future.result()
            assert count > 0
    primes: Future[int] = library.count_primes.submit(0, 10)
    assert primes.result() == 4
    assert_type(library.count_primes(0, 10), Any)
    with thrum.native.Pool(2, thread_name_prefix='native') as pool:
        assert_type(pool, thrum.native.Pool)
        assert_type(pool.submit(library.count_primes, 0, 10), thrum.native.NativeFuture)
        assert sum(pool.map(library.count_primes, [0, 10], [10, 20])) == 8
        pool.shutdown(cancel_futures=True)


assert_type(thrum.native.get_include(), str)
futures()
pools()
waits()
asyncio.run(in_a_loop())
if len(sys.argv) > 1:
    native(sys.argv[1])
