#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every public function has its contract, every public header its spec and its row in the
dictionary, and links in documents lead somewhere.

Usage: check_contracts.py [ROOT]"""

import os
import re
import sys

import csource
import doc_from_headers

NO_CONCEPT = ('config', 'inline')
LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)')


def check_header(root, path, dictionary):
    source = csource.Source(path, root)
    for function in doc_from_headers.declarations(source):
        if not function.comment and not function.name.startswith('thrum__'):
            yield f'{path}:{function.line}: {function.name}() has no contract above it'
    name = os.path.basename(path)[:-2]
    if os.path.dirname(path) == os.path.join('include', 'thrum') and name not in NO_CONCEPT:
        if not os.path.exists(os.path.join(root, 'tests', 'spec', name + '.c')):
            yield f'{path}:1: no tests/spec/{name}.c'
        if not re.search(rf'^\|.*\bthrum/{name}\.h\b', dictionary, re.M):
            yield f'{path}:1: no row with thrum/{name}.h in docs/python-to-c.md'


def check_links(root, path):
    text = open(os.path.join(root, path), encoding='utf-8').read()
    for match in LINK.finditer(text):
        target = match.group(1)
        if re.match(r'[a-z]+:', target):
            continue
        if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
            line = text.count('\n', 0, match.start()) + 1
            yield f'{path}:{line}: link to {target}, which does not exist'


def main(root='.'):
    breaches = []
    dictionary_path = os.path.join(root, 'docs', 'python-to-c.md')
    dictionary = ''
    if os.path.exists(dictionary_path):
        dictionary = open(dictionary_path, encoding='utf-8').read()
    headers = csource.files(root, ['include'], ('.h',))
    for path in headers:
        breaches += check_header(root, path, dictionary)
    documents = csource.files(root, ['.'], ('.md',))
    for path in documents:
        breaches += check_links(root, path)
    return csource.report('check_contracts', breaches,
                          f'{len(headers)} headers, {len(documents)} documents')


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
