# SPDX-License-Identifier: MIT
"""queue with its three queues in C, on the thrum core.

A drop-in for the standard module of Python 3.15. SimpleQueue is CPython's own, which is C already
and as fast; Empty and Full are its exceptions too, and ShutDown where it has that."""

import queue as _standard
from queue import Empty, Full, SimpleQueue

from ._thrum import LifoQueue, PriorityQueue, Queue, ShutDown

REPLACED = ('LifoQueue', 'PriorityQueue', 'Queue', 'ShutDown')

__all__ = ['Empty', 'Full', 'LifoQueue', 'PriorityQueue', 'Queue', 'ShutDown', 'SimpleQueue']


def __getattr__(name):
    return getattr(_standard, name)
