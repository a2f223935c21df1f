# SPDX-License-Identifier: MIT
"""C functions on a pool of threads, without the GIL.

    THRUM_TASK(int, blur, (const float *, image), (float *, out), (int, n)) { ... }     in C

    lib = thrum.native.load('./libwork.so')
    future = lib.blur.submit(image, out, n)

The library is compiled with the header alone: cc -shared -fPIC -I INCLUDE -o libwork.so work.c,
with INCLUDE as get_include() says, and linked with nothing of thrum's."""

import collections
import concurrent.futures
import inspect
import os
import queue
import threading
import types
import weakref

from . import _thrum

try:
    from .futures import Future
except ImportError:
    from concurrent.futures import Future

__all__ = ['Library', 'NativeFuture', 'Pool', 'Task', 'get_include', 'load']

_EXCEPTIONS = {
    'BrokenBarrierError': threading.BrokenBarrierError,
    'CancelledError': concurrent.futures.CancelledError,
    'InterruptedError': InterruptedError,
    'MemoryError': MemoryError,
    'NotImplementedError': NotImplementedError,
    'RuntimeError': RuntimeError,
    'ShutDown': getattr(queue, 'ShutDown', _thrum.ShutDown),
    'TimeoutError': TimeoutError,
    'ValueError': ValueError,
}

_lock = threading.Lock()
_pools = weakref.WeakSet()  # those that have begun, under _lock
_default = None             # the pool of Task.submit(), under _lock
_ending = False             # the interpreter is: no new tasks
_here = threading.local()   # completer: of the pool whose results this thread sets


class NativeFuture(Future):
    """The Future of a native task. What runs goes on when it is cancelled, but can ask for it
    (thrum_cancel_requested)."""

    _job = None  # as long as it is not done
    _native = None

    def result(self, timeout=None):
        self._help()
        return super().result(timeout)

    def exception(self, timeout=None):
        self._help()
        return super().exception(timeout)

    def _help(self):
        """A callback that waits for another task of its pool goes on with what its thread is there for."""
        completer = getattr(_here, 'completer', None)
        if completer is not None and self._native is completer.native:
            while not self.done() and completer.step():
                pass

    def cancel(self):
        job = self._job  # its end takes it away
        if job is not None and not job.cancel():
            return self.cancelled()
        return super().cancel()

    def running(self):
        job = self._job
        return not self.done() and job is not None and job.running()


class Task:
    """A task of a library: call it, or submit it to a pool. Takes what the C function takes, by place
    or by name: numbers, buffers for pointers (None is NULL), str for const char *, bytes for a struct."""

    def __init__(self, native):
        self._native = native
        self.__name__ = self.__qualname__ = native.name
        parameters = ', '.join(f'{kind} {name}'.replace('* ', '*')
                               for name, kind, _ in native.parameters)
        self.__doc__ = f'{native.result[0]} {native.name}({parameters or "void"})'.replace('* ', '*')

    @property
    def __signature__(self):
        return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD,
                                                    annotation=kind)
                                  for name, kind, _ in self._native.parameters])

    def submit(self, /, *args, **kwargs):
        """Run it on the default pool, which has as many workers as there are CPUs; returns a Future."""
        return _default_pool().submit(self, *args, **kwargs)

    def __call__(self, /, *args, **kwargs):
        """Run it on the default pool, and wait for the result."""
        return self.submit(*args, **kwargs).result()

    def __repr__(self):
        return f'<native task {self.__doc__}>'


class Library:
    """The tasks of a shared library, as attributes."""

    def __init__(self, path, tasks):
        self._path = path
        for task in tasks:
            setattr(self, task.name, Task(task))

    def __getattr__(self, name):
        raise AttributeError(f'{self._path} has no task {name!r}')

    def __iter__(self):
        return (task for task in vars(self).values() if isinstance(task, Task))

    def __repr__(self):
        return f'<native library {self._path!r}: {", ".join(task.__name__ for task in self)}>'


