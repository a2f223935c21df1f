# SPDX-License-Identifier: MIT
"""A barrier: three workers wait for each other after each phase. One that gives up breaks it."""
import logging
import threading
import time

phases = 0


def phase_done():
    global phases
    phases += 1
    logging.info('Barrier : all are here, phase %d is done', phases)


barrier = threading.Barrier(3, action=phase_done)


def worker(number):
    for phase in (1, 2):
        time.sleep(0.1 * number)
        logging.info('Worker %d: at the end of phase %d', number, phase)
        index = barrier.wait()
        logging.info('Worker %d: goes on after phase %d, came as number %d', number, phase, index)
    if number == 3:
        logging.info('Worker 3: goes home')
        return
    limit = 0.3 if number == 1 else None
    try:
        barrier.wait(limit)
    except threading.BrokenBarrierError:
        logging.info('Worker %d: phase 3: %s', number, 'timed out' if limit else 'broken')


if __name__ == '__main__':
    logging.basicConfig(format='%(asctime)s: %(message)s', level=logging.INFO,
                        datefmt='%H:%M:%S')
    threads = [threading.Thread(target=worker, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logging.info('Main    : the barrier is %s', 'broken' if barrier.broken else 'whole')
