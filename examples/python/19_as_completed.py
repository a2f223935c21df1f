# SPDX-License-Identifier: MIT
"""Results in the order in which they are ready, with a time limit for all of them."""
import concurrent.futures
import logging
import threading

stop = threading.Event()


def wait_for(seconds):
    stop.wait(seconds)
    return seconds


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as executor:
        futures = [executor.submit(wait_for, seconds) for seconds in (0.3, 60, 0.1, 0.2)]
        try:
            for future in concurrent.futures.as_completed(futures, timeout=1):
                logging.info('Main    : the task of %.1f s is done', future.result())
        except TimeoutError:
            unfinished = sum(not future.done() for future in futures)
            logging.info('Main    : time is up, %d of %d unfinished', unfinished, len(futures))
        stop.set()
