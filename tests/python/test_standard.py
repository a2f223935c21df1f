# SPDX-License-Identifier: MIT
"""Odd calls, which our objects and those of the running interpreter's standard library answer alike."""

import concurrent.futures as standard
import gc
import queue
import sys
import threading
import unittest

import thrum.futures as futures
import thrum.queue
import thrum.threading as toolbox
from makers import PlainFuture

NAN = float('nan')
HUGE = 10 ** 400
PAIRS = {name: (getattr(ours, name), getattr(theirs, name)) for ours, theirs, names in (
    (toolbox, threading, ('Barrier', 'BoundedSemaphore', 'Condition', 'Event', 'Semaphore')),
    (thrum.queue, queue, ('LifoQueue', 'PriorityQueue', 'Queue')),
    (futures, standard, ('ThreadPoolExecutor', 'as_completed', 'wait'))) for name in names}
PAIRS['Future'] = futures.Future, PlainFuture


def outcome(call, *args, text=True):
    """What a call returns, or the type of what it raises, and its text."""
    try:
        return call(*args)
    except Exception as error:
        return (type(error), str(error)) if text else type(error)


def held(condition):
    condition.acquire()
    return condition


class TimeoutTests(unittest.TestCase):
    def same(self, name, call, *args):
        ours, theirs = (outcome(call, cls, *args, text=False) for cls in PAIRS[name])
        self.assertEqual(ours, theirs, (name, args))
        return ours

    def test_neither_more_nor_less_than_zero(self):
        for timeout in (NAN, -HUGE, -1, -float('inf'), 0):
            with self.subTest(str(timeout)[:5]):
                for method in ('result', 'exception'):
                    self.assertEqual(
                        self.same('Future', lambda cls, t: getattr(cls(), method)(timeout=t), timeout),
                        standard.TimeoutError)
                self.assertIs(self.same('Event', lambda cls, t: cls().wait(t), timeout), False)
                self.assertIs(self.same('Condition', lambda cls, t: held(cls()).wait(t), timeout), False)

    def test_too_large(self):
        for timeout in (HUGE, 1e100, float('inf')):
            with self.subTest(str(timeout)[:5]):
                for name, call in (('Future', lambda cls, t: cls().result(t)),
                                   ('Event', lambda cls, t: cls().wait(t)),
                                   ('Condition', lambda cls, t: held(cls()).wait(t))):
                    self.assertEqual(self.same(name, call, timeout), OverflowError)

    def test_wait(self):
        for return_when in (standard.ALL_COMPLETED, standard.FIRST_COMPLETED, standard.FIRST_EXCEPTION):
            for timeout in (NAN, -HUGE):
                for module in (futures, standard):
                    future = futures.Future() if module is futures else PlainFuture()
                    done, not_done = module.wait([future], timeout, return_when)
                    self.assertEqual((done, not_done), (set(), {future}))


class ResetTests(unittest.TestCase):
    """Future.__init__() of one that was used."""

    def used(self, cls, how):
        future = cls()
        future.seen = []
        future.add_done_callback(lambda future: future.seen.append(future._state))
        if how == 'result':
            future.set_result([1])
        elif how == 'exception':
            future.set_exception(KeyError())
        elif how == 'cancel':
            future.cancel()
        elif how == 'notified':
            future.cancel()
            future.set_running_or_notify_cancel()
        elif how == 'running':
            future.set_running_or_notify_cancel()
        elif how == 'open':
            future._condition.acquire()
        return future

    def history(self, cls, how):
        future = self.used(cls, how)
        after = [future.__init__(), future._state, future.done(), future._result, future._exception,
                 list(future._waiters), list(future._done_callbacks), list(future.seen)]
        after.append(outcome(future.result, 0, text=False))
        future.set_result(2)
        return after + [future.result(0), future.seen, future._state]

    def test_same(self):
        for how in ('pending', 'running', 'result', 'exception', 'cancel', 'notified', 'open'):
            with self.subTest(how):
                self.assertEqual(self.history(futures.Future, how), self.history(PlainFuture, how))

    def test_forgets(self):
        """Nothing is kept, and an exception that nobody has read is not reported."""
        class Thing:
            pass
        reported = []
        self.addCleanup(setattr, threading, 'excepthook', threading.excepthook)
        threading.excepthook = reported.append
        future = futures.Future()
        thing = Thing()
        before = sys.getrefcount(thing)
        for _ in range(100):
            future.add_done_callback(lambda future, thing=thing: None)
            future._condition
            future.set_result(thing)
            future.__init__()
            future.set_exception(ValueError(thing))
            future.__init__()
        gc.collect()
        self.assertEqual(sys.getrefcount(thing), before)
        del future
        self.assertEqual(reported, [])

    def test_who_waits(self):
        """Before it is reset, or after: for the next result, without a time limit."""
        for _ in range(50):
            future = futures.Future()
            results = []
            wait = threading.Thread(target=lambda: futures.wait([future]))
            wait.start()
            future.set_result(1)
            future.__init__()
            after = threading.Thread(target=lambda: results.append(future.result()))
            after.start()
            future.set_result(2)
            wait.join()
            after.join()
            self.assertEqual(results, [2])

    def test_task(self):
        """A call is made once, also when its future is pending again before a worker comes to it."""
        calls, ready = [], threading.Event()
        with futures.ThreadPoolExecutor(1) as pool:
            def outer():
                ready.wait()
                inner.result()  # runs it here; it stays in the queue
                inner.__init__()
            first = pool.submit(outer)
            inner = pool.submit(calls.append, 1)
            ready.set()
            first.result()
        self.assertEqual(calls, [1])
        self.assertEqual(inner._state, 'PENDING')


