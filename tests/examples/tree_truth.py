# SPDX-License-Identifier: MIT
"""What example tree_sum has to print, found out one file after the other by find and cksum."""
import os
import shutil
import signal
import subprocess
import tempfile


class Failed(Exception):
    pass


def expect(what, condition, *details):
    if not condition:
        raise Failed(": ".join([what, *(repr(detail)[:2000] for detail in details)]))


class Tree:
    """A directory for the time of a test; names are bytes."""

    def __enter__(self):
        self.root = os.fsencode(tempfile.mkdtemp(prefix="tree_sum."))
        self.closed = []
        return self

    def __exit__(self, *_):
        for name in self.closed:
            os.chmod(self.path(name), 0o700)
        shutil.rmtree(self.root)

    def path(self, name):
        return os.path.join(self.root, name)

    def folder(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        return name

    def close(self, name, mode):
        """Takes rights from a folder; rmtree() gets them back."""
        self.closed.append(name)
        os.chmod(self.path(name), mode)

    def file(self, name, content=b"", mode=0o644):
        self.folder(os.path.dirname(name))
        with open(self.path(name), "wb") as file:
            file.write(content)
        os.chmod(self.path(name), mode)
        return name


def truth(root, cwd=None):
    """Returns [(path, checksum, size)] of the regular files below `root`, sorted by path."""
    found = subprocess.run([b"find", root, b"-type", b"f", b"-print0"], stdout=subprocess.PIPE,
                           cwd=cwd, check=True)
    entries = []
    for path in sorted(found.stdout.split(b"\0")[:-1]):
        with open(os.path.join(cwd or b"", path), "rb") as file:
            summed = subprocess.run(["cksum"], stdin=file, stdout=subprocess.PIPE, check=True)
        entries.append((path, *summed.stdout.split()[:2]))
    return entries


def as_text(entries):
    return b"".join(as_line(*entry) for entry in entries)


def as_line(path, checksum, size):
    odd = path
    for byte, escaped in ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r")):
        odd = odd.replace(byte, escaped)
    mark = b"\\" if odd != path else b""
    return b"%s%s %s %s\n" % (mark, checksum, size, odd)


def as_null(entries):
    return b"".join(b"%s %s %s\0" % (checksum, size, path) for path, checksum, size in entries)


def default_signals():
    """A shell that runs tests in the background has them ignore Ctrl-C; the program must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(command, *arguments, status=0, **options):
    """Runs the program, and returns its output and the lines of its stderr."""
    done = subprocess.run([*command, *arguments], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, timeout=120, **options)
    expect("exit code", done.returncode == status, arguments, done.returncode, done.stderr)
    return done.stdout, done.stderr.splitlines()
