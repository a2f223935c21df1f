# SPDX-License-Identifier: MIT
"""join() waits for a thread to finish, be it regular or a daemon."""
import logging
import threading
import time


def thread_function(name):
    logging.info('Thread %s: starting', name)
    time.sleep(0.2)
    logging.info('Thread %s: finishing', name)


def start_and_join(kind, name, daemon):
    x = threading.Thread(target=thread_function, args=(name,), daemon=daemon)
    logging.info('Main    : before running %s thread %d', kind, name)
    x.start()
    logging.info('Main    : wait for thread %d to finish', name)
    x.join()
    logging.info('Main    : thread %d done', name)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    start_and_join('regular', 1, False)
    start_and_join('daemon', 2, True)
    logging.info('Main    : all done')
