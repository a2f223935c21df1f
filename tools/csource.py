# SPDX-License-Identifier: MIT
"""Reads C source well enough for the checks: comments, functions, declarations, by line number."""

import bisect
import os
import re

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
ATTRIBUTE = re.compile(r'__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)')
PREPROCESSOR = re.compile(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', re.M)
MACRO = re.compile(r'^[ \t]*#[ \t]*define[ \t]+(\w+)(\()?(?:[^\n]*\\\n)*[^\n]*', re.M)


def blank(text):
    return re.sub(r'[^\n]', ' ', text)


class Span:
    """A named piece of a file: its first and last line, from 1."""

    def __init__(self, name, first, last):
        self.name, self.first, self.last = name, first, last


class Source:
    """One C file: `text`, `code` (comments and strings blanked), `plain` (preprocessor lines too)."""

    def __init__(self, path, root='.'):
        self.path = path
        with open(os.path.join(root, path), encoding='utf-8') as file:
            self.text = file.read()
        self.starts = [0] + [m.end() for m in re.finditer('\n', self.text)]
        self.comments = []
        self.code = TOKEN.sub(self._token, self.text)
        self.plain = PREPROCESSOR.sub(lambda m: blank(m.group()), self.code)
        self.macros = [Span(m.group(1), self.line(m.start()), self.line(m.end()))
                       for m in MACRO.finditer(self.code) if m.group(2)]
        self.functions = list(self._functions())

    def _token(self, match):
        if match.group()[0] == '/':
            self.comments.append(Span(match.group(), self.line(match.start()),
                                      self.line(match.end() - 1)))
        return blank(match.group())

    def line(self, offset):
        return bisect.bisect_right(self.starts, offset)

    def _functions(self):
        depth = 0
        start = 0
        name = None
        for match in re.finditer(r'[{};]', self.plain):
            if match.group() == '{':
                if depth == 0:
                    name = self._definition(self.plain[start:match.start()])
                    first = start + len(self.plain[start:match.start()]) - \
                        len(self.plain[start:match.start()].lstrip())
                depth += 1
            elif match.group() == '}':
                depth -= 1
                if depth == 0:
                    if name:
                        yield Span(name, self.line(first), self.line(match.start()))
                    start = match.end()
            elif depth == 0:
                start = match.end()

    @staticmethod
    def _definition(head):
        head = ATTRIBUTE.sub(' ', head)
        match = re.search(r'(\w+)\s*\(', head)
        if not match or '=' in head or re.match(r'\s*typedef\b', head):
            return None
        return match.group(1)

    def comments_above(self, line):
        """The comments that end directly above `line`, without a blank line between."""
        found = []
        for comment in reversed(self.comments):
            if comment.last == line - 1 and self.code_between(comment) == '':
                found.append(comment)
                line = comment.first
        return found

    def code_between(self, comment):
        """What code shares the lines of `comment`."""
        lines = self.code.split('\n')[comment.first - 1:comment.last]
        return ''.join(lines).strip()

    def comments_in(self, first, last):
        return [c for c in self.comments if c.last >= first and c.first <= last]

    def enclosing(self, line):
        for span in self.functions + self.macros:
            if span.first <= line <= span.last:
                return span
        return None


def words(comment):
    """The text of a comment without its marks, as one line."""
    text = re.sub(r'^/\*+|\*+/$|^//', '', comment.strip())
    return re.sub(r'\s+', ' ', re.sub(r'\n[ \t]*\*', '\n', text)).strip()


def paragraphs(comment):
    """The text of a comment by line, marks removed, indentation after the mark kept."""
    text = re.sub(r'^/\*+ ?|[ \n]*\*+/$', '', comment.strip())
    return [re.sub(r'^[ \t]*\* ?', '', line).rstrip() for line in text.split('\n')]


def files(root, folders, endings):
    """Paths below `root`, sorted, of the files in `folders` whose names end so."""
    found = []
    for folder in folders:
        for here, inner, names in os.walk(os.path.join(root, folder)):
            inner[:] = sorted(d for d in inner
                              if d not in ('.git', '__pycache__') and not d.startswith('build'))
            for name in sorted(names):
                if name.endswith(endings):
                    found.append(os.path.relpath(os.path.join(here, name), root))
    return sorted(set(found))


def report(tool, breaches, counted):
    """Prints the breaches and a closing line; returns the exit status."""
    for breach in breaches:
        print(breach)
    print(f'{tool}: {counted}, {len(breaches)} breaches')
    return 1 if breaches else 0
