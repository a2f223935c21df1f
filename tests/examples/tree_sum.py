# SPDX-License-Identifier: MIT
"""tree_sum.py COMMAND...: compares the output of example tree_sum with that of find and cksum."""
import ctypes
import os
import re
import socket
import sys

sys.dont_write_bytecode = True
from tree_truth import Failed, Tree, as_null, as_text, expect, run, truth  # noqa: E402

COMMAND = sys.argv[1:]
EMULATED = len(COMMAND) > 1  # such a program does not start itself anew
PROCESSES = [] if EMULATED else [["-Pj1"], ["-j2", "-P"], ["--processes", "--jobs=5"]]
SUMMARY = re.compile(rb"tree_sum: (\d+) files, (\d+) bytes in \d+\.\d\d s, .* MB/s; "
                     rb"(\d+) links not followed, (\d+) not read")
NAMES = [b"plain", b"with space", b" ", b"new\nline", b"\n", b"return\rhere", b"back\\slash", b"\\n",
         b"tab\t", b"latin \xe4\xff", b"\xff", b"utf-8 \xc3\xa4", b"-dash", b"--help", b"*", b"'\"",
         b"\x1b[31m", b".hidden", b"s.x", b"s0", b"S", b"s/x", b"s/\xff/y", b"-d/-e", b"new\nfolder/x",
         b"folder with space/x", b"/".join([b"deep"] * 50) + b"/x", b"n" * 255]
SIZES = [0, 1, 2, 7, 8, 9, 255, 256, 257, 65535, 65536, 65537, 1000000]


def fill(tree):
    """Returns the number of symbolic links."""
    for number, name in enumerate(NAMES):
        tree.file(name, bytes([number]) * number + name)
    for size in SIZES:
        tree.file(b"sizes/%d" % size, bytes(i * i % 251 for i in range(size)))
    tree.folder(b"an empty folder")
    os.link(tree.path(b"plain"), tree.path(b"a hard link"))
    links = {b"to a file": b"plain", b"to a folder": b"s", b"dangling": b"nowhere",
             b"to itself": b"to itself", b"s/to its parent": b".."}
    for name, target in links.items():
        os.symlink(target, tree.path(name))
    os.mkfifo(tree.path(b"fifo"))
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(tree.path(b"socket"))
    return len(links)


def check_summary(line, entries, links, failures):
    found = SUMMARY.fullmatch(line)
    expect("no summary", found, line)
    wanted = (len(entries), sum(int(size) for _, _, size in entries), links, failures)
    expect("summary", tuple(map(int, found.groups())) == wanted, line, wanted)


def check_tree(tree):
    links = fill(tree)
    entries = truth(tree.root)
    expect("the tree is too small", len(entries) == len(NAMES) + len(SIZES) + 1)
    for options in (["-j", "1"], ["-j2"], ["--jobs=8"], [],
                    ["-pj", "1"], ["-j2", "-p"], ["--pool", "--jobs=8"], ["-p"], *PROCESSES):
        for null, wanted in ((["-0"], as_null(entries)), ([], as_text(entries))):
            output, errors = run(COMMAND, *options, *null, tree.root)
            expect("wrong sums", output == wanted, options, output)
            expect("more than one line on stderr", len(errors) == 1, errors)
            check_summary(errors[0], entries, links, 0)


def check_roots(tree):
    entries = truth(tree.root + b"/")
    expect("slash", run(COMMAND, tree.root + b"/")[0] == as_text(entries))
    expect("relative", run(COMMAND, b".", cwd=tree.root)[0] == as_text(truth(b".", tree.root)))
    dashed = [(path[2:], *rest) for path, *rest in truth(b"./-d", tree.root)]
    expect("dash", run(COMMAND, b"--", b"-d", cwd=tree.root)[0] == as_text(dashed))
    output, errors = run(COMMAND, tree.path(b"to a folder"))
    expect("a link as root", len(output.splitlines()) == 2 and len(errors) == 1, output, errors)
    output, errors = run(COMMAND, tree.path(b"an empty folder"))
    expect("an empty folder", output == b"", output)
    check_summary(errors[0], [], 0, 0)
    for name, why in ((b"nowhere", b"No such file or directory"), (b"plain", b"Not a directory")):
        output, errors = run(COMMAND, tree.path(name), status=1)
        expect("a root that cannot be read", output == b"" and len(errors) == 2 and
               errors[0] == b"tree_sum: %s: %s" % (tree.path(name), why), errors)
        check_summary(errors[1], [], 0, 1)


