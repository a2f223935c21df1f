# SPDX-License-Identifier: MIT
"""Producer and consumer as in example 09, with a condition in place of the two locks."""
import logging
import threading
import time

SENTINEL = object()


class Pipeline:
    def __init__(self):
        self.message, self.full = None, False
        self.changed = threading.Condition()

    def set_message(self, message):
        with self.changed:
            self.changed.wait_for(lambda: not self.full)
            self.message, self.full = message, True
            self.changed.notify()

    def get_message(self):
        with self.changed:
            self.changed.wait_for(lambda: self.full)
            self.full = False
            self.changed.notify()
            return self.message


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
    threading.Thread(target=producer, args=(pipeline, event)).start()
    threading.Thread(target=consumer, args=(pipeline,)).start()
    time.sleep(0.3)
    logging.info('Main: about to set event')
    event.set()
