# SPDX-License-Identifier: MIT
"""Producer and consumer over a queue that holds ten messages; an event says stop."""
import concurrent.futures
import logging
import queue
import threading
import time


def producer(pipeline, event):
    message = 100
    while not event.is_set():
        logging.info('Producer got message: %s', message)
        pipeline.put(message)  # blocks while the queue is full
        message += 1
    logging.info('Producer received event. Exiting')
    pipeline.put(None)


def consumer(pipeline):
    while (message := pipeline.get()) is not None:  # blocks while the queue is empty
        logging.info('Consumer storing message: %s (size=%d)', message, pipeline.qsize())
        time.sleep(0.02)  # slower than the producer, so that the queue fills
    logging.info('Consumer received event. Exiting')


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    pipeline = queue.Queue(maxsize=10)
    event = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as executor:
        executor.submit(producer, pipeline, event)
        executor.submit(consumer, pipeline)
        time.sleep(0.2)
        logging.info('Main: about to set event')
        event.set()
