#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measure thrum's types for Python beside the standard library's; a line of JSON for each value.

Usage: python_rows.py [-r ROUNDS] [PART OF A ROW'S NAME]...

Nanoseconds per operation, the loop's own taken off, the best of the rounds, in which the two take turns.
Rows that end in "one core" are pinned to one; the others may use all."""

import concurrent.futures
import json
import os
import queue
import sys
import threading
import time

import thrum.futures
import thrum.queue
import thrum.threading

ROWS = {}


def row(name, n=40_000, per=1, pinned=True):
    def add(make):
        ROWS['python ' + name] = (make, n, per, pinned)
        return make
    return add


def two(first, second):
    thread = threading.Thread(target=second)
    thread.start()
    first()
    thread.join()


def pair(kind):
    def make(sync, queues):
        semaphore = getattr(sync, kind)(1)

        def run(n):
            for _ in range(n):
                semaphore.acquire()
                semaphore.release()
        return run
    return make


row('Semaphore acquire + release')(pair('Semaphore'))
row('BoundedSemaphore acquire + release')(pair('BoundedSemaphore'))


@row('Event set + clear')
def event_set(sync, queues):
    event = sync.Event()

    def run(n):
        for _ in range(n):
            event.set()
            event.clear()
    return run


@row('Event wait, set')
def event_wait(sync, queues):
    event = sync.Event()
    event.set()

    def run(n):
        for _ in range(n):
            event.wait()
    return run


@row('Condition with + notify, no waiter')
def notify(sync, queues):
    condition = sync.Condition()

    def run(n):
        for _ in range(n):
            with condition:
                condition.notify()
    return run


def create(name):
    def make(sync, queues):
        kind = getattr(sync, name, None) or getattr(queues, name)

        def run(n):
            for _ in range(n):
                kind()
        return run
    return make


for created in ('Condition', 'Event', 'Queue'):
    row(f'create {created}')(create(created))


def put_get(name, *args):
    def make(sync, queues):
        items = getattr(queues, name)(*args)

        def run(n):
            for i in range(n):
                items.put(i)
                items.get()
        return run
    return make


row('Queue put + get')(put_get('Queue'))
row('Queue(10) put + get')(put_get('Queue', 10))
row('LifoQueue put + get')(put_get('LifoQueue'))
row('PriorityQueue put + get')(put_get('PriorityQueue'))


def stream(*args):
    def make(sync, queues):
        def run(n):
            items = queues.Queue(*args)
            two(lambda: [items.put(i) for i in range(n)], lambda: [items.get() for _ in range(n)])
        return run
    return make


for place, alone in ((', one core', True), ('', False)):
    row('Queue 1 producer 1 consumer' + place, pinned=alone)(stream())
    row('Queue(100) 1 producer 1 consumer' + place, pinned=alone)(stream(100))


@row('4 threads on Semaphore(1)', n=10_000, per=4)
def shared(sync, queues):
    semaphore = sync.Semaphore(1)

    def use(n):
        for _ in range(n):
            with semaphore:
                pass

    def run(n):
        threads = [threading.Thread(target=use, args=(n,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return run


@row('Queue round trip, one core', n=3000)
def queue_trip(sync, queues):
    def run(n):
        there, back = queues.Queue(), queues.Queue()
        two(lambda: [(there.put(i), back.get()) for i in range(n)],
            lambda: [back.put(there.get()) for _ in range(n)])
    return run


@row('Condition round trip, one core', n=3000)
def condition_trip(sync, queues):
    def run(n):
        condition, turn = sync.Condition(), [0]

        def play(me):
            for _ in range(n):
                with condition:
                    while turn[0] != me:
                        condition.wait()
                    turn[0] = 1 - me
                    condition.notify()
        two(lambda: play(0), lambda: play(1))
    return run


def each(call):
    """A row of futures: call(module of futures) returns what runs."""
    return lambda sync, queues: call(thrum.futures if queues is thrum.queue else concurrent.futures)


@row('create Future')
@each
def create_future(futures):
    def run(n):
        for _ in range(n):
            futures.Future()
    return run


@row('Future life: make, start, set_result, result')
@each
def life(futures):
    def run(n):
        for i in range(n):
            future = futures.Future()
            future.set_running_or_notify_cancel()
            future.set_result(i)
            future.result()
    return run


def finished(futures, n):
    fs = [futures.Future() for _ in range(n)]
    for future in fs:
        future.set_result(None)
    return fs


@row('as_completed over 10k finished', n=10_000)
@each
def as_completed(futures):
    fs = finished(futures, 10_000)

    def run(n):
        for _ in futures.as_completed(fs):
            pass
    return run


@row('wait for 10k finished', n=10_000)
@each
def wait(futures):
    fs = finished(futures, 10_000)
    return lambda n: futures.wait(fs)


@row('as_completed over 10k, one after the other', n=10_000)
@each
def as_they_complete(futures):
    def run(n):
        fs = [futures.Future() for _ in range(n)]
        iterator = futures.as_completed(fs + [finished(futures, 1)[0]])
        next(iterator)
        for future in fs:
            future.set_result(None)
            next(iterator)
    return run


@row('Future round trip, one core', n=3000)
@each
def future_trip(futures):
    def run(n):
        there, back = ([futures.Future() for _ in range(n)] for _ in range(2))
        two(lambda: [(a.set_result(1), b.result()) for a, b in zip(there, back)],
            lambda: [(a.result(), b.set_result(1)) for a, b in zip(there, back)])
    return run


def nothing():
    pass


def same(value):
    return value


def submit_all(workers):
    def make(futures):
        pool = futures.ThreadPoolExecutor(workers)

        def run(n):
            for future in [pool.submit(nothing) for _ in range(n)]:
                future.result()
        return run
    return make


row('submit 20k, then all results, 1 worker', n=20_000)(each(submit_all(1)))
row('submit 20k, then all results, 4 workers', n=20_000)(each(submit_all(4)))


@row('Executor.map of 100k', n=100_000)
@each
def executor_map(futures):
    pool = futures.ThreadPoolExecutor(1)

    def run(n):
        for _ in pool.map(same, range(n)):
            pass
    return run


@row('submit 10k + as_completed', n=10_000)
@each
def submit_as_completed(futures):
    pool = futures.ThreadPoolExecutor(1)

    def run(n):
        for future in futures.as_completed([pool.submit(nothing) for _ in range(n)]):
            future.result()
    return run


def submit_trip(futures):
    pool = futures.ThreadPoolExecutor(1)

    def run(n):
        for _ in range(n):
            pool.submit(nothing).result()
    return run


row('submit round trip, one core', n=3000)(each(submit_trip))
row('submit round trip', n=3000, pinned=False)(each(submit_trip))


def empty(n):
    for _ in range(n):
        pass


def clock(run, n, per):
    begin = time.perf_counter_ns()
    run(n)
    return (time.perf_counter_ns() - begin) / (n * per)


def measure(name, rounds):
    make, n, per, pinned = ROWS[name]
    cpus = os.sched_getaffinity(0)
    if pinned:
        os.sched_setaffinity(0, {min(cpus)})
    subjects = {'thrum': make(thrum.threading, thrum.queue), 'python': make(threading, queue)}
    best = dict.fromkeys(subjects, float('inf'))
    loop = min(clock(empty, n, per) for _ in range(rounds))
    for _ in range(rounds):
        for subject, run in subjects.items():
            best[subject] = min(best[subject], clock(run, n, per))
    os.sched_setaffinity(0, cpus)
    values = {subject: max(value - loop, 1) for subject, value in best.items()}
    for subject, value in values.items():
        print(json.dumps({'row': name, 'subject': subject, 'value': value, 'unit': 'ns',
                          'baseline': 'python', 'ratio': value / values['python']}), flush=True)


def main(args):
    rounds = 7
    if args[:1] == ['-r']:
        rounds, args = int(args[1]), args[2:]
    for name in ROWS:
        if not args or any(part in name for part in args):
            measure(name, rounds)


if __name__ == '__main__':
    main(sys.argv[1:])
