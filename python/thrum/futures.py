# SPDX-License-Identifier: MIT
"""concurrent.futures with its futures in C, on the thrum core.

A drop-in for the standard module of Python 3.15. The exceptions are the standard library's own, and
Future is a subclass of its Future, so that asyncio and every other module takes it."""

import concurrent.futures as _standard
from concurrent.futures import (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor,
                                CancelledError, Executor, InvalidStateError, TimeoutError)
from concurrent.futures._base import DoneAndNotDoneFutures

from . import _thrum

_thrum.load_futures()

from ._thrum import Future  # noqa: E402

REPLACED = ('Future',)

__all__ = list(_standard.__all__)
if 'InvalidStateError' not in __all__:
    __all__.append('InvalidStateError')


def __getattr__(name):
    return getattr(_standard, name)
