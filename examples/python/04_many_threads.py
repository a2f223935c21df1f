# SPDX-License-Identifier: MIT
"""Three threads: they finish in the order the system likes, main joins them in its own."""
import logging
import threading
import time


def thread_function(name):
    logging.info('Thread %s: starting, ident %d, native id %d', name, threading.get_ident(),
                 threading.get_native_id())
    time.sleep(0.2)
    logging.info('Thread %s: finishing', name)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    threads = []
    for index in range(3):
        logging.info('Main    : create and start thread %d.', index)
        x = threading.Thread(target=thread_function, args=(index,))
        threads.append(x)
        x.start()

    for index, thread in enumerate(threads):
        logging.info('Main    : before joining thread %d.', index)
        thread.join()
        logging.info('Main    : thread %d done', index)
