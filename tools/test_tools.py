#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each check of tools/ passes a tiny good tree and fails each bad one, with the right words."""

import os
import subprocess
import sys
import tempfile
import unittest

TOOLS = os.path.dirname(os.path.abspath(__file__))
CONTRACT = '/* Takes `x`. Never fails. */\n'
ATOMIC = '#define thrum__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)\n'
GIVE = 'void give(void) {\n    /* release: pairs with take() */\n    thrum__store_release(&w, 1);\n}\n'
TAKE = ('int take(void) {\n    /* acquire: pairs with give() */\n'
        '    return __atomic_load_n(&w, __ATOMIC_ACQUIRE);\n}\n')
GOOD = {
    'include/thrum/x.h': CONTRACT + 'THRUM_API void thrum_x_take(int x);\n',
    'include/thrum.h': '#include <thrum/x.h>\n',
    'tests/spec/x.c': 'int main(void) { return 0; /* sleep(1) */ }\n',
    'docs/python-to-c.md': '| Python | C |\n| `thrum/x.h` | |\n[x](../include/thrum/x.h)\n',
    'src/base/atomic.h': ATOMIC,
    'src/sync/x.c': '#include "base/atomic.h"\n#include <thrum/x.h>\nstatic int w;\n' + GIVE + TAKE,
    'src/thrum.map': 'THRUM_0.1 { global: thrum_x_take; thrum__tls_id; local: *; };\n',
}