class MapTests(unittest.TestCase):
    def test_keyword(self):
        def fail():
            self.fail('it has no arguments')
        for cls in PAIRS['ThreadPoolExecutor']:
            with cls(1) as pool:
                self.assertEqual(list(pool.map(fn=fail)), [])
                self.assertEqual(list(pool.map(fn=fail, timeout=1)), [])
        with futures.ThreadPoolExecutor(1) as pool:
            self.assertEqual(list(pool.imap_unordered(fn=fail)), [])


class Falsy(Exception):
    def __bool__(self):
        return False


class FalsyTests(unittest.TestCase):
    """An exception that is false is one. The standard library lost it before 3.14."""

    def test_is_raised(self):
        theirs = PlainFuture()
        theirs.set_exception(Falsy())
        theirs = outcome(theirs.result, text=False)
        self.assertIn(theirs, (Falsy, None))
        error = Falsy()
        future = futures.Future()
        future.set_exception(error)
        self.assertRaises(Falsy, future.result)
        self.assertIs(future.exception(), error)
        self.assertEqual(futures.wait([future], None, 'FIRST_EXCEPTION').done, {future})
        if sys.version_info >= (3, 14):
            self.assertEqual(theirs, Falsy)


class FloatTests(unittest.TestCase):
    """A number of places or permits that was divided or multiplied, or is infinite."""

    def test_queues(self):
        for name in ('Queue', 'LifoQueue', 'PriorityQueue'):
            for maxsize in (3.0, 2.5, 0.0, -0.5, -3.0, float('inf'), -float('inf'), 1e30, NAN):
                seen = []
                for cls in PAIRS[name]:
                    queue, other = cls(maxsize), cls()
                    other.maxsize = maxsize
                    seen.append([(outcome(each.put_nowait, i, text=False), each.full())
                                 for i in range(5) for each in (queue, other)])
                with self.subTest(name, maxsize=maxsize):
                    self.assertEqual(*seen)

    def test_semaphores(self):
        for name in ('Semaphore', 'BoundedSemaphore'):
            for value in (2.0, 0.0, float('inf'), 1e30, -1.0, -float('inf')):
                seen = []
                for cls in PAIRS[name]:
                    semaphore = outcome(cls, value)
                    ops = (lambda: semaphore.acquire(False),) * 3 + (lambda: semaphore.release(),) * 3
                    seen.append([outcome(op, text=False) for op in ops] if value >= 0 else semaphore)
                with self.subTest(name, value=value):
                    self.assertEqual(*seen)
        for name in ('Semaphore', 'BoundedSemaphore'):
            self.assertRaises(TypeError, PAIRS[name][0], 2.5)


class OverrideTests(unittest.TestCase):
    """What the standard library does by another method, a subclass gets by its own one."""

    def same(self, name, *scripts):
        """Each script has the object, and a list in which it and all calls of methods are noted."""
        for script in scripts:
            logs = []
            for cls in PAIRS[name]:
                log = []
                script(self.spy(cls, log)(), log)
                logs.append(log)
            with self.subTest(name):
                self.assertNotEqual(logs[0], [])
                self.assertEqual(*logs)

    def spy(self, cls, log):
        """A subclass whose public methods note that they are called, and how."""
        def note(name, method):
            def noting(self, *args, **kwargs):
                log.append((name, [arg for arg in args if not callable(arg)], kwargs))
                return method(self, *args, **kwargs)
            return noting
        names = (name for name in dir(cls) if not name.startswith('_') and callable(getattr(cls, name)))
        return type('Spy', (cls,), {name: note(name, getattr(cls, name)) for name in names})

    def test_condition(self):
        def wait_for(condition, log):
            with condition:
                condition.wait_for(lambda: len(log) > 2)
                condition.wait_for(lambda: False, 0)

        def fails(condition, log):
            condition.wait = lambda timeout: {}[timeout]
            with condition, self.assertRaises(KeyError):
                condition.wait_for(list, 5)
            log.append('failed')

        def short(cls):  # waits without a time limit end at once
            return type('Short', (cls,), {'wait': lambda self, timeout=None: cls.wait(self, 0)})
        conditions = PAIRS['Condition']
        self.addCleanup(PAIRS.__setitem__, 'Condition', conditions)
        PAIRS['Condition'] = tuple(map(short, conditions))
        self.same('Condition', wait_for, fails)

    def test_notify(self):
        def notify(condition, log):
            with condition:
                condition.notify_all()
                condition.notify(2)
                with self.assertWarns(DeprecationWarning):
                    condition.notifyAll()
        self.same('Condition', notify)

    def test_semaphores(self):
        def block(semaphore, log):
            with semaphore:
                log.append(semaphore.acquire(False))
        for name in ('Semaphore', 'BoundedSemaphore'):
            self.same(name, block)

    def test_event(self):
        def old(event, log):
            with self.assertWarns(DeprecationWarning):
                log.append(event.isSet())
        self.same('Event', old)

    def test_queues(self):
        def nowait(queue, log):
            queue.put_nowait(1)
            queue.put_nowait(item=2)
            log.append((queue.get_nowait(), queue.get_nowait(), outcome(queue.get_nowait)))
        for name in ('Queue', 'LifoQueue', 'PriorityQueue'):
            self.same(name, nowait)

    def test_executor(self):
        for cls in PAIRS['ThreadPoolExecutor']:
            log = []
            with self.spy(cls, log)(1) as pool:
                self.assertEqual(list(pool.map(abs, [-1])), [1])
            self.assertEqual([call for call in log if call[0] in ('submit', 'shutdown')],
                             [('submit', [-1], {}), ('shutdown', [], {'wait': True})])

    def test_attribute(self):
        """Of the object itself, too."""
        for cls in PAIRS['Queue']:
            log, queue = [], cls()
            queue.put = lambda item, block: log.append((item, block))
            queue.put_nowait(1)
            self.assertEqual(log, [(1, False)])


