# SPDX-License-Identifier: MIT
"""tree_sum_signals.py COMMAND...: progress on a terminal, and signals in the middle of the work.

A file of many gigabytes that takes no place on the disk keeps a worker busy for as long as needed.
"""
import os
import re
import select
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from tree_truth import Failed, Tree, as_text, default_signals, expect, run, truth  # noqa: E402

COMMAND = sys.argv[1:]
LONG = 120  # seconds; only a program that hangs needs them
DRAWN = re.compile(rb"(\d+) files, \d+\.\d MB, \d+\.\d MB/s, (?:at least )?\d+ s left")
PROCESSES = ["--processes"]
# An emulated program does not start itself anew.
MODES = ([], ["--pool"], PROCESSES) if len(COMMAND) == 1 else ([], ["--pool"])
CLEAR = b"\r\033[K"


class Run:
    """The program with a terminal as its stderr."""

    def __init__(self, *arguments):
        self.terminal, slave = os.openpty()
        self.shown = b""
        self.process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=slave,
                                        preexec_fn=default_signals)
        os.close(slave)

    def read_terminal(self):
        """Returns whether there may be more."""
        if not select.select([self.terminal], [], [], LONG)[0]:
            raise Failed(f"nothing more is shown after {self.shown!r}")
        try:
            more = os.read(self.terminal, 65536)
        except OSError:  # what Linux says at the end of a terminal
            more = b""
        self.shown += more
        return more != b""

    def wait_until_drawn(self, files):
        while not any(int(shown) >= files for shown in DRAWN.findall(self.shown)):
            expect("the program ended", self.read_terminal(), self.shown)

    def threads(self):
        """Returns the names of the program's threads, cut to 15 bytes."""
        directory = f"/proc/{self.process.pid}/task"
        names = []
        for thread in os.listdir(directory):
            try:
                with open(f"{directory}/{thread}/comm", encoding="utf-8") as name:
                    names.append(name.read().strip())
            except (FileNotFoundError, ProcessLookupError):
                pass  # a thread that has ended
        return names

    def end(self):
        """Returns exit code, output, and what the terminal showed."""
        try:
            while self.read_terminal():
                pass
            output = self.process.communicate(timeout=LONG)[0]
        finally:
            self.process.kill()
            os.close(self.terminal)
        return self.process.returncode, output, self.shown


def endless(tree, name):
    tree.file(name)
    for bits in (42, 40, 38, 36):
        try:
            os.truncate(tree.path(name), 1 << bits)
            return True
        except OSError:
            pass
    print("skipped: stopping in the middle, this file system has no room for a large empty file")
    return False


def check_stop(tree, small, number, workers, mode):
    # With two workers the small files are done whatever the order; with one perhaps none is. Processes
    # are sent some tasks ahead, which wait there for the large file.
    jobs = 1 if mode == PROCESSES else workers
    started = Run("-j", str(workers), *mode, tree.root)
    started.wait_until_drawn(len(small) if jobs > 1 else 0)
    if jobs > 1:  # then one reads the large file
        threads = started.threads()
        expect("who reads", any(name.startswith("Pool-1_") for name in threads) == bool(mode),
               mode, threads)
    started.process.send_signal(number)
    status, output, shown = started.end()
    expect("exit code", status == 128 + number, status, shown)
    lines = output.splitlines(keepends=True)
    known = as_text(small).splitlines(keepends=True)
    if jobs > 1:
        expect("the small files", lines == known, output)
    expect("a subset in order", [line for line in known if line in lines] == lines, output)
    expect("the line is cleared", CLEAR + b"tree_sum: %d files, " % len(lines) in shown and
           shown.endswith(b"; stopped\r\n"), shown)


def check_stops():
    with Tree() as tree:
        if not endless(tree, b"m"):
            return
        small = [tree.file(name, name) for name in (b"a", b"b", b"y", b"z")]
        entries = [entry for name in small for entry in truth(tree.path(name))]
        for jobs in (1, 2, 8):
            for number in (signal.SIGINT, signal.SIGTERM):
                for mode in MODES:
                    check_stop(tree, entries, number, jobs, mode)


def check_progress():
    """A run of any length draws nothing that it does not clear, and says the same in the end."""
    with Tree() as tree:
        tree.file(b"a", b"a")
        tree.file(b"zeros")
        os.truncate(tree.path(b"zeros"), 1 << 28)
        wanted, _ = run(COMMAND, tree.root)
        for mode in MODES:
            status, output, shown = Run(*mode, tree.root).end()
            expect("exit code", status == 0, status, shown)
            expect("the same on a terminal", output == wanted, output)
            parts = shown.split(CLEAR)
            expect("progress", all(DRAWN.fullmatch(part) for part in parts[1:-1]), shown)
            expect("summary", parts[0] == b"" and parts[-1].startswith(b"tree_sum: 2 files, "),
                   shown)


def check_second_signal():
    """Results that nobody reads fill the pipe; the first signal does not help then, the second does."""
    with Tree() as tree:
        for number in range(2000):
            tree.file(b"%0200d" % number)
        for mode in MODES:
            interrupt_twice(subprocess.Popen([*COMMAND, *mode, tree.root], stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL,
                                             preexec_fn=default_signals))


def interrupt_twice(process):
    try:
        expect("nothing is printed", select.select([process.stdout], [], [], LONG)[0])
        for _ in range(20 * LONG):
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                pass
        expect("exit code", process.returncode == -signal.SIGINT, process.returncode)
    finally:
        process.kill()
        process.stdout.close()


def main():
    os.environ["LC_ALL"] = "C"
    try:
        check_progress()
        check_stops()
        check_second_signal()
    except Failed as failed:
        sys.exit(f"tree_sum_signals.py: {failed}")


if __name__ == "__main__":
    main()
