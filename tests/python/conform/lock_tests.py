# SPDX-License-Identifier: MIT
"""CPython's tests of locks and conditions on thrum's own names."""

from test import lock_tests

import thrum.threading


class EventTests(lock_tests.EventTests):
    eventtype = staticmethod(thrum.threading.Event)


class ConditionAsRLockTests(lock_tests.RLockTests):
    locktype = staticmethod(thrum.threading.Condition)

    def test_recursion_count(self):
        self.skipTest('a Condition has no _recursion_count(), here as there')

    def test_constructor_noargs(self):
        self.skipTest('a Condition takes a lock, here as there')


class ConditionLockTests(lock_tests.RLockTests):
    @staticmethod
    def locktype():
        return thrum.threading.Condition()._lock


class ConditionTests(lock_tests.ConditionTests):
    condtype = staticmethod(thrum.threading.Condition)


class SemaphoreTests(lock_tests.SemaphoreTests):
    semtype = staticmethod(thrum.threading.Semaphore)


class BoundedSemaphoreTests(lock_tests.BoundedSemaphoreTests):
    semtype = staticmethod(thrum.threading.BoundedSemaphore)


class BarrierTests(lock_tests.BarrierTests):
    barriertype = staticmethod(thrum.threading.Barrier)
