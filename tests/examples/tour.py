# SPDX-License-Identifier: MIT
"""tour.py TOUR_SH: runs a copy of the tour's script on programs of its own."""
import os
import shutil
import subprocess
import sys
import tempfile


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def tour(root, build):
    script = os.path.join(root, "tools", "tour.sh")
    done = subprocess.run(["sh", script, build], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def expect(name, condition, output):
    if not condition:
        sys.exit(f"{name}; the tour printed:\n{output}")


def main():
    with tempfile.TemporaryDirectory() as root:
        build = os.path.join(root, "a build")
        os.mkdir(os.path.join(root, "tools"))
        shutil.copy(sys.argv[1], os.path.join(root, "tools", "tour.sh"))
        for program, title in (("01_one", "The first."), ("12_two", "The second: it\n * goes on."),
                               ("tree_sum", "The last.")):
            write(f"{root}/examples/{program}.c",
                  f"/* SPDX-License-Identifier: MIT */\n/* {title} */\nint main(void);\n")
            write(f"{build}/examples/{program}",
                  f"#!/bin/sh\necho {program} out\necho {program} err >&2\n", 0o755)
        write(f"{root}/examples/python/04_four.py",
              '# SPDX-License-Identifier: MIT\n"""The fourth."""\n')
        write(f"{root}/examples/python/23_more.py", '# SPDX\n"""The end."""\n')
        status, output = tour(root, build)
        expect("no word on Python", "The Python half is left out: it was not built" in output, output)
        write(f"{build}/examples/python/left_out", "The Python half is left out: no reason\n")
        status, output = tour(root, build)
        expect("no reason", status == 0 and "left out: no reason" in output, output)
        write(f"{build}/examples/python/run", '#!/bin/sh\necho run $(basename "$1") with ${2##*/}.\n',
              0o755)
        status, output = tour(root, build)
        wanted = ["01  The first.", "01_one out", "01_one err", "12  The second", "12_two out",
                  "12_two err", "The last.", "$ tree_sum /", "tree_sum out",
                  "04  The fourth.   [examples/python/04_four.py]", "run 04_four.py with .\n",
                  "23  The end.", "run 23_more.py with libnative.so.\n", "Next: "]
        places = [output.find(text) for text in wanted]
        expect("a line is missing or out of order", -1 not in places and places == sorted(places),
               output)
        expect("exit code is not 0", status == 0, output)
        expect("colours without a terminal", "\033" not in output, output)
        write(f"{build}/examples/tree_sum", "#!/bin/sh\nseq 100\nexit 1\n", 0o755)
        status, output = tour(root, build)
        expect("unreadable files stop the tour", status == 0 and "Next: " in output, output)
        expect("the end of a long list", "98\n99\n100\n" in output and "50\n" not in output, output)
        write(f"{build}/examples/tree_sum", "#!/bin/sh\nexit 3\n", 0o755)
        status, output = tour(root, build)
        expect("a failing tree_sum passes", status != 0 and "Next: " not in output, output)
        write(f"{build}/examples/01_one", "#!/bin/sh\nexit 3\n", 0o755)
        status, output = tour(root, build)
        expect("a failing program does not stop the tour",
               status != 0 and "12_two out" not in output and "01_one" in output, output)
        write(f"{build}/examples/01_one", "#!/bin/sh\n", 0o755)
        write(f"{build}/examples/tree_sum", "#!/bin/sh\n", 0o755)
        write(f"{build}/examples/python/run", "#!/bin/sh\nexit 3\n", 0o755)
        status, output = tour(root, build)
        expect("a failing program in Python does not stop the tour",
               status != 0 and "Next: " not in output and "04_four" in output, output)
        os.remove(f"{build}/examples/01_one")
        expect("a missing program passes", tour(root, build)[0] != 0, output)
        expect("a missing build passes", tour(root, f"{root}/none")[0] == 2, output)


if __name__ == "__main__":
    main()
