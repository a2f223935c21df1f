# SPDX-License-Identifier: MIT
"""A future that dies with an exception which nobody has read tells it."""

import gc
import sys
import threading
import unittest

import thrum.futures as futures
from makers import done, failed, notified, run_python, spawn


class Failure(Exception):
    pass


class UnreadTests(unittest.TestCase):
    def setUp(self):
        self.told = []
        self.addCleanup(setattr, threading, 'excepthook', threading.excepthook)
        threading.excepthook = self.told.append
        self.addCleanup(futures.report_unread, True)

    def end(self, make, *uses):
        """What is told when such a future dies, after these uses."""
        self.told.clear()
        future = make()
        for use in uses:
            try:
                use(future)
            except Failure:
                pass
        del future
        gc.collect()
        return [args.exc_type for args in self.told]

    def test_told_or_not(self):
        def lost():
            return failed(Failure('lost'))
        self.assertEqual(self.end(lost), [Failure])
        for use in (repr, futures.Future.done, lambda f: futures.wait([f]),
                    lambda f: list(futures.as_completed([f])), lambda f: f._condition,
                    lambda f: f.add_done_callback(str)):
            self.assertEqual(self.end(lost, use), [Failure])
        for use in (futures.Future.result, futures.Future.exception, futures.Future._get_snapshot,
                    lambda f: f._exception, lambda f: f.add_done_callback(lambda f: f.exception())):
            self.assertEqual(self.end(lost, use), [])
        for make in (notified, done, futures.Future, lambda: failed(None), lambda: failed(7)):
            self.assertEqual(self.end(make), [])

    def test_cycle(self):
        def make():
            future = failed(Failure())
            future.me = future
            return future
        self.assertEqual(self.end(make), [Failure])

    def test_what_is_told(self):
        def work():
            try:
                raise Failure('here')
            except Failure as error:
                future.set_exception(error)
        future = futures.Future()
        thread = spawn(work)
        thread.join()
        del future
        (args,) = self.told
        self.assertEqual((args.exc_type, str(args.exc_value)), (Failure, 'here'))
        self.assertIs(args.thread, thread)
        self.assertEqual(args.exc_traceback.tb_frame.f_code.co_name, 'work')

    def test_subclass_with_its_own_end(self):
        class Ending(futures.Future):
            def __del__(self):
                ends.append(1)

        def make():
            future = Ending()
            future.set_exception(Failure())
            return future
        ends = []
        self.assertEqual(self.end(make), [Failure])
        self.assertEqual(ends, [1])

    def test_switched_off(self):
        futures.report_unread(False)
        self.assertEqual(self.end(lambda: failed(Failure())), [])
        futures.report_unread(True)
        self.assertEqual(self.end(lambda: failed(Failure())), [Failure])

    def test_hook_that_fails(self):
        def hook(args):
            raise KeyError('hook')
        threading.excepthook = hook
        unraisable = []
        self.addCleanup(setattr, sys, 'unraisablehook', sys.unraisablehook)
        sys.unraisablehook = lambda args: unraisable.append(args.exc_type)
        self.end(lambda: failed(Failure()))
        self.assertEqual(unraisable, [Failure])

    def test_exception_under_way_is_kept(self):
        with self.assertRaises(TypeError):
            int(failed(Failure()))
        self.assertEqual([args.exc_type for args in self.told], [Failure])

    PROGRAM = ('import thrum.futures as futures\n'
               'def work():\n    raise OSError("unread")\n'
               'future = futures.Future()\n'
               'try:\n    work()\n'
               'except OSError as error:\n    future.set_exception(error)\n')

    def test_at_exit(self):
        text = run_python(self.PROGRAM).stderr
        self.assertRegex(text, r'^Exception in thread MainThread:\nTraceback(.|\n)*in work\n'
                               r'(.|\n)*OSError: unread\n$')
        done = run_python(self.PROGRAM, THRUM_REPORT_UNREAD='0')
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    LAST = ('''
import builtins, logging, sys, threading
import thrum, thrum.futures as futures
def unread(place):
    future = futures.Future()
    future.set_exception(OSError(f'in {place}'))
    return future
for place in (builtins, futures, futures.Future, logging, sys, threading, threading.main_thread(),
              thrum._thrum):
    place.last = unread(place)
variable, cycle = unread('a variable'), unread('a cycle')
cycle.me, cycle.type = cycle, type('Own', (futures.Future,), {})
cycle.type.last = cycle.type()
cycle.type.last.set_exception(OSError('of the type itself'))
''')

    def test_last_of_all(self):
        """They die while the interpreter takes itself to pieces."""
        for more in ('', 'del threading.excepthook'):
            done = run_python(self.LAST + more)
            self.assertEqual(done.returncode, 0, done.stderr)
            for text in ('in a variable', 'in a cycle', 'of the type itself'):
                self.assertIn(text, done.stderr)
        self.assertEqual(run_python(self.LAST + 'sys.stderr = sys.__stderr__ = None').returncode, 0)


if __name__ == '__main__':
    unittest.main()