def check_long_path():
    with Tree() as tree:
        entries = truth(tree.path(tree.file(b"short", b"x")))
        home = os.open(".", os.O_RDONLY)
        try:
            os.chdir(tree.root)
            for _ in range(20):
                os.mkdir(b"l" * 250)
                os.chdir(b"l" * 250)
        finally:
            os.chdir(home)
            os.close(home)
        for options in ([], *PROCESSES):
            output, errors = run(COMMAND, *options, tree.root, status=1)
            expect("a path too long", output == as_text(entries) and len(errors) == 2 and
                   re.search(rb"/l{250}: File ?name too long$", errors[0]), output, errors)
            check_summary(errors[1], entries, 0, 1)


def without_privileges():
    """Takes from a child that is root the right to read everything."""
    libc = ctypes.CDLL(None, use_errno=True)
    pr_capbset_drop, cap_dac_override, cap_dac_read_search = 24, 1, 2
    for capability in (cap_dac_override, cap_dac_read_search):
        if libc.prctl(pr_capbset_drop, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def check_unreadable():
    options = {}
    if os.geteuid() == 0:
        options["preexec_fn"] = without_privileges
        try:
            run(COMMAND, "--help", **options)
        except Exception as error:  # subprocess has no finer one for what fails before the program
            print(f"skipped: unreadable files, root cannot give up reading everything here: {error}")
            return
    with Tree() as tree:
        readable = [tree.file(b"a", b"a"), tree.file(b"readable/x", b"x"), tree.file(b"z", b"z")]
        for name in (b"closed/inside", b"listed/inside"):
            tree.file(name, b"?")
        entries = [entry for name in sorted(readable) for entry in truth(tree.path(name))]
        tree.file(b"b", b"secret", mode=0)
        tree.file(b"new\nline", b"secret", mode=0)
        tree.close(b"closed", 0)
        tree.close(b"listed", 0o400)
        for jobs in (["-j1"], ["-j2"], ["-j8"], ["-pj1"], ["-pj2"], ["-pj8"], *PROCESSES):
            output, errors = run(COMMAND, *jobs, tree.root, status=1, **options)
            wanted = [b"tree_sum: %s: Permission denied" % tree.path(name)
                      for name in (b"b", b"closed", b"listed/inside", b"new\\nline")]
            expect("what can be read", output == as_text(entries), output)
            expect("what cannot be read", errors[:-1] == wanted, errors)
            check_summary(errors[-1], entries, 0, 4)


def check_options():
    output, errors = run(COMMAND, "--help")
    expect("help", output.startswith(b"Usage: tree_sum ") and errors == [], output, errors)
    for wrong in (["-j0"], ["-j", "3501"], ["-j", "x"], ["-j", ""], ["-j", "4294967297"],
                  ["--jobs=1.5"], ["-j"], ["-x"], ["--wrong"], [".", "."]):
        output, errors = run(COMMAND, *wrong, status=2)
        expect("wrong options", output == b"" and len(errors) == 1, wrong, output, errors)


def check_full_disk(tree):
    with open("/dev/full", "wb") as full:
        errors = run(COMMAND, tree.root, status=1, stdout=full)[1]
    expect("full", errors == [b"tree_sum: standard output: No space left on device"], errors)


def main():
    os.environ["LC_ALL"] = "C"
    try:
        with Tree() as tree:
            check_tree(tree)
            check_roots(tree)
            check_full_disk(tree)
        check_long_path()
        check_unreadable()
        check_options()
    except Failed as failed:
        sys.exit(f"tree_sum.py: {failed}")


if __name__ == "__main__":
    main()