class Tree(unittest.TestCase):
    def run_tool(self, tool, changes, *arguments):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changes}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                if text is not None:
                    with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                        file.write(text)
            return subprocess.run([sys.executable, os.path.join(TOOLS, tool), *arguments], cwd=root,
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def good(self, tool, changes=None, *arguments):
        run = self.run_tool(tool, changes or {}, *arguments)
        self.assertEqual(run.returncode, 0, run.stdout)

    def bad(self, tool, changes, message, *arguments):
        run = self.run_tool(tool, changes, *arguments)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn(message, run.stdout)
        self.assertNotIn('Traceback', run.stdout)

    def test_floors(self):
        tool = 'check_floors.py'
        self.good(tool)
        self.bad(tool, {'src/base/y.c': '#include "sync/y.h"\n', 'src/sync/y.h': ''},
                 'src/base/y.c:1: sync/y.h: floor 0 includes floor 2')
        self.bad(tool, {'src/shared/y.c': '#include "sync/y.h"\n', 'src/sync/y.h': ''},
                 'src/shared/y.c:1: sync/y.h: the two halves of a floor')
        self.bad(tool, {'bench/y.c': '\n#include "base/atomic.h"\n'}, 'bench/y.c:2: base/atomic.h')
        self.bad(tool, {'include/thrum/x.h': '#include "base/atomic.h"\n'}, 'a public header')
        self.bad(tool, {'src/attic/y.c': ''}, 'not on a floor')
        self.bad(tool, {'src/sync/y.c': '#include "x.h"\n'}, 'write internal includes')

    def test_pairs(self):
        tool = 'check_pairs.py'
        head = GOOD['src/sync/x.c'].replace(GIVE + TAKE, '')
        self.good(tool)
        self.bad(tool, {'src/sync/x.c': head + GIVE.replace('pairs with take()', 'goes') + TAKE},
                 'give() names no partner')
        self.bad(tool, {'src/sync/x.c': head + GIVE},
                 'src/sync/x.c:6: give() pairs with take(), which is not defined')
        self.bad(tool, {'src/sync/x.c': head + GIVE + TAKE.replace('give()', 'take()')},
                 'give() pairs with take(), which does not name it back')
        self.bad(tool, {'src/sync/x.c': head + GIVE + TAKE.replace(
            'return', '__atomic_thread_fence(5);\n    return')}, 'fences')
        self.good(tool, {'src/sync/x.c': head + GIVE + TAKE.replace(
            'return __atomic', 'return 0 ||\n        __atomic')})
        self.bad(tool, {'src/sync/x.c': head + GIVE + TAKE.replace('return', 'w = 2;\n    return')},
                 'take() names no partner')

    def test_sizes(self):
        tool = 'check_sizes.py'
        long_function = 'void f(void) {\n' + '    g();\n' * 60 + '}\n'
        self.good(tool)
        self.bad(tool, {'src/sync/y.c': '\n' * 401}, 'src/sync/y.c:1: 401 lines')
        self.bad(tool, {'src/sync/y.c': long_function}, 'src/sync/y.c:1: f() has 62 lines')
        self.good(tool, {'src/sync/y.h': '/*' + 'x' * 96 + '*/\n'})
        self.bad(tool, {'src/sync/y.h': '\n/*' + 'x' * 97 + '*/\n'}, 'src/sync/y.h:2: 101 columns')
        self.bad(tool, {'tools/y.py': 'def f():\n' + '    pass\n' * 60}, 'f() has 61 lines')
        waived = '/* size waiver: it is one table */\n' + long_function
        self.good(tool, {'src/sync/y.c': waived})
        self.bad(tool, {f'src/sync/y{i}.c': waived for i in range(6)}, '6 size waivers')

    def test_contracts(self):
        tool = 'check_contracts.py'
        header = GOOD['include/thrum/x.h']
        self.good(tool)
        self.good(tool, {'include/thrum/x.h': header + 'THRUM_API void thrum_x_give(int x);\n'})
        self.bad(tool, {'include/thrum/x.h': header + '\nTHRUM_API void thrum_x_give(int x);\n'},
                 'include/thrum/x.h:4: thrum_x_give() has no contract')
        self.bad(tool, {'tests/spec/x.c': None}, 'no tests/spec/x.c')
        self.bad(tool, {'docs/python-to-c.md': ''}, 'no row with thrum/x.h')
        self.bad(tool, {'README.md': '\n[y](docs/y.md)\n'}, 'README.md:2: link to docs/y.md')

    def test_sleep(self):
        tool = 'check_sleep.py'
        self.good(tool)
        self.good(tool, {'tests/stress/y.c': 'sleep(1);\n', 'tests/spec/time.c': 'thrum_sleep(1);\n'})
        self.bad(tool, {'tests/unit/y.c': '\nusleep(1);\n'}, 'tests/unit/y.c:2: a test sleeps')
        self.bad(tool, {'tests/unit/y.c': 'thrum_sleep(0.1);\n'}, 'tests/unit/y.c:1')
        self.bad(tool, {'tests/a/y.py': 'time.sleep(1)\n'}, 'tests/a/y.py:1')
        self.bad(tool, {'tests/a/y.sh': 'sleep 1\n'}, 'tests/a/y.sh:1')

    def test_symbols(self):
        good = 'void thrum_x_take(int x) { (void)x; }\n__thread int thrum__tls_id;\n'
        cases = [(good, '', None),
                 (good + 'void thrum_more(void) {}\n', '', 'thrum_more: in libthrum.so'),
                 ('int thrum__tls_id;\n', '', 'thrum_x_take: in src/thrum.map, not in libthrum.so'),
                 (good, 'void bare(void) {}\n', 'bare: libthrum.a defines it'),
                 (good, 'void thrum_inner(void) {}\n', None)]
        for shared, extra, message in cases:
            with tempfile.TemporaryDirectory() as build:
                script = ('printf %s "$1" | cc -x c -fPIC -shared -o libthrum.so - && '
                          'printf %s "$1$2" | cc -x c -c -o x.o - && ar rc libthrum.a x.o')
                subprocess.run(['sh', '-c', script, 'sh', shared, extra], cwd=build, check=True)
                if message:
                    self.bad('check_symbols.py', {}, message, '--build', build)
                else:
                    self.good('check_symbols.py', {}, '--build', build)
        with tempfile.TemporaryDirectory() as build:
            subprocess.run(['sh', '-c', script, 'sh', good, ''], cwd=build, check=True)
            self.bad('check_symbols.py', {'src/thrum.map': 'T { global: thrum__tls_id; };\n'},
                     'thrum_x_take: in the headers, not in src/thrum.map', '--build', build)

    def test_doc_from_headers(self):
        tool, path = 'doc_from_headers.py', 'include/thrum/x.h'
        self.good(tool, {}, 'out', path)
        self.bad(tool, {path: 'THRUM_API void thrum_y(int y);\n'}, 'no contract', 'out', path)

    def test_extract_c(self):
        tool, path = 'extract_c.py', 'docs/y.md'
        text = '```c prelude\nint a;\n```\n| Python | C |\n| `a = 1` | `a = 1` |\n'
        arguments = ['--compile', '.', 'cc', path]
        self.good(tool, {path: text}, *arguments)
        self.bad(tool, {path: text.replace('| `a = 1` |\n', '| `b = 1` |\n')},
                 'docs/y.md:5: does not compile', *arguments)
        self.bad(tool, {path: '```c\nint main(void) { return x; }\n```\n'}, 'docs/y.md:1', *arguments)
        self.bad(tool, {path: 'words\n'}, 'holds no C', *arguments)


if __name__ == '__main__':
    unittest.main()
