# SPDX-License-Identifier: MIT
"""Future: what CPython's own tests of concurrent.futures do not ask."""

import concurrent.futures as standard
import copy
import gc
import inspect
import logging
import pickle
import random
import re
import sys
import unittest
import weakref

import thrum.futures as futures
from makers import FREE_THREADED, SEED, PlainFuture, done, failed, notified


class Records(logging.Handler):
    """Keeps what is logged, without addresses."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        error = record.exc_info and record.exc_info[1]
        self.texts.append((record.levelname, plain(record.getMessage()), repr(error)))


def plain(text):
    return re.sub(r'0x[0-9a-f]+|\d{6,}', 'ADDRESS', text)


class SameAsStandardTests(unittest.TestCase):
    """The same calls on both classes, in any order, have the same outcomes."""

    def setUp(self):
        self.records = Records()
        logger = logging.getLogger('concurrent.futures')
        logger.addHandler(self.records)
        self.addCleanup(logger.removeHandler, self.records)
        self.addCleanup(setattr, logger, 'propagate', logger.propagate)
        logger.propagate = False
        futures.report_unread(False)
        self.addCleanup(futures.report_unread, True)

    def calls(self, seen):
        def note(future):
            seen.append(future._state)

        def fails(future):
            raise LookupError('callback')
        return {
            'cancel': lambda f: f.cancel(), 'cancelled': lambda f: f.cancelled(),
            'running': lambda f: f.running(), 'done': lambda f: f.done(), 'repr': repr,
            'result': lambda f: f.result(timeout=0), 'exception': lambda f: f.exception(0),
            'result -1': lambda f: f.result(-1),
            'start': lambda f: f.set_running_or_notify_cancel(),
            'set': lambda f: f.set_result(result=[1]),
            'fail': lambda f: f.set_exception(exception=KeyError('x')),
            'fail with a class': lambda f: f.set_exception(KeyError),
            'fail with nothing': lambda f: f.set_exception(None),
            'callback': lambda f: f.add_done_callback(note),
            'bad callback': lambda f: f.add_done_callback(fn=fails),
            'no callback': lambda f: f.add_done_callback(7),
            'state': lambda f: (f._state, f._result, repr(f._exception), f._waiters),
            'look': lambda f: f._condition and None,
            'callbacks': lambda f: f.done() or len(f._done_callbacks),
        }

    def outcome(self, call, future):
        try:
            result = call(future)
        except Exception as error:
            result = (type(error), str(error))
        return plain(str(result))

    def history(self, cls, names):
        seen, future = [], cls()
        self.records.texts.clear()
        calls = self.calls(seen)
        return [(name, self.outcome(calls[name], future)) for name in names], seen, list(
            self.records.texts)

    def test_histories(self):
        rng = random.Random(SEED)
        for _ in range(600):
            names = rng.choices(list(self.calls([])), k=8)
            self.assertEqual(self.history(futures.Future, names), self.history(PlainFuture, names),
                             f'THRUM_SEED={SEED}')

    def test_wrong_arguments(self):
        for call in (lambda f: f.result('1'), lambda f: f.set_result(), lambda f: f.set_result(1, 2),
                     lambda f: f.result(wrong=1), lambda f: f.result(1, 2), lambda f: type(f)(1),
                     lambda f: f.add_done_callback(), lambda f: type(f)(x=1)):
            for cls in (futures.Future, PlainFuture):
                self.assertRaises(TypeError, call, cls())
        for timeout in ('1', float('inf'), float('nan')):
            self.assertEqual((done(1).result(timeout), done(1).exception(timeout)), (1, None))
            self.assertEqual(len(list(futures.as_completed([done()], timeout))), 1)
        for name in ('_state', '_result', '_condition', '_waiters'):
            self.assertRaises(TypeError, delattr, futures.Future(), name)
        self.assertRaises(ValueError, setattr, futures.Future(), '_state', 'NONE')
        self.assertRaises(TypeError, setattr, futures.Future(), '_waiters', ())

    def test_surface(self):
        for name in ('Future', 'wait', 'as_completed'):
            ours, theirs = getattr(futures, name), getattr(standard, name)
            self.assertEqual(list(inspect.signature(ours).parameters),
                             list(inspect.signature(theirs).parameters))
            self.assertTrue(ours.__doc__)
        for name in [name for name in vars(PlainFuture) if not name.startswith('_')]:
            method = getattr(futures.Future, name)
            self.assertTrue(method.__doc__)
            self.assertEqual(list(inspect.signature(method).parameters),
                             list(inspect.signature(getattr(PlainFuture, name)).parameters))
        for name in standard.__all__:
            self.assertTrue(hasattr(futures, name), name)
        self.assertTrue(issubclass(futures.Future, standard.Future))
        self.assertEqual(str(futures.Future[int]), 'concurrent.futures._base.Future[int]')
        self.assertEqual(futures.Future()._get_snapshot(), (False, False, None, None))
        self.assertEqual(done(1)._get_snapshot(), (True, False, 1, None))
        self.assertEqual(notified()._get_snapshot(), (True, True, None, None))
        for call in (pickle.dumps, copy.copy):
            self.assertRaises(TypeError, call, futures.Future())

    def test_base_exception_of_a_callback(self):
        for open_first in (False, True):
            future, calls = futures.Future(), []
            self.assertTrue(not open_first or future._condition)
            future.add_done_callback(calls.append)
            future.add_done_callback(lambda f: sys.exit(3))
            future.add_done_callback(calls.append)
            self.assertRaises(SystemExit, future.set_result, 1)
            self.assertEqual((calls, future.result()), ([future], 1))

    def test_long_chain_of_callbacks(self):
        chain = [futures.Future() for _ in range(100_000)]
        for future, following in zip(chain, chain[1:]):
            future.add_done_callback(following.set_result)
        chain[0].set_result(0)
        self.assertIn('RecursionError', self.records.texts[-1][-1])
        self.assertIs(chain[1].result(), chain[0])

    def test_exception_is_the_same_object(self):
        error = KeyError('x')
        future = failed(error)
        for _ in range(3):
            with self.assertRaises(KeyError) as caught:
                future.result()
            self.assertIs(caught.exception, error)
        self.assertIs(future.exception(), error)
        self.assertRaises(TypeError, failed(7).result)


class SubclassTests(unittest.TestCase):
    def test_subclass(self):
        class Named(futures.Future):
            def __init__(self, name):
                self.name = name

        class Calling(futures.Future):
            def __init__(self):
                super().__init__()
                self.calls = 0

            def set_result(self, result):
                self.calls += 1
                super().set_result(result)
        named, calling = Named('a'), Calling()
        named.set_result(1)
        calling.set_result(2)
        self.assertEqual((named.name, calling.calls), ('a', 1))
        self.assertIsInstance(named, standard.Future)
        self.assertRegex(repr(named), r'^<Named at 0x[0-9a-f]+ state=finished returned int>$')
        self.assertEqual(futures.wait([named, calling]).done, {named, calling})
        self.assertEqual(list(futures.as_completed([named, calling])), [named, calling])
        refs, chain = sys.getrefcount(Named), None
        for _ in range(200_000):
            following = Named('chain')
            following.set_result(chain)
            chain = following
        del chain, following
        if not FREE_THREADED:
            self.assertEqual(sys.getrefcount(Named), refs)


class MemoryTests(unittest.TestCase):
    def churn(self, n):
        for number in range(n):
            future = futures.Future()
            future.add_done_callback(repr)
            if number % 2:
                future._condition
            future.set_running_or_notify_cancel()
            if number % 3:
                future.set_result([number])
            else:
                future.set_exception(KeyError(number))
            future.exception()
            list(futures.as_completed([future, future])), futures.wait([future])
            cancelled = notified()
            self.assertRaises(futures.CancelledError, cancelled.result)
            self.assertRaises(futures.InvalidStateError, cancelled.set_result, 1)
            self.assertRaises(TimeoutError, futures.Future().result, 0)

    def test_nothing_leaks(self):
        self.churn(100)
        gc.collect()
        refs, blocks = sys.getrefcount(futures.Future), sys.getallocatedblocks()
        self.churn(5000)
        gc.collect()
        self.assertEqual(sys.getrefcount(futures.Future), refs)
        self.assertLess(sys.getallocatedblocks() - blocks, 1000)

    def test_references(self):
        thing = ['result']
        refs = sys.getrefcount(thing)
        future = done(thing)
        self.assertIs(future.result(), thing)
        self.assertEqual(sys.getrefcount(thing), refs + 1)
        del future
        self.assertEqual(sys.getrefcount(thing), refs)

    def test_callback_is_dropped(self):
        def callback(future):
            pass
        future, ref = futures.Future(), weakref.ref(callback)
        future.add_done_callback(callback)
        del callback
        future.set_result(1)
        self.assertIsNone(ref())
        self.assertEqual(future._done_callbacks, [])

    def test_cycles(self):
        for use in (futures.Future.done, lambda f: f.set_result(f), lambda f: f.add_done_callback(f.done),
                    lambda f: f._waiters.append(f), lambda f: f._condition, lambda f: vars(f).update(f=f)):
            future = futures.Future()
            future.me = future
            use(future)
            ref = weakref.ref(future)
            del future
            gc.collect()
            self.assertIsNone(ref())

    def test_long_chain(self):
        future = None
        for _ in range(200_000):
            future = done(future)
        del future


if __name__ == '__main__':
    unittest.main()
