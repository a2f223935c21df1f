# SPDX-License-Identifier: MIT
"""Timers: one that fires, one that is cancelled in time, one that starts itself again."""
import logging
import threading

enough = threading.Event()
ticks = 0


def hello(name):
    logging.info('Timer: hello, %s', name)


def tick():
    global ticks
    ticks += 1
    logging.info('Timer: tick %d', ticks)
    if ticks == 3:
        enough.set()
    else:
        threading.Timer(0.2, tick).start()


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    logging.info('Main : starting three timers')
    threading.Timer(0.1, hello, ['world']).start()
    late = threading.Timer(30.0, hello, ['nobody'])
    late.start()
    threading.Timer(0.3, tick).start()

    late.cancel()
    late.join()
    logging.info('Main : the second one will not fire')
    enough.wait()
    logging.info('Main : three ticks are enough')
