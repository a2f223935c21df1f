# SPDX-License-Identifier: MIT
"""Producer and consumer: a pipeline of one message, with two locks; an event says stop."""
import concurrent.futures
import logging
import threading
import time

SENTINEL = object()


class Pipeline:
    def __init__(self):
        self.message = 0
        self.producer_lock = threading.Lock()
        self.consumer_lock = threading.Lock()
        self.consumer_lock.acquire()

    def get_message(self):
        self.consumer_lock.acquire()
        message = self.message
        self.producer_lock.release()
        return message

    def set_message(self, message):
        self.producer_lock.acquire()
        self.message = message
        self.consumer_lock.release()


def producer(pipeline, event):
    message = 100
    while not event.wait(0.05):
        logging.info('Producer got message: %s', message)
        pipeline.set_message(message)
        message += 1
    logging.info('Producer received event. Exiting')
    pipeline.set_message(SENTINEL)


def consumer(pipeline):
    while (message := pipeline.get_message()) is not SENTINEL:
        logging.info('Consumer storing message: %s', message)


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    pipeline, event = Pipeline(), threading.Event()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as executor:
        executor.submit(producer, pipeline, event)
        executor.submit(consumer, pipeline)
        time.sleep(0.3)
        logging.info('Main: about to set event')
        event.set()
