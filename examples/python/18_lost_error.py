# SPDX-License-Identifier: MIT
"""The error that a pool usually hides: the function takes no parameter, and nobody asks."""
import concurrent.futures
import logging
import threading


def thread_function():
    logging.info('never called')


def on_failure(args):
    logging.info('Hook    : nobody asked, but: %s', args.exc_value)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    threading.excepthook = on_failure
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as executor:
        executor.map(thread_function, range(3))
    logging.info('Main    : the pool has ended')
