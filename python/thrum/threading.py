# SPDX-License-Identifier: MIT
"""threading with its waiting objects in C, on the thrum core.

A drop-in for the standard module of Python 3.15. Lock, RLock, local and Thread are CPython's own,
which are C already and as fast; so is all the rest that is not listed in REPLACED."""

import threading as _standard
from threading import *  # noqa: F401,F403

from ._thrum import Barrier, BoundedSemaphore, Condition, Event, Semaphore  # noqa: F401

REPLACED = ('Barrier', 'BoundedSemaphore', 'Condition', 'Event', 'Semaphore')

__all__ = list(_standard.__all__)


def __getattr__(name):
    return getattr(_standard, name)
