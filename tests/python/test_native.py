# SPDX-License-Identifier: MIT
"""Tasks of a C library on the core's threads: arguments, results, failures, buffers, the end of things."""

import array
import asyncio
import concurrent.futures
import ctypes
import ctypes.util
import errno
import gc
import inspect
import os
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
import unittest
import weakref

import thrum.native
from makers import FREE_THREADED

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, 'native_tasks.c')
FOLDER = tempfile.TemporaryDirectory()
COMPILER = os.environ.get('THRUM_CC', 'cc').split()
BUILD = os.environ.get('THRUM_BUILD')


def build(name, *flags):
    path = os.path.join(FOLDER.name, name)
    subprocess.run([*COMPILER, '-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-I',
                    thrum.native.get_include(), '-o', path, SOURCE, *flags], check=True,
                   env={**os.environ, 'LD_PRELOAD': ''})
    return path


LIBRARY = build('libtasks.so')
lib = thrum.native.load(LIBRARY)


def run(text, *args, **env):
    return subprocess.run([sys.executable, '-X', 'faulthandler', '-W', 'ignore', '-c', text, *args],
                          text=True, capture_output=True, timeout=100, env={**os.environ, **env})


class ArgumentTests(unittest.TestCase):
    def test_whole_numbers(self):
        for name, bits, signed in (('i8', 8, True), ('u8', 8, False), ('i16', 16, True),
                                   ('u16', 16, False), ('i32', 32, True), ('u32', 32, False),
                                   ('i64', 64, True), ('u64', 64, False),
                                   ('long', 8 * struct.calcsize('l'), True),
                                   ('size', 8 * struct.calcsize('P'), False)):
            task = getattr(lib, f'same_{name}')
            low, high = (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            with self.subTest(name):
                for good in (low, high, 0, 1, True):
                    self.assertEqual(task(good), good)
                for bad in (low - 1, high + 1, 1 << 64, -1 << 64):
                    with self.assertRaisesRegex(OverflowError, rf"same_{name}\(\) parameter 'x' .*{bad}"):
                        task(bad)
                for bad in (1.0, '1', None):
                    with self.assertRaisesRegex(TypeError, "parameter 'x' .*must be an int, not"):
                        task(bad)

    def test_other_numbers(self):
        self.assertIs(lib.same_bool(True), True)
        self.assertRaisesRegex(TypeError, 'bool', lib.same_bool, 1)
        self.assertEqual((lib.same_char(65), lib.same_char(b'A')), (65, 65))
        self.assertRaisesRegex(TypeError, 'one byte', lib.same_char, b'AB')
        self.assertEqual((lib.same_double(1.5), lib.same_double(2), lib.same_float(0.5)), (1.5, 2.0, 0.5))
        self.assertEqual(lib.same_float(float('inf')), float('inf'))
        self.assertRaisesRegex(OverflowError, "'x' .float. cannot hold 1e\\+39", lib.same_float, 1e39)
        self.assertRaisesRegex(OverflowError, "'x'", lib.same_double, 10 ** 400)
        self.assertRaisesRegex(TypeError, "'x' .double. must be a float, not str", lib.same_double, '1')

    def test_texts_and_structs(self):
        self.assertEqual(lib.same_text('früh'), 'früh')
        self.assertEqual(lib.same_text(b'bytes'), 'bytes')
        self.assertIsNone(lib.same_text(None))
        self.assertRaisesRegex(ValueError, 'null', lib.same_text, 'a\0b')
        self.assertRaisesRegex(TypeError, "'x'", lib.same_text, 1)
        self.assertEqual(struct.unpack('id', lib.swap(struct.pack('id', 3, 4.0))), (4, 3.0))
        self.assertRaisesRegex(TypeError, "'p' .point. has 16 bytes, not 3", lib.swap, b'abc')
        self.assertRaisesRegex(TypeError, "'p'", lib.swap, 3)
        self.assertIsNone(lib.nothing())
        self.assertRaisesRegex(TypeError, 'pointer', lib.pointer)
        self.assertRaisesRegex(TypeError, "'words'.*pointer", lib.indirect, bytearray(8))

    def test_buffers(self):
        numbers, out = array.array('f', [1, 2, 3]), array.array('f', bytes(12))
        self.assertEqual(lib.halve(numbers, n=3, out=out), 0)
        self.assertEqual(list(out), [0.5, 1, 1.5])
        self.assertEqual(lib.halve(None, out, 0), 1)
        cells = (ctypes.c_float * 3)()
        lib.halve(memoryview(numbers), cells, 3)
        self.assertEqual(list(cells), [0.5, 1, 1.5])
        for bad, why in ((array.array('d', [1]), "items 'f', not 'd'"), (bytearray(12), "not 'B'"),
                         (array.array('i', [1]), "not 'i'"), (5, 'buffer, not int'),
                         (memoryview(out)[::2], 'contiguous'), (memoryview(out).toreadonly(), 'writable'),
                         (memoryview(bytearray(13))[1:], 'items')):
            with self.assertRaisesRegex(TypeError, r"halve\(\) parameter 'out' \(float \*\) .*" + why):
                lib.halve(numbers, bad, 1)
        with self.assertRaisesRegex(ValueError, 'aligned'):
            lib.halve(numbers, (ctypes.c_float * 2).from_buffer(memoryview(bytearray(16))[1:9]), 1)
        for data in (b'A', bytearray(b'A'), array.array('b', [65]), memoryview(b'AB')):
            self.assertEqual(lib.first_byte(data), 65)
        for code in 'lq':
            if struct.calcsize(code) == 8:
                self.assertEqual(lib.first_int64(array.array(code, [9])), 9)
        self.assertRaises(TypeError, lib.first_int64, array.array('Q', [9]))
        self.assertEqual(lib.first_of(array.array('d', [0])), 0)

    def test_buffers_of_structs(self):
        points = struct.pack('idid', 2, 3.0, 4, 5.0)
        self.assertEqual(lib.sum_points(points, 2), 26)
        self.assertRaisesRegex(TypeError, 'writable', lib.set_point, points)
        one = bytearray(struct.pack('id', 2, 3.0))
        lib.set_point(one)
        self.assertEqual(struct.unpack('id', one), (7, 3.0))

    def test_how_many(self):
        for args, names, why in (((), {}, 'takes 3 arguments, not 0'), ((1, 2, 3, 4), {}, 'not 4'),
                                 ((None, None), {}, 'not 2'), ((None,), {'x': 1}, "no parameter 'x'"),
                                 ((None, None, 0), {'n': 1}, "'n' is given twice"),
                                 ((None,), {'n': 1}, "'out' .float \\*. is missing")):
            with self.assertRaisesRegex(TypeError, r'halve\(\).*' + why):
                lib.halve(*args, **names)
        self.assertRaisesRegex(TypeError, 'takes 1 argument, not', lib.same_i8)

    def test_what_there_is(self):
        self.assertEqual(lib.halve.__doc__, 'int halve(const float *in, float *out, int n)')
        self.assertEqual(lib.nothing.__doc__, 'void nothing(void)')
        self.assertIn('halve', dir(lib))
        self.assertEqual(str(inspect.signature(lib.same_i32)), "(x: 'int')")
        with self.assertRaisesRegex(AttributeError, "has no task 'absent'"):
            lib.absent


class FutureTests(unittest.TestCase):
    def test_without_the_gil(self):
        """The task waits for what Python does meanwhile."""
        flag = bytearray(1)
        with thrum.native.Pool(1) as pool:
            future = pool.submit(lib.watch, flag)
            while not future.running():
                pass
            self.assertRaises(BufferError, flag.append, 1)  # it is the task's as long as that runs
            flag[0] = 1
            self.assertEqual(future.result(), 1)
        flag.append(1)
        self.assertFalse(future.running())

    def test_failures(self):
        with open(SOURCE, encoding='utf-8') as file:
            line = [i for i, text in enumerate(file, 1) if 'test_failures' in text][0]
        for code, kind in ((errno.EINVAL, ValueError), (errno.ENOENT, FileNotFoundError),
                           (errno.ETIMEDOUT, TimeoutError), (errno.ENOMEM, MemoryError),
                           (errno.ESHUTDOWN, thrum.native._EXCEPTIONS['ShutDown']), (errno.EIO, OSError),
                           (errno.EPERM, RuntimeError), (errno.EOPNOTSUPP, NotImplementedError),
                           (errno.ECANCELED, concurrent.futures.CancelledError),
                           (errno.EPIPE, threading.BrokenBarrierError)):
            error = lib.fail.submit(-code, 'way').exception()
            self.assertIs(type(error), kind)
            self.assertIn('no way', str(error))
            self.assertEqual((error.code, error.task, error.line), (-code, 'fail', line))
            self.assertRegex(error.thread, '^native_')
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.assertEqual((frame.filename, frame.lineno, frame.name), (SOURCE, line, 'fail'))

    def test_cancel(self):
        flag, other = bytearray(1), bytearray(1)
        with thrum.native.Pool(1) as pool:
            running, pending = pool.submit(lib.watch, flag), pool.submit(lib.watch, other)
            while not running.running():
                pass
            self.assertFalse(pending.running())
            self.assertTrue(pending.cancel() and pending.cancel() and pending.cancelled())
            self.assertRaises(concurrent.futures.CancelledError, pending.result)
            concurrent.futures.wait([pending])
            self.assertFalse(running.cancel())  # but it can ask
            self.assertEqual(running.result(), 2)
            self.assertFalse(running.cancel())
        other.append(1)

    def test_shutdown(self):
        flag = bytearray(1)
        pool = thrum.native.Pool(1)
        running = pool.submit(lib.watch, flag)
        while not running.running():
            pass
        pending = [pool.submit(lib.nothing) for _ in range(20)]
        pool.shutdown(wait=False, cancel_futures=True)
        done, _ = concurrent.futures.wait(pending)
        self.assertTrue(all(future.cancelled() for future in done))
        self.assertRaisesRegex(RuntimeError, 'after shutdown', pool.submit, lib.nothing)
        flag[0] = 1
        pool.shutdown()
        self.assertEqual(running.result(), 1)
        self.assertRaises(ValueError, thrum.native.Pool, 0)
        self.assertRaisesRegex(TypeError, 'not a native task', thrum.native.Pool(1).submit, print)

    def test_as_an_executor(self):
        seen = []
        with thrum.native.Pool(2, 'worker') as pool:
            self.assertEqual(list(pool.map(lib.same_i32, range(100))), list(range(100)))
            futures = [pool.submit(lib.same_i32, i) for i in range(50)]
            for future in futures:
                future.add_done_callback(lambda future: seen.append(future.result()))
            self.assertEqual({f.result() for f in concurrent.futures.as_completed(futures)}, set(range(50)))

            async def main():
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(pool, lib.same_i32, 7)
            self.assertEqual(asyncio.run(main()), 7)
            self.assertEqual(lib.fail.submit(-1, 'x').exception().thread[:7], 'native_')
            self.assertEqual(pool.submit(lib.fail, -1, 'x').exception().thread[:7], 'worker_')
        self.assertEqual(sorted(seen), list(range(50)))

    def test_callbacks(self):
        """They may wait for tasks of their own pool, end it, and fail."""
        got, ended = [], threading.Event()
        pool = thrum.native.Pool(1)

        def again(future):
            more = [pool.submit(lib.inner, i) for i in range(5)]
            got.append([one.result() for one in reversed(more)] + [more[0].exception()])
            raise SystemExit

        def end(future):
            pool.shutdown()
            ended.set()
        flag = bytearray(1)
        first = pool.submit(lib.watch, flag)  # so that callbacks are there before the end
        second = pool.submit(lib.inner, 3)
        first.add_done_callback(again)
        second.add_done_callback(again)
        flag[0] = 1
        self.assertEqual((first.result(), second.result()), (1, 9))
        pool.submit(lib.nothing).add_done_callback(end)
        ended.wait()
        pool.shutdown()
        self.assertEqual(got, [[16, 9, 4, 1, 0, None]] * 2)

    def test_the_core_is_one(self):
        """Its locks, and tasks within tasks."""
        before = lib.add(0)
        list(map(thrum.native.NativeFuture.result, [lib.add.submit(1) for _ in range(200)]))
        self.assertEqual(lib.add(0), before + 200)
        self.assertEqual(lib.nested(9), 81)

    def test_nothing_is_kept(self):
        class Bytes(bytearray):
            pass
        data = Bytes(12)
        gone = weakref.ref(data)
        with thrum.native.Pool(1) as pool:
            future = pool.submit(lib.first_byte, data)
            future.result()
        del data
        self.assertIsNone(gone())  # though the future is there
        gone = weakref.ref(future)
        del future
        self.assertIsNone(gone())
        self.assertRaises(TypeError, lib.halve, Bytes(4), None, 0)
        error = lib.fail.submit(-22, 'x').exception()
        gone = weakref.ref(error.__traceback__.tb_frame.f_code)
        del error
        if FREE_THREADED:
            gc.collect()
        self.assertIsNone(gone())

    def test_a_dropped_pool_ends(self):
        gc.collect()
        threads, tasks = threading.active_count(), len(os.listdir('/proc/self/task'))
        pool = thrum.native.Pool(1)
        future = pool.submit(lib.same_i32, 5)
        thread = pool._completer
        del pool
        self.assertEqual(future.result(), 5)
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.assertEqual(threading.active_count(), threads)
        while len(os.listdir('/proc/self/task')) > tasks:  # the workers are gone too, or soon
            os.sched_yield()


class ProcessTests(unittest.TestCase):
    def test_exit(self):
        """What was submitted is done before the interpreter ends, and callbacks are called."""
        done = run('import sys, thrum.native\n'
                   'lib = thrum.native.load(sys.argv[1])\n'
                   'for i in range(50):\n'
                   '    lib.inner.submit(i).add_done_callback(lambda f: print(f.result()))', LIBRARY)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(sorted(map(int, done.stdout.split())), [i * i for i in range(50)])

    @unittest.skipIf('tsan' in os.environ.get('LD_PRELOAD', ''), 'it allows no threads after a fork')
    def test_fork(self):
        done = run('import os, sys, thrum.native\n'
                   'lib = thrum.native.load(sys.argv[1])\n'
                   'pool = thrum.native.Pool(1)\n'
                   'assert lib.inner(3) == 9 and pool.submit(lib.inner, 3).result() == 9\n'
                   'child = os.fork()\n'
                   'if child == 0:\n'
                   '    try:\n'
                   '        pool.submit(lib.inner, 4)\n'
                   '    except RuntimeError as error:\n'
                   '        print(error, flush=True)\n'
                   '    print(lib.inner(5), flush=True)\n'
                   'else:\n'
                   '    print(os.waitpid(child, 0)[1], lib.inner(6))', LIBRARY)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r'^thrum: thrum_submit: pool "Pool-\d+" was made before the fork.*\n$')
        self.assertEqual(done.stdout, 'cannot schedule new futures: the pool was made before a fork\n'
                                      '25\n0 36\n')

    def test_subinterpreter(self):
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            self.skipTest('no module to make interpreters with')
        other = interpreters.create(isolated=False)
        read, write = os.pipe()
        interpreters.run_string(other, 'import os, thrum.native\n'
                                       f'lib = thrum.native.load({LIBRARY!r})\n'
                                       'with thrum.native.Pool(1) as pool:\n'
                                       f'    os.write({write}, bytes([pool.submit(lib.inner, 6).result()]))')
        self.assertEqual(os.read(read, 1), b'\x24')
        interpreters.destroy(other)
        os.close(read)
        os.close(write)
        self.assertEqual(lib.inner(7), 49)

    LOAD = ('import sys, thrum.native\n'
            'lib = thrum.native.load(sys.argv[1])\n'
            'print(lib.inner(4), lib.fail.submit(-5, "x").exception().errno)')

    @unittest.skipUnless(BUILD, 'THRUM_BUILD says where libthrum is')
    def test_linked_with_the_core(self):
        dynamic = build('libdynamic.so', f'-L{BUILD}', '-lthrum', f'-Wl,-rpath,{BUILD}')
        static = build('libstatic.so', f'{BUILD}/libthrum.a', '-pthread')
        for path in (dynamic, static):
            done = run(self.LOAD, path)
            self.assertEqual((done.stdout, done.stderr), ('16 5\n', ''))

    @unittest.skipUnless(BUILD, 'THRUM_BUILD says where libthrum is')
    def test_another_core_is_refused(self):
        own = build('libown.so', f'{BUILD}/libthrum.a', '-pthread', '-Wl,-Bsymbolic')
        for path, other, env in ((own, own, {}),
                                 (LIBRARY, 'libthrum.so', {'LD_PRELOAD': f'{BUILD}/libthrum.so'})):
            done = run(self.LOAD, path, **env)
            self.assertEqual(done.stdout, '')
            self.assertRegex(done.stderr, f'ImportError: .*another copy of the core, in .*{other}')

    def test_not_a_library_of_tasks(self):
        self.assertRaises(OSError, thrum.native.load, '/nowhere/libabsent.so')
        with self.assertRaisesRegex(ImportError, 'has no tasks'):
            thrum.native.load(ctypes.util.find_library('c') or 'libc.so.6')


if __name__ == '__main__':
    unittest.main()
