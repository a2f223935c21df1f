# SPDX-License-Identifier: MIT
"""Our futures with the standard library's functions, classes and executors."""

import asyncio
import concurrent.futures as standard
import sys
import threading
import unittest

import thrum.futures as futures
from makers import PlainFuture, failed, run_python, spawn


class InterplayTests(unittest.TestCase):
    """With the standard library's own functions and classes."""

    def make(self):
        return [futures.Future() for _ in range(20)], [PlainFuture() for _ in range(20)]

    def finish(self, fs):
        for number, future in enumerate(fs):
            if number % 5 == 0:
                future.cancel()
            if future.set_running_or_notify_cancel():
                future.set_result(number)

    def test_waits(self):
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, before)
        for module in (futures, standard):
            for _ in range(50):
                ours, theirs = self.make()
                for fs in (ours, theirs, ours + theirs):
                    ours[:], theirs[:] = self.make()
                    thread = spawn(self.finish, fs)
                    self.assertEqual(set(module.as_completed(fs, 60)), set(fs))
                    thread.join()
                    self.assertEqual(module.wait(fs, 60), (set(fs), set()))

    def test_standard_wait_at_the_same_time(self):
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        self.addCleanup(sys.setswitchinterval, before)
        for _ in range(100):
            fs = self.make()[0]
            threads = [spawn(module.wait, fs) for module in (futures, standard, futures, standard)]
            threads += [spawn(future.result) for future in fs[1:3]]
            self.finish(fs)
            for thread in threads:
                thread.join()

    def test_waiters_are_told(self):
        class Waiter:
            def __getattr__(self, name):
                return lambda future: seen.append((name, future._state))
        for look in ('_waiters', '_condition'):
            seen = []
            for steps in (['set_result'], ['set_running_or_notify_cancel', 'set_exception'],
                          ['cancel', 'set_running_or_notify_cancel']):
                future = futures.Future()
                getattr(future, look)
                future._waiters.append(Waiter())
                for step in steps:
                    getattr(future, step)(*[KeyError()] * (step in ('set_result', 'set_exception')))
                self.assertTrue(future.cancelled() or future.exception() or future.result())
            self.assertEqual(seen, [('add_result', 'FINISHED'), ('add_exception', 'FINISHED'),
                                    ('add_cancelled', 'CANCELLED_AND_NOTIFIED')])

    def test_by_hand(self):
        """A program that holds the condition while it changes the state."""
        for wait in (lambda f: f.result(60), lambda f: f.exception(60) or 7):
            future, got = futures.Future(), []
            thread = spawn(lambda: got.append(wait(future)))
            with future._condition:
                future._state = 'FINISHED'
                future._result = 7
                future._condition.notify_all()
            thread.join()
            self.assertEqual(got, [7])

    def test_a_start_wakes_nobody(self):
        """Who waits for a result looks once: a future that begins to run is not late."""
        class Noting(threading.Condition):
            def wait(self, timeout=None):
                waits.set()
                return super().wait(timeout)
        waits, got = threading.Event(), []
        future = futures.Future()
        condition = future._condition = Noting()
        thread = spawn(lambda: got.append(future.result()))
        waits.wait()
        future.set_running_or_notify_cancel()
        with condition:
            self.assertEqual(len(condition._waiters), 1)
        future.set_result(7)
        thread.join()
        self.assertEqual(got, [7])

    def test_held_condition_keeps_the_state(self):
        future = futures.Future()
        with future._condition:
            thread = spawn(future.set_result, 1)
            self.assertFalse(future.done())
            self.assertEqual(future.result(), 1)  # which gives the condition up meanwhile
        thread.join()

    def test_asyncio(self):
        async def main():
            loop = asyncio.get_running_loop()
            future = futures.Future()
            wrapped = asyncio.wrap_future(future)
            thread = spawn(future.set_result, 1)
            self.assertEqual(await wrapped, 1)
            thread.join()
            with self.assertRaises(KeyError):
                await asyncio.wrap_future(failed(KeyError()))
            future = futures.Future()
            asyncio.wrap_future(future).cancel()
            await loop.run_in_executor(None, future.cancelled)
            while not future.cancelled():
                await loop.run_in_executor(None, int)

            async def fails():
                raise LookupError
            future = asyncio.run_coroutine_threadsafe(fails(), loop)
            with self.assertRaises(LookupError):
                await loop.run_in_executor(None, future.result)
        asyncio.run(main())

    def test_installed(self):
        """Executors of the standard library make our futures; so does asyncio."""
        done = run_python("""if __name__ == '__main__':
            import asyncio, thrum; thrum.install(); thrum.install()
            import concurrent.futures as f, thrum.futures as t
            assert f.Future is t.Future is f._base.Future and f.wait is t.wait is f._base.wait
            for pool in (f.ThreadPoolExecutor(2), f.ProcessPoolExecutor(1)):
                with pool:
                    fs = [pool.submit(pow, 2, n) for n in range(20)] + [pool.submit(divmod, 1, 0)]
                    assert type(fs[0]) is t.Future
                    assert len(f.wait(fs).done) == len(list(f.as_completed(fs))) == 21
                    assert [x.result() for x in fs[:20]] == [2 ** n for n in range(20)]
                    assert list(pool.map(abs, (1, -2))) == [1, 2]
                    assert type(fs[20].exception()) is ZeroDivisionError
                    async def main():
                        loop = asyncio.get_running_loop()
                        return await loop.run_in_executor(pool, abs, -3)
                    assert asyncio.run(main()) == 3
            print(thrum.made()['Future'] > 40)
            """)
        self.assertEqual((done.stdout, done.stderr), ('True\n', ''))

    def test_imported_twice(self):
        """A second copy of the package finds the standard class behind the first one's."""
        done = run_python("""if 1:
            import sys, thrum; thrum.install()
            for name in [name for name in sys.modules if name.startswith('thrum')]:
                del sys.modules[name]
            import thrum.futures as again, concurrent.futures as f
            future = again.Future(); future.set_result(1)
            assert again.Future is not f.Future and future.result() == 1
            other = f.Future(); other.set_result(2)
            assert again.wait([future, other]).done == {future, other}
            assert len(list(again.as_completed([future, other]))) == 2
            """)
        self.assertEqual((done.returncode, done.stderr), (0, ''))


if __name__ == '__main__':
    unittest.main()
