# SPDX-License-Identifier: MIT
"""lines.py FILE...: fails when an example has 60 lines or more (one that is not numbered: more than
400), or no title for the tour."""
import os
import sys


def limit(path):
    return 60 if os.path.basename(path)[0].isdigit() else 401


def problem(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if len(lines) >= limit(path):
        return f"{path}: {len(lines)} lines, must be under {limit(path)}"
    title = '"""' if path.endswith(".py") else "/* "
    if len(lines) < 2 or "SPDX" not in lines[0] or not lines[1].startswith(title):
        return f"{path}: line 1 is the licence, line 2 the title as a comment"
    return None


found = [text for text in map(problem, sys.argv[1:]) if text]
print("\n".join(found) or f"{len(sys.argv) - 1} examples, none too long")
sys.exit(1 if found or len(sys.argv) < 2 else 0)
