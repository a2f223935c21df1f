# SPDX-License-Identifier: MIT
"""A lock: the race of example 05, mended."""
import concurrent.futures
import logging
import threading
import time


class FakeDatabase:
    def __init__(self):
        self.value = 0
        self._lock = threading.Lock()

    def locked_update(self, name):
        logging.info('Thread %s: starting update', name)
        logging.info('Thread %s: about to lock', name)
        with self._lock:
            logging.info('Thread %s: has lock', name)
            local_copy = self.value
            local_copy += 1
            time.sleep(0.1)
            self.value = local_copy
            logging.info('Thread %s: about to release lock', name)
        logging.info('Thread %s: after release', name)
        logging.info('Thread %s: finishing update', name)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    database = FakeDatabase()
    logging.info('Testing locked update. Starting value is %d.', database.value)
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as executor:
        for index in range(2):
            executor.submit(database.locked_update, index)
    logging.info('Testing locked update. Ending value is %d.', database.value)
