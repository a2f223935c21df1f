# SPDX-License-Identifier: MIT
"""An executor as a block: three workers, one function over 0, 1, 2; the end of the block waits."""
import concurrent.futures
import logging
import time


def thread_function(name):
    logging.info('Thread %s: starting', name)
    time.sleep(0.2)
    logging.info('Thread %s: finishing', name)
    return name * name


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    with concurrent.futures.ThreadPoolExecutor(max_workers=3) as executor:
        squares = executor.map(thread_function, range(3))
    logging.info('Main    : all done, squares %d %d %d', *squares)
