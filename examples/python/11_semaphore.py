# SPDX-License-Identifier: MIT
"""A semaphore: eight workers share three desks. A bounded one refuses a fourth desk."""
import logging
import threading
import time

desks = threading.BoundedSemaphore(3)
lock = threading.Lock()
inside = most = 0


def count(change):
    global inside, most
    with lock:
        inside += change
        most = max(most, inside)
        return inside


def worker(index):
    logging.info('Worker %d: wants a desk', index)
    with desks:
        logging.info('Worker %d: has a desk, %d in use', index, count(1))
        time.sleep(0.1)
        logging.info('Worker %d: leaves, %d in use', index, count(-1))


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    threads = [threading.Thread(target=worker, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.info('Main    : never more than %d desks were in use', most)
    try:
        desks.release()
    except ValueError as error:
        logging.info('Main    : one release too many is refused: %s', error)
