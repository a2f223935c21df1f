# SPDX-License-Identifier: MIT
"""concurrent.futures with its futures in C, on the thrum core.

A drop-in for the standard module of Python 3.15. The exceptions are the standard library's own, and
Future and ThreadPoolExecutor are subclasses of its classes, so that asyncio and every other module
takes them."""

import concurrent.futures as _standard
import concurrent.futures.thread  # noqa: F401
import os
from concurrent.futures import (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor,
                                CancelledError, Executor, InvalidStateError, TimeoutError)
from concurrent.futures._base import DoneAndNotDoneFutures

from . import _thrum

_thrum.load_futures()

from ._thrum import Future, ThreadPoolExecutor, as_completed, report_unread, wait  # noqa: E402

if os.environ.get('THRUM_REPORT_UNREAD') == '0':
    report_unread(False)

REPLACED = ('Future', 'ThreadPoolExecutor', 'as_completed', 'wait')

__all__ = list(_standard.__all__)
if 'InvalidStateError' not in __all__:
    __all__.append('InvalidStateError')
__all__ += ['DoneAndNotDoneFutures', 'report_unread']


def install():
    """Put these in the place of the standard module's own. thrum.install() calls it."""
    for name in REPLACED:
        for module in (_standard, _standard._base, _standard.thread):
            if hasattr(module, name):
                setattr(module, name, globals()[name])


def __getattr__(name):
    return getattr(_standard, name)
