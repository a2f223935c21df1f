#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared library exports what src/thrum.map lists, the map lists what the headers declare, and
the static library defines nothing without our prefix.

Usage: check_symbols.py [--build BUILD] [ROOT]"""

import argparse
import os
import re
import subprocess
import sys

import csource
import doc_from_headers

TOOLCHAIN = re.compile(r'^(?:DW\.ref\.|__odr_asan|__asan|__tsan|__ubsan|__start_|__stop_)')
DATA = {'thrum__tls_id'}  # read by the assembly of inline.h, declared nowhere


def defined(*arguments):
    """The names that nm prints, without versions; no absolute symbols (those are the map's nodes)."""
    lines = subprocess.run(['nm', '--defined-only', *arguments], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split('\n')
    rows = [line.split() for line in lines]
    return {row[-1].split('@')[0] for row in rows if len(row) >= 3 and row[-2] != 'A'}


def listed(root):
    text = open(os.path.join(root, 'src', 'thrum.map'), encoding='utf-8').read()
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    globals_ = ''.join(re.findall(r'global:(.*?)(?:local:|\})', text, re.S))
    return set(re.findall(r'([\w*]+);', globals_))


def declared(root):
    names = set()
    for path in csource.files(root, ['include'], ('.h',)):
        names |= {d.name for d in doc_from_headers.declarations(csource.Source(path, root))}
    return names


def difference(left, left_name, right, right_name):
    return [f'{name}: in {left_name}, not in {right_name}' for name in sorted(left - right)]


def main(root, build):
    names = listed(root)
    header = declared(root)
    exported = defined('-D', os.path.join(build, 'libthrum.so'))
    breaches = difference(names - DATA, 'src/thrum.map', header, 'the headers')
    breaches += difference(header, 'the headers', names, 'src/thrum.map')
    breaches += difference(names, 'src/thrum.map', exported, 'libthrum.so')
    breaches += difference(exported, 'libthrum.so', names, 'src/thrum.map')
    static = defined('-g', os.path.join(build, 'libthrum.a'))
    breaches += [f'{name}: libthrum.a defines it, without our prefix' for name in sorted(static)
                 if not name.startswith('thrum_') and not TOOLCHAIN.match(name)]
    return csource.report('check_symbols', breaches, f'{len(exported)} exported symbols')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', default='build')
    parser.add_argument('root', nargs='?', default='.')
    options = parser.parse_args()
    sys.exit(main(options.root, options.build))
