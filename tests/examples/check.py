# SPDX-License-Identifier: MIT
"""check.py EXPECTED COMMAND...: runs COMMAND and compares its output with the file EXPECTED.

Every line of EXPECTED is a keyword and its argument; a regular expression matches a whole log
message, which comes after "HH:MM:SS: ". A word in capitals stands for a pattern of WORDS.

    order            begins a chain; each indented line below it is a regular expression that
                     matches exactly one message, later than the one above it
    repeat RE        one message or more
    maybe RE         one message or none
    raw RE           one line or more without a time stamp
    same RE => RE    the messages of both give the same groups, in the same order, at least one
    alternate RE => RE   the messages of both take turns, each pair with the same groups

Every line of the output has to be matched by something. Under ThreadSanitizer a program whose
EXPECTED holds the line "race NAME" must be reported, for the global variable NAME and nothing
else; all others must not.
"""
import re
import subprocess
import sys

WORDS = {"NUMBER": r"\d+", "ADDRESS": r"0x[0-9a-f]+"}
STAMP = re.compile(r"\d\d:\d\d:\d\d: (.*)")


def compile_re(text):
    for word, pattern in WORDS.items():
        text = text.replace(word, pattern)
    return re.compile(text)


class Expected:
    def __init__(self, lines):
        self.chains, self.repeat, self.maybe, self.raw = [], [], [], []
        self.same, self.alternate, self.race = [], [], None
        for line in lines:
            if line.startswith("    "):
                self.chains[-1].append(line.strip())
            elif line.strip() and not line.startswith("#"):
                self.keyword(*line.strip().partition(" ")[::2])

    def keyword(self, word, argument):
        if word == "order":
            self.chains.append([])
        elif word == "race":
            self.race = argument
        elif word in ("repeat", "maybe", "raw"):
            getattr(self, word).append(argument)
        elif word in ("same", "alternate"):
            getattr(self, word).append(argument.split(" => "))
        else:
            sys.exit(f"unknown keyword: {word}")


def split(output):
    """Returns (messages, raw lines)."""
    messages, raw = [], []
    for line in output.splitlines():
        stamped = STAMP.fullmatch(line)
        messages.append(stamped[1]) if stamped else raw.append(line)
    return messages, raw


def matches(text, lines):
    """Returns [(index, groups)] of the lines that the regular expression matches."""
    found = ((i, compile_re(text).fullmatch(line)) for i, line in enumerate(lines))
    return [(i, match.groups()) for i, match in found if match]


def problems_of_chain(chain, messages):
    last = -1
    for text in chain:
        found = matches(text, messages)
        if len(found) != 1:
            yield f"{len(found)} messages, not 1, match: {text}"
        elif found[0][0] < last:
            yield f"too early: {text}"
        else:
            last = found[0][0]


def problems(expected, output):
    messages, raw = split(output)
    for chain in expected.chains:
        yield from problems_of_chain(chain, messages)
    for texts, lines in ((expected.repeat, messages), (expected.raw, raw)):
        yield from (f"never: {text}" for text in texts if not matches(text, lines))
    yield from (f"more than once: {text}" for text in expected.maybe
                if len(matches(text, messages)) > 1)
    for first, second in expected.same:
        one, two = ([groups for _, groups in matches(t, messages)] for t in (first, second))
        if not one or one != two:
            yield f"not the same: {first} gives {one}, {second} gives {two}"
    for first, second in expected.alternate:
        both = sorted(matches(first, messages) + matches(second, messages))
        pairs = list(zip(both[::2], both[1::2]))
        starts = {i for i, _ in matches(first, messages)}
        if len(both) % 2 or not pairs or any(a[0] not in starts or b[0] in starts or a[1] != b[1]
                                             for a, b in pairs):
            yield f"do not take turns: {first} and {second}"
    known = expected.repeat + expected.maybe + [text for chain in expected.chains for text in chain]
    for texts, lines in ((known, messages), (expected.raw, raw)):
        for line in lines:
            if not any(compile_re(text).fullmatch(line) for text in texts):
                yield f"unexpected: {line}"


def is_tsan(command):
    with open(command[-1], "rb") as program:
        return b"__tsan_init" in program.read()


def problems_of_run(expected, command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = run.stdout
    if expected.race and is_tsan(command):
        reports = output.split("WARNING: ThreadSanitizer: ")[1:]
        if not reports:
            yield "ThreadSanitizer did not report the race"
        for report in reports:
            if not report.startswith("data race") or f"global '{expected.race}'" not in report:
                yield f"ThreadSanitizer reported something else: {report.splitlines()[0]}"
        output = "\n".join(line for line in output.splitlines() if STAMP.fullmatch(line))
    elif run.returncode != 0:
        yield f"exit code {run.returncode}"
    yield from problems(expected, output)
    sys.stdout.write(run.stdout)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        expected = Expected(file)
    found = list(problems_of_run(expected, sys.argv[2:]))
    for problem in found:
        print(f"check.py: {problem}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
