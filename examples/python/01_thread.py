# SPDX-License-Identifier: MIT
"""A thread, started and not joined: the program's end waits for it."""
import logging
import threading
import time


def thread_function(name):
    logging.info('Thread %s: starting', name)
    time.sleep(0.5)
    logging.info('Thread %s: finishing', name)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    logging.info('Main    : before creating thread')
    x = threading.Thread(target=thread_function, args=(1,))
    logging.info('Main    : before running thread')
    x.start()
    logging.info('Main    : wait for the thread to finish')
    # x.join()
    logging.info('Main    : all done')
