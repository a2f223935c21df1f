# SPDX-License-Identifier: MIT
"""The interpreter ends while daemon threads wait: nothing crashes, nothing hangs."""

import subprocess
import sys
import unittest

PROGRAM = '''
import atexit, threading
import thrum.futures as futures, thrum.queue, thrum.threading as toolbox
condition, other = toolbox.Condition(), toolbox.Condition(threading.Lock())
semaphore, event, barrier = toolbox.Semaphore(0), toolbox.Event(), toolbox.Barrier(99)
queue, full = thrum.queue.Queue(), thrum.queue.Queue(1)
full.put(0)
future, opened, other = futures.Future(), futures.Future(), futures.Future()
opened._condition
started = threading.Semaphore(0)
LIMIT = {limit}

def forever(call, *args):
    started.release()
    while True:
        try:
            call(*args)
        except (thrum.queue.Empty, thrum.queue.Full, threading.BrokenBarrierError, TimeoutError):
            pass

def wait(c):
    with c:
        c.wait(LIMIT)

for call in ((wait, condition), (wait, other), (semaphore.acquire, True, LIMIT), (event.wait, LIMIT),
             (barrier.wait, LIMIT), (queue.get, True, LIMIT), (full.put, 1, True, LIMIT), (queue.join,),
             (future.result, LIMIT), (opened.result, LIMIT), (futures.wait, [future, other], LIMIT),
             (lambda: list(futures.as_completed([future, other], LIMIT)),)):
    threading.Thread(target=forever, args=call, daemon=True).start()
for _ in range(12):
    started.acquire()

class Late:
    """Wakes them while the interpreter goes down."""
    def __del__(self):
        event.set()
        semaphore.release(3)
        queue.put(1)
        barrier.reset()
        for each in (future, opened):
            if not each.done():
                each.set_exception(OSError('nobody reads this'))
late = Late()
atexit.register(event.is_set)
print('end')
'''


class ExitTests(unittest.TestCase):
    def run_program(self, limit):
        done = subprocess.run([sys.executable, '-X', 'faulthandler', '-c',
                               PROGRAM.format(limit=limit)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, 'end\n'), done.stderr)
        self.assertNotIn('Fatal', done.stderr)

    def test_blocked(self):
        for _ in range(5):
            self.run_program('None')

    def test_timing_out(self):
        for _ in range(10):
            self.run_program('0.0001')


if __name__ == '__main__':
    unittest.main()
