#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a man page for each public function from the contract above its declaration.

Usage: doc_from_headers.py [--version V] [--date YYYY-MM-DD] OUT HEADER..."""

import argparse
import os
import re
import sys

import csource

DECLARATION = re.compile(r'\bTHRUM_API\b[^;{}]*?\b(\w+)\s*\([^;{}]*;')
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+((?:thrum|THRUM)_[a-zA-Z]\w*)\(([^)]*)\)', re.M)
ATTRIBUTES = re.compile(r'\b(?:THRUM_API|THRUM_NODISCARD|THRUM_PRINTF\([^)]*\))')


class Declaration:
    """A public function: its name, line, prototype and contract (None if it has none)."""

    def __init__(self, name, line, prototype, comment):
        self.name, self.line, self.prototype, self.comment = name, line, prototype, comment


def contract(source, line, previous):
    """The comment directly above; else that of the declaration directly above."""
    above = source.comments_above(line)
    if above:
        return above[0].name
    if previous and previous[1] == line - 1:
        return previous[0].comment
    return None


def declarations(source):
    """The functions that THRUM_API marks, in order."""
    found = []
    previous = None
    for match in DECLARATION.finditer(source.plain):
        line = source.line(match.start())
        prototype = re.sub(r'\s+', ' ', ATTRIBUTES.sub(' ', match.group())).strip()
        prototype = prototype.replace(' ;', ';').replace('( ', '(')
        item = Declaration(match.group(1), line, prototype, contract(source, line, previous))
        previous = (item, source.line(match.end() - 1))
        found.append(item)
    return found


def macros(source):
    """The function-like macros that are documented."""
    found = []
    previous = None
    for match in MACRO.finditer(source.code):
        line = source.line(match.start())
        item = Declaration(match.group(1), line, f'{match.group(1)}({match.group(2)})',
                           contract(source, line, previous))
        previous = (item, source.line(match.end()))
        if item.comment:
            found.append(item)
    return found


def escape(text):
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return re.sub(r"^(['.])", r'\\&\1', text)


def body(comment):
    """The contract as roff: paragraphs, and indented lines as they are."""
    out = []
    verbatim = False
    for line in csource.paragraphs(comment):
        if line.startswith('    ') != verbatim and line:
            verbatim = not verbatim
            out.append('.PP\n.nf' if verbatim else '.fi')
        if not line:
            out.append('' if verbatim else '.PP')
        else:
            out.append(escape(line if verbatim else line.strip()))
    if verbatim:
        out.append('.fi')
    while out and out[-1] in ('.PP', ''):
        out.pop()
    return '\n'.join(out)


def wrap(prototype):
    """A prototype in lines of at most 76, broken after commas."""
    lines = ['']
    for part in re.split(r'(?<=,) ', prototype):
        if lines[-1] and len(lines[-1]) + 1 + len(part) > 76:
            lines.append('    ' + part)
        else:
            lines[-1] = (lines[-1] + ' ' + part).strip()
    return lines


def page(item, header, siblings, options):
    summary = re.split(r'(?<=[.:;]) ', csource.words(item.comment))[0].rstrip('.:;')
    out = [f'.TH {item.name.upper()} 3 {options.date} "thrum {options.version}"',
           '.SH NAME', f'{item.name} \\- {escape(summary)}', '.SH SYNOPSIS', '.nf',
           f'.B #include <{header}>', '.PP']
    out += ['.B ' + escape(line).replace('    ', '\\ \\ \\ \\ ') for line in wrap(item.prototype)]
    out += ['.fi', '.SH DESCRIPTION', body(item.comment)]
    names = [name for name in siblings if name != item.name]
    if names:
        out.append('.SH SEE ALSO')
        out += [f'.BR {name} (3){"," if name != names[-1] else ""}' for name in names]
    return '\n'.join(out) + '\n'


def main(options):
    folder = os.path.join(options.out, 'man3')
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        os.unlink(os.path.join(folder, old))
    missing = []
    for path in options.headers:
        source = csource.Source(path)
        items = {i.name: i for i in macros(source) + declarations(source)
                 if not i.name.startswith('thrum__')}
        missing += [f'{path}:{i.line}: {i.name}() has no contract' for i in items.values()
                    if not i.comment]
        for item in items.values():
            if item.comment:
                header = 'thrum/' + os.path.basename(path)
                with open(os.path.join(folder, item.name + '.3'), 'w', encoding='utf-8') as out:
                    out.write(page(item, header, sorted(items), options))
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--version', default='')
    parser.add_argument('--date', default='2026-11-21')
    parser.add_argument('out')
    parser.add_argument('headers', nargs='+')
    sys.exit(main(parser.parse_args()))