def load(path):
    """Load a shared library, for good, and return its tasks."""
    return Library(os.fsdecode(path), _thrum.native_load(path))


def get_include():
    """Return the directory of the header to compile a library with."""
    here = os.path.dirname(os.path.abspath(__file__))
    packed = os.path.join(here, 'include')
    return packed if os.path.isdir(packed) else os.path.join(here, '..', '..', 'include')


class Pool(concurrent.futures.Executor):
    """An executor for native tasks: threads of the C core, which know nothing of Python."""

    def __init__(self, max_workers=None, thread_name_prefix=''):
        if max_workers is not None and max_workers <= 0:
            raise ValueError('max_workers must be greater than 0')
        self._native = _thrum.NativePool(max_workers or 0, thread_name_prefix or None)
        self._completer = None
        self._begin = threading.Lock()
        self._finalizer = weakref.finalize(self, self._native.close, False)
        self._finalizer.atexit = False

    def submit(self, task, /, *args, **kwargs):
        """Run the task with these arguments; returns a Future. Buffers are held until it has ended."""
        if not isinstance(task, Task):
            raise TypeError(f'{task!r} is not a native task: a ThreadPoolExecutor runs Python')
        if self._completer is None:
            self._start()
        future = NativeFuture()
        future._native = self._native
        future._job = self._native.submit(task._native, future, args, kwargs)
        return future

    def _start(self):
        with self._begin:
            if self._completer is not None:
                return
            with _lock:
                if _ending:
                    raise RuntimeError('cannot schedule new futures after interpreter shutdown')
                _pools.add(self)
            completer = threading.Thread(target=_Completer(self._native).run, daemon=True,
                                         name='thrum-native')
            completer.start()
            self._completer = completer

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._native.close(cancel_futures)
        if wait and self._completer not in (None, threading.current_thread()):
            self._completer.join()


class _Completer:
    """Sets the results of what the workers of a pool have done."""

    def __init__(self, native):
        self.native = native
        self.batch = collections.deque()

    def run(self):
        _here.completer = self
        while self.step():
            pass

    def step(self):
        """Set one result, when there is one; False: there will be no more."""
        if not self.batch:
            batch = self.native.take()
            if batch is None:
                return False
            self.batch.extend(batch)
        future, outcome = self.batch.popleft()
        try:
            _settle(future, *outcome)
        except concurrent.futures.InvalidStateError:
            pass  # a program has set it by itself
        except BaseException as error:  # a callback's, of a kind that add_done_callback() lets through
            threading.excepthook(threading.ExceptHookArgs(
                (type(error), error, error.__traceback__, threading.current_thread())))
        return True


def _settle(future, success, value):
    if success is None:
        Future.cancel(future)
    if not future.set_running_or_notify_cancel():
        return
    future._job = future._native = None
    if success:
        future.set_result(value)
    else:
        future.set_exception(_exception(*value) if isinstance(value, tuple) else value)


def _exception(code, message, file, line, task, thread, name, text):
    """What thrum_raise(code, message) means to Python, with the place in C in its traceback."""
    if name == 'OSError':
        error = OSError(-code, message or text)
    else:
        error = _EXCEPTIONS[name](message or text)
    error.code, error.task, error.thread = code, task, thread
    if file is None:
        return error
    error.file, error.line = file, line
    frame = _thrum.native_frame(file, task or '?', line)
    return error.with_traceback(types.TracebackType(None, frame, 0, line))


def _default_pool():
    global _default
    with _lock:
        if _default is None:
            _default = Pool(thread_name_prefix='native')
        return _default


def _at_exit():
    global _ending
    with _lock:
        _ending = True
        pools = list(_pools)
    for pool in pools:
        pool.shutdown()


def _forked():
    global _default, _lock, _pools
    _lock, _default, _pools = threading.Lock(), None, weakref.WeakSet()


threading._register_atexit(_at_exit)
os.register_at_fork(after_in_child=_forked)
