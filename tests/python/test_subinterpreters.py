# SPDX-License-Identifier: MIT
"""Each interpreter has types and counts of its own."""

import sys
import unittest

import thrum
import thrum.futures
import thrum.queue
import thrum.threading as toolbox

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        interpreters = None

PROGRAM = '''
import sys
sys.path[:] = {path!r}
import concurrent.futures, threading
import thrum, thrum.futures, thrum.queue, thrum.threading as toolbox
assert thrum.made()['Semaphore'] == 0, thrum.made()
semaphore, queue, condition = toolbox.Semaphore(0), thrum.queue.Queue(), toolbox.Condition()
thread = threading.Thread(target=lambda: (queue.put(1), semaphore.release()))
thread.start()
semaphore.acquire()
assert queue.get() == 1
thread.join()
with condition:
    assert not condition.wait(0.001)
future, other = thrum.futures.Future(), thrum.futures.Future()
assert isinstance(future, concurrent.futures.Future)
thread = threading.Thread(target=lambda: (future.set_result(1), other.set_exception(KeyError())))
thread.start()
assert list(thrum.futures.as_completed([future, other])) == [future, other]
assert len(thrum.futures.wait([future, other]).done) == 2
assert future.result() == 1 and other.exception()
thread.join()
assert thrum.made()['Semaphore'] == 1, thrum.made()
'''


def create():
    """An interpreter that may start threads."""
    try:
        return interpreters.create(isolated=False)
    except TypeError:
        return interpreters.create('legacy')


@unittest.skipIf(interpreters is None, 'this Python shows no subinterpreters')
class SubinterpreterTests(unittest.TestCase):
    def test_own_state(self):
        toolbox.Semaphore(), thrum.queue.Queue(), thrum.futures.Future()
        for _ in range(5):
            before = thrum.made()
            number = create()
            try:
                failure = interpreters.run_string(number, PROGRAM.format(path=sys.path))
                self.assertIsNone(failure)
            finally:
                interpreters.destroy(number)
            self.assertEqual(thrum.made(), before)


if __name__ == '__main__':
    unittest.main()
