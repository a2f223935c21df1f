#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the C out of documents, and compiles it.

A block ```c is a program or part of one; a block ```c prelude comes before each line of the tables
that follow it, whose second cell is the C in backquotes.

Usage: extract_c.py [--compile INCLUDE COMPILER...] DOCUMENT...   (without --compile: prints it)"""

import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r'^```c( prelude)?\n(.*?)^```', re.M | re.S)
ROW = re.compile(r'^\|((?:[^|\n]|\\\|)*)\|((?:[^|\n]|\\\|)*)\|', re.M)
FLAGS = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Wno-unused-variable',
         '-Wno-unused-but-set-variable', '-Wno-unused-function', '-fsyntax-only', '-x', 'c', '-']


def rows(text, prelude):
    """One program for each table line: its C in a function of its own."""
    for match in ROW.finditer(text):
        lines = re.findall(r'`([^`]+)`', match.group(2))
        code = ' '.join(lines).replace('\\|', '|')
        if match.group(1).strip() == 'header':
            continue
        if code and not re.search('[;}]$', code):
            code += ';'
        if code:
            yield f'{prelude}\nvoid row(void);\nvoid row(void) {{ {code} }}\n'


def programs(path):
    """(line, C) of everything that has to compile."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    prelude = ''.join(m.group(2) for m in BLOCK.finditer(text) if m.group(1))
    for match in BLOCK.finditer(text):
        if not match.group(1):
            yield text.count('\n', 0, match.start()) + 1, match.group(2)
    if prelude:
        for number, line in enumerate(text.split('\n'), 1):
            for code in rows(line, prelude):
                yield number, code


def main(arguments):
    if arguments[:1] != ['--compile']:
        for path in arguments:
            for line, code in programs(path):
                print(f'/* {path}:{line} */\n{code}')
        return 0
    include = arguments[1]
    documents = [a for a in arguments[2:] if a.endswith('.md')]
    compiler = [a for a in arguments[2:] if not a.endswith('.md')]
    failed = 0
    count = 0
    for path in documents:
        found = list(programs(path))
        if not found:
            print(f'{path}: holds no C')
            failed += 1
        for line, code in found:
            count += 1
            run = subprocess.run([*compiler, f'-I{include}', *FLAGS], input=code, text=True,
                                 cwd=tempfile.gettempdir(), stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
            if run.returncode:
                failed += 1
                print(f'{path}:{line}: does not compile:\n{code}\n{run.stdout}')
    print(f'extract_c: {count} pieces of C, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
