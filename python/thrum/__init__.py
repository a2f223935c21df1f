# SPDX-License-Identifier: MIT
"""Python's threading toolbox on the thrum core.

    from thrum.threading import Condition, Semaphore, Event
    from thrum.queue import Queue
    from thrum.futures import Future, as_completed, wait

are drop-ins for the standard library's. thrum.install() puts them in its place for a program, and
"python3 -m thrum script.py" for one that is not to be changed. With THRUM_STATS=1 in the environment
a line at exit says which types were made how often."""

from ._install import install, made

__all__ = ['install', 'made']
