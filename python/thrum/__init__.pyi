# SPDX-License-Identifier: MIT
from . import queue as queue, threading as threading

__all__ = ['install', 'made']

def install() -> None: ...
def made() -> dict[str, int]: ...
