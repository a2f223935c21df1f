#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every atomic that is not relaxed has a comment `pairs with f(), g()`, and f and g name it back.

Usage: check_pairs.py [ROOT]"""

import os
import re
import sys

import csource

ORDER = re.compile(r'_(?:acquire|release|acq_rel|seq_cst)$')
BUILTIN = r'\b__ATOMIC_(?:CONSUME|ACQUIRE|RELEASE|ACQ_REL|SEQ_CST)\b'
FORBIDDEN = re.compile(r'\b(?:__atomic_thread_fence|__atomic_signal_fence|atomic_\w+|_Atomic|'
                       r'__sync_\w+)\b')
ATOMICS = os.path.join('src', 'base', 'atomic.h')


def partners(comments):
    """The functions named after `pairs with` in these comments."""
    names = set()
    for comment in comments:
        for match in re.finditer(r'pairs with ((?:[^.;]|\.\w)*)', csource.words(comment.name)):
            names.update(re.findall(r'(\w+)\(\)', match.group(1)))
    return names


def statement(source, offset):
    """The first line of the statement that holds `offset`."""
    start = max(source.plain.rfind(mark, 0, offset) for mark in ';{}') + 1
    while start < offset and source.plain[start].isspace():
        start += 1
    return source.line(start)


def beside(source, offset):
    """The comments directly above the statement at `offset`, or inside it up to this line."""
    first = statement(source, offset)
    inside = source.comments_in(first, source.line(offset))
    return inside + source.comments_above(first)


def comments_of(source, span):
    return source.comments_in(span.first, span.last) + source.comments_above(span.first)


def check(source, pattern, definitions):
    """Yields the line and the text of each breach."""
    seen = set()
    for match in FORBIDDEN.finditer(source.code):
        yield source.line(match.start()), f'{match.group()}: fences and other atomics are not used'
    for match in pattern.finditer(source.plain):
        line = source.line(match.start())
        here = source.enclosing(line)
        names = partners(beside(source, match.start()))
        if not here:
            yield line, 'an atomic outside a function'
        elif not names:
            yield line, f'{match.group()} in {here.name}() names no partner: pairs with f()'
        for name in sorted(names):
            if not here or (line, name) in seen:
                continue
            seen.add((line, name))
            if name not in definitions:
                yield line, f'{here.name}() pairs with {name}(), which is not defined'
            elif not any(here.name in partners(comments_of(*place))
                         for place in definitions[name]):
                yield line, f'{here.name}() pairs with {name}(), which does not name it back'


def main(root='.'):
    sources = [csource.Source(path, root)
               for path in csource.files(root, ['src', 'process', 'include'], ('.c', '.h'))]
    definitions = {}
    macros = []
    for source in sources:
        for span in source.functions + source.macros:
            definitions.setdefault(span.name, []).append((source, span))
        if source.path == ATOMICS:
            macros = [m.name for m in source.macros if ORDER.search(m.name)]
    pattern = re.compile('|'.join([BUILTIN] + [rf'\b{name}(?=\s*\()' for name in macros]))
    breaches = []
    count = 0
    for source in sources:
        if source.path == ATOMICS:
            continue
        count += len(pattern.findall(source.plain))
        breaches += [f'{source.path}:{line}: {what}'
                     for line, what in check(source, pattern, definitions)]
    return csource.report('check_pairs', breaches, f'{count} orderings')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
