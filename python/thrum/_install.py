# SPDX-License-Identifier: MIT
import atexit
import os
import sys

from . import _thrum, queue, threading


def install():
    """Put thrum's types in the place of the standard modules' own: threading.Condition and so on, the
    classes of queue, and concurrent.futures. A module that has taken one by name already keeps that."""
    import queue as standard_queue
    import threading as standard_threading
    from . import futures
    for ours, standard in ((threading, standard_threading), (queue, standard_queue)):
        for name in ours.REPLACED:
            setattr(standard, name, getattr(ours, name))
    futures.install()


def made():
    """Return how many objects of each type were made in this interpreter."""
    return _thrum.made()


def _report():
    counts = ', '.join(f'{name} {n}' for name, n in made().items() if n)
    try:
        print(f'thrum: made {counts or "nothing"}', file=sys.stderr, flush=True)
    except (AttributeError, OSError, ValueError):
        pass  # nobody is there to read it


if os.environ.get('THRUM_STATS') == '1':
    atexit.register(_report)