class MessageTests(unittest.TestCase):
    """The texts of TypeErrors name the function and count as the standard library's."""

    def same(self, call, name):
        ours, theirs = (outcome(call, cls) for cls in PAIRS[name])
        self.assertEqual(theirs[0], TypeError)
        self.assertEqual(ours, theirs)

    def test_methods(self):
        none, one, two, three, four = (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)
        for name, make, methods in (
                ('Future', none, {'result': (two, three), 'exception': (two,), 'set_result': (none, two),
                                  'set_exception': (none, three), 'add_done_callback': (none, two)}),
                ('Event', none, {'wait': (two, three)}),
                ('Condition', none, {'wait': (two,), 'wait_for': (none, three), 'notify': (two,)}),
                ('Semaphore', none, {'acquire': (three,), 'release': (two,)}),
                ('BoundedSemaphore', none, {'acquire': (three,), 'release': (two,)}),
                ('Barrier', one, {'wait': (two,)}),
                ('Queue', none, {'put': (none, four), 'get': (three,), 'put_nowait': (none, two)}),
                ('LifoQueue', none, {'put': (none, four), 'get': (three,)}),
                ('PriorityQueue', none, {'put': (none, four), 'get': (three,)})):
            for method, wrong in methods.items():
                for args in wrong:
                    with self.subTest(name, method=method, args=args):
                        self.same(lambda cls: getattr(cls(*make), method)(*args), name)
                with self.subTest(name, method=method):
                    self.same(lambda cls: getattr(cls(*make), method)(zzz=1), name)

    def test_given_twice(self):
        self.same(lambda cls: cls().result(1, timeout=1), 'Future')
        self.same(lambda cls: cls().put(1, item=1), 'Queue')
        self.same(lambda cls: cls().put(1, 2, block=1), 'Queue')
        self.same(lambda cls: cls(1, value=1), 'Semaphore')

    def test_making(self):
        for name, wrong in (('Future', ((1,), (1, 2))), ('Event', ((1,),)), ('Condition', ((1, 2),)),
                            ('Semaphore', ((1, 2),)), ('BoundedSemaphore', ((1, 2),)),
                            ('Barrier', ((), (1, 2, 3, 4))), ('Queue', ((1, 2),)),
                            ('LifoQueue', ((1, 2),)), ('ThreadPoolExecutor', ((1, 2, 3, (), 5),))):
            for args in wrong:
                with self.subTest(name, args=args):
                    self.same(lambda cls: cls(*args), name)
            if name != 'ThreadPoolExecutor':  # in 3.14 another method says it
                with self.subTest(name):
                    self.same(lambda cls: cls(zzz=1), name)

    def test_executor(self):
        for call in (lambda pool: pool.submit(), lambda pool: pool.map(), lambda pool: pool.map(len, fn=len),
                     lambda pool: pool.map(len, zzz=1), lambda pool: pool.shutdown(True, False),
                     lambda pool: pool.shutdown(True, False, cancel_futures=True),
                     lambda pool: pool.shutdown(True, 1, 2, cancel_futures=True),
                     lambda pool: pool.shutdown(zzz=1)):
            self.same(lambda cls: call(cls(1)), 'ThreadPoolExecutor')

    def test_functions(self):
        for call in (lambda f: f(), lambda f: f(1, 2, 3, 4), lambda f: f([], zzz=1)):
            self.same(call, 'wait')
            self.same(lambda function: list(call(function)), 'as_completed')


if __name__ == '__main__':
    unittest.main()
