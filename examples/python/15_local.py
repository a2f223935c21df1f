# SPDX-License-Identifier: MIT
"""Thread-local data: one name, a value for each thread."""
import logging
import threading
import time

mydata = threading.local()


def greet():
    logging.info('%s: hello', mydata.name)  # nobody passed it


def worker(name):
    logging.info('%s: finds %s', name, 'a value' if hasattr(mydata, 'name') else 'no value')
    mydata.name = name
    time.sleep(0.1)
    greet()


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    threads = [threading.Thread(target=worker, args=(name,)) for name in ('Ada ', 'Bob ')]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.info('Main: finds %s', 'a value' if hasattr(mydata, 'name') else 'no value')
