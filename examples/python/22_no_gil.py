# SPDX-License-Identifier: MIT
"""Native tasks: work for the CPU in C takes all CPUs, in Python's threads it takes one."""
import concurrent.futures
import logging
import os
import sys
import time

import thrum.native

STEP = 20000


def count_primes(start, end):
    return sum(n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1)) for n in range(start, end))


def measure(executor, function, steps):
    begin = time.perf_counter()
    with executor:
        starts = range(0, steps * STEP, STEP)
        primes = sum(executor.map(function, starts, [start + STEP for start in starts]))
    return time.perf_counter() - begin, primes


def compare(what, make, function, steps):
    cpus = len(os.sched_getaffinity(0))
    one, primes = measure(make(1), function, steps)
    all_cpus, again = measure(make(cpus), function, steps)
    assert primes == again
    logging.info('Main    : %s: 1 thread %.2f s, %d threads %.2f s, %.1f times as fast', what, one,
                 cpus, all_cpus, one / all_cpus)
    return primes


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    lib = thrum.native.load(sys.argv[1])
    some = compare('Python', concurrent.futures.ThreadPoolExecutor, count_primes, 10)
    compare('C     ', thrum.native.Pool, lib.count_primes, 100)
    logging.info('Main    : both find the same: %s', lib.count_primes(0, 10 * STEP) == some)
