# SPDX-License-Identifier: MIT
"""Run a program with thrum's types in the place of the standard modules' own.

Usage: python3 -m thrum SCRIPT [ARGS]
       python3 -m thrum -m MODULE [ARGS]
       python3 -m thrum -c COMMAND [ARGS]"""

import os
import runpy
import sys

import thrum


def refuse(text):
    print(f'thrum: {text}', file=sys.stderr)
    sys.exit(2)


def main_module(path):
    """The dictionary of __main__, as the program expects to find it."""
    names = sys.modules['__main__'].__dict__
    for name in [name for name in names if name not in ('__name__', '__builtins__')]:
        del names[name]
    names.update(__doc__=None, __loader__=None, __package__=None, __spec__=None)
    if path is not None:
        names['__file__'] = path
    return names


def show(error, traceback):
    """What the interpreter does with an exception that nobody caught."""
    error.__traceback__ = traceback
    sys.excepthook(type(error), error, traceback)


def run(code, path):
    """Run the program; a traceback begins with its own first line."""
    try:
        exec(code, main_module(path))
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        show(error, error.__traceback__.tb_next)
        sys.exit(1)


def run_script(path):
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        sys.path[0] = path
        runpy.run_path(path, run_name='__main__')
        return
    try:
        with open(path, 'rb') as file:
            text = file.read()
    except OSError as error:
        refuse(f"can't open file {path!r}: {error.strerror}")
    try:
        code = compile(text, path, 'exec', dont_inherit=True)
    except SyntaxError as error:
        show(error, None)
        sys.exit(1)
    run(code, path)


def main():
    args = sys.argv[1:]
    if not args or args[0] in ('-h', '--help'):
        print(__doc__)
        sys.exit(0 if args else 2)
    thrum.install()
    if args[0] in ('-m', '-c') and len(args) == 1:
        refuse(f'{args[0]} needs an argument')
    if args[0] == '-m':
        sys.argv = args[1:]
        runpy.run_module(args[1], run_name='__main__', alter_sys=True)
    elif args[0] == '-c':
        sys.argv = ['-c'] + args[2:]
        run(compile(args[1], '<string>', 'exec', dont_inherit=True), None)
    elif args[0].startswith('-'):
        refuse(f'unknown option {args[0]}')
    else:
        sys.argv = args
        run_script(args[0])
