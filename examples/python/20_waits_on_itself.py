# SPDX-License-Identifier: MIT
"""A pool that waits on itself finishes; the standard library's waits for ever."""
import concurrent.futures
import logging


def wait_on_future(executor):
    future = executor.submit(pow, 5, 2)
    logging.info('Task    : the only worker waited for its own pool: %d', future.result())


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(wait_on_future, executor).result()
