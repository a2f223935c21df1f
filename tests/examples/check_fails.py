# SPDX-License-Identifier: MIT
"""Shows that each rule of check.py can fail."""
import sys

sys.dont_write_bytecode = True
from check import Expected, problems  # noqa: E402

GOOD = ["1 a", "2 x", "1 b", "2 x", "3 end"]
CASES = {
    "a line is missing": ("order\n    1 a\n    no such line\n", GOOD),
    "a line comes twice": ("order\n    1 a\n", ["1 a", "1 a"]),
    "the order is wrong": ("order\n    1 b\n    1 a\n", ["1 a", "1 b"]),
    "a line is unknown": ("order\n    1 a\n", ["1 a", "more"]),
    "a repeated line never comes": ("repeat x\n", []),
    "a line that may come once comes twice": ("maybe x\n", ["x", "x"]),
    "two lists differ": ("repeat \\w NUMBER\nsame a (NUMBER) => b (NUMBER)\n",
                         ["a 1", "a 2", "b 2", "b 1"]),
    "two lists are empty": ("same a (NUMBER) => b (NUMBER)\n", []),
    "no turns are taken": ("repeat \\w NUMBER\nalternate a (NUMBER) => b (NUMBER)\n",
                           ["a 1", "a 2", "b 1", "b 2"]),
    "a turn is another's": ("repeat \\w NUMBER\nalternate a (NUMBER) => b (NUMBER)\n",
                            ["a 1", "b 2"]),
}
PASSES = {
    "order": ("order\n    1 a\n    1 b\nrepeat 2 x\nrepeat 3 end\n", GOOD),
    "maybe": ("maybe x\nmaybe y\n", ["x"]),
    "same": ("repeat \\w NUMBER\nsame a (NUMBER) => b (NUMBER)\n", ["a 1", "b 1", "a 2", "b 2"]),
    "alternate": ("repeat \\w NUMBER\nalternate a (NUMBER) => b (NUMBER)\n",
                  ["a 2", "b 2", "a 1", "b 1"]),
}


def found(rules, messages, raw=""):
    output = "".join(f"12:34:56: {message}\n" for message in messages) + raw
    return list(problems(Expected(rules.splitlines()), output))


def main():
    wrong = [name for name, case in CASES.items() if not found(*case)]
    wrong += [name for name, case in PASSES.items() if found(*case)]
    if not found("repeat a\n", ["a"], raw="no stamp\n"):
        wrong.append("a line without a stamp")
    if not found("repeat a\nraw stamp\n", ["a"]):
        wrong.append("a raw line never comes")
    if found("repeat a\nraw no .*\n", ["a"], raw="no stamp\n"):
        wrong.append("raw")
    for name in wrong:
        print(f"check.py judges wrongly: {name}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
