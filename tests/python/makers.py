# SPDX-License-Identifier: MIT
"""What the tests of futures make: futures in each state, threads, other interpreters."""

import os
import random
import subprocess
import sys
import sysconfig
import threading

import thrum.futures as futures

# The standard library's class, which is a base of ours.
PlainFuture = futures.Future.__bases__[-1]
# Then reference counts of types and the moment at which an object dies are not exact.
FREE_THREADED = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))
SEED = int(os.environ.get('THRUM_SEED', random.SystemRandom().randrange(1 << 30)))


def spawn(call, *args):
    thread = threading.Thread(target=call, args=args)
    thread.start()
    return thread


def meet(*calls):
    """Call all at the same moment, each in its own thread; raise what one of them raises."""
    start, errors = threading.Barrier(len(calls)), []

    def work(call):
        try:
            start.wait()
            call()
        except BaseException as error:
            errors.append(error)
    threads = [spawn(work, call) for call in calls]
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def done(value=None):
    future = futures.Future()
    future.set_result(value)
    return future


def failed(error):
    future = futures.Future()
    future.set_exception(error)
    return future


def notified():
    future = futures.Future()
    future.cancel()
    future.set_running_or_notify_cancel()
    return future


def run_python(program, **env):
    return subprocess.run([sys.executable, '-X', 'faulthandler', '-c', program], text=True,
                          capture_output=True, timeout=60, env={**os.environ, **env})
