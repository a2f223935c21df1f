#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No file over 400 lines, no function over 60, but for five waivers: `size waiver: reason`; no line
of C over 100 columns.

Usage: check_sizes.py [ROOT]"""

import ast
import os
import re
import sys

import csource

FILE_LINES = 400
FUNCTION_LINES = 60
COLUMNS = 100
WAIVERS = 5
ENDINGS = ('.c', '.h', '.def', '.py', '.sh', '.cmake', 'CMakeLists.txt', 'Makefile', '.map')
WAIVER = re.compile(r'^[ \t]*(?:/\*|\*|#|//)[ \t]*size waiver: *(\S.*?)[ \t]*(?:\*/)?$', re.M)


def functions(root, path, text):
    """The functions of a C or Python file, as spans that begin with their comment."""
    if path.endswith(('.c', '.h')):
        source = csource.Source(path, root)
        for span in source.functions:
            above = source.comments_above(span.first)
            yield span, above[-1].first if above else span.first
    elif path.endswith('.py'):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield csource.Span(node.name, node.lineno, node.end_lineno), node.lineno - 1


def check(root, path, waivers):
    text = open(os.path.join(root, path), encoding='utf-8').read()
    lines = text.count('\n')
    marks = {text.count('\n', 0, m.start()) + 1: m.group(1) for m in WAIVER.finditer(text)}
    waivers += [f'{path}:{line}: {reason}' for line, reason in marks.items()]
    if path.endswith(('.c', '.h')):
        for number, line in enumerate(text.split('\n'), 1):
            if len(line) > COLUMNS:
                yield f'{path}:{number}: {len(line)} columns, more than {COLUMNS}'
    spans = list(functions(root, path, text))
    outside = [n for n in marks if not any(first <= n <= s.last for s, first in spans)]
    if lines > FILE_LINES and not outside:
        yield f'{path}:1: {lines} lines, more than {FILE_LINES}'
    for span, first in spans:
        length = span.last - span.first + 1
        if length > FUNCTION_LINES and not any(first <= n <= span.last for n in marks):
            yield f'{path}:{span.first}: {span.name}() has {length} lines, more than {FUNCTION_LINES}'


def main(root='.'):
    breaches = []
    waivers = []
    paths = csource.files(root, ['.'], ENDINGS)
    for path in paths:
        breaches += check(root, path, waivers)
    for waiver in waivers:
        print(f'size waiver: {waiver}')
    if len(waivers) > WAIVERS:
        breaches.append(f'{len(waivers)} size waivers, more than {WAIVERS}')
    return csource.report('check_sizes', breaches, f'{len(paths)} files, {len(waivers)} waivers')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
