# SPDX-License-Identifier: MIT
from concurrent.futures import (ALL_COMPLETED as ALL_COMPLETED, FIRST_COMPLETED as FIRST_COMPLETED,
                                FIRST_EXCEPTION as FIRST_EXCEPTION, BrokenExecutor as BrokenExecutor,
                                CancelledError as CancelledError, Executor as Executor,
                                InvalidStateError as InvalidStateError, TimeoutError as TimeoutError)
from concurrent.futures import Future as _Standard
from typing import Final, TypeVar

_T = TypeVar('_T')

REPLACED: Final[tuple[str, ...]]

class Future(_Standard[_T]): ...
