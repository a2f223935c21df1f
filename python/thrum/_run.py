# SPDX-License-Identifier: MIT
"""Run a program with thrum's types in the place of the standard modules' own.

Usage: python3 -m thrum SCRIPT [ARGS]
       python3 -m thrum -m MODULE [ARGS]
       python3 -m thrum -c COMMAND [ARGS]"""

import linecache
import os
import pkgutil
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


def call(function, *args):
    """Call what runs the program; a traceback begins there."""
    try:
        function(*args)
    except SystemExit:
        raise
    except KeyboardInterrupt as error:  # the interpreter ends as if by the signal, and has nothing to add
        show(error, error.__traceback__.tb_next)
        sys.excepthook = lambda *args: None
        raise
    except BaseException as error:
        show(error, error.__traceback__.tb_next)
        sys.exit(1)


def run(text, name, path):
    """Run the text of a program."""
    try:
        code = compile(text, name, 'exec', dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        show(error, None)
        sys.exit(1)
    call(exec, code, main_module(path))


def run_main(module, *args):
    """Run a module as the interpreter does, which has no public name for that."""
    main_module(None)
    call(runpy._run_module_as_main, module, *args)


def find_first(path, always=False):
    """Have modules looked for there before all other places, if the interpreter would."""
    if not sys.flags.safe_path:
        sys.path[0] = path
    elif always:
        sys.path.insert(0, path)


def run_script(path):
    try:
        path = os.path.join(os.getcwd(), path)
    except OSError:  # the folder is gone
        pass
    if pkgutil.get_importer(path) is not None:  # a directory, or a zip file
        find_first(path, always=True)
        run_main('__main__', False)
        return
    try:
        with open(path, 'rb') as file:
            text = file.read()
    except OSError as error:
        refuse(f"can't open file {path!r}: [Errno {error.errno}] {error.strerror}")
    find_first(os.path.dirname(os.path.realpath(path)))
    run(text, path, path)


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
        run_main(args[1])
    elif args[0] == '-c':
        sys.argv = ['-c'] + args[2:]
        find_first('')
        if sys.version_info >= (3, 13):  # whose tracebacks show lines of it
            linecache.cache['<string>'] = len(args[1]), None, args[1].splitlines(True), '<string>'
        run(args[1], '<string>', None)
    elif args[0].startswith('-'):
        refuse(f'unknown option {args[0]}')
    else:
        sys.argv = args
        run_script(args[0])
