#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Verifies a model with spin, and that each of its mutants fails.

Usage: run.py MODEL...    (park lock event condition semaphore barrier wait queue ring
                          fork_join sleep task deque pump)

The comment at the head of MODEL.pml names its mutants: each is compiled in by -DMUTANT_NAME and
must break an assertion or end in a deadlock. The model itself must hold over all its states, and so
must its variants (-DNAME). Where the head says "Every statement is reached.", that is checked too.
Exits with 0, 1 (a verdict is wrong) or 77 (a tool is missing).
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

MODELS = pathlib.Path(__file__).resolve().parent
SKIP = 77
SECONDS = 120  # per verification; the largest takes a few
MEGABYTES = 1800
DEPTH = 100000
INCOMPLETE = ("max search depth too small", "out of memory", "search not completed",
              "hit the bitstate", "aborting", "vector", "truncated")


def verify(model, define, folder):
    """Returns pan's output for one variant of the model."""
    flags = [f"-D{define}"] if define else []
    spin = subprocess.run(["spin", *flags, "-a", str(MODELS / f"{model}.pml")], cwd=folder,
                          capture_output=True, text=True, timeout=SECONDS)
    if spin.returncode != 0 or "rror" in spin.stdout + spin.stderr:
        raise RuntimeError(f"spin: {spin.stdout}{spin.stderr}")
    # -O0: a million states take a second, and optimising what spin writes takes six.
    subprocess.run(["gcc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEGABYTES}",
                    "-o", "pan", "pan.c"], cwd=folder, check=True, timeout=SECONDS)
    return subprocess.run(["./pan", f"-m{DEPTH}"], cwd=folder, capture_output=True, text=True,
                          timeout=SECONDS).stdout


def judge(out, mutant, all_reached):
    """Returns whether the verdict is the wanted one, and the verdict in words."""
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if not errors or not states:
        return False, "no verdict:\n" + out
    if errors[1] != "0":
        why = re.search(r"pan:1: (.*?) \(at depth", out)
        why = re.sub(r"\s+", " ", why[1]) if why else "unknown"
        if why.startswith("assertion violated"):
            return mutant, why
        return mutant and why == "invalid end state", why.replace("invalid end state", "deadlock")
    if mutant:
        return False, "holds: the model does not see this mutant"
    for text in INCOMPLETE:
        if text in out.lower().replace("state-vector", ""):
            return False, f"not exhaustive: {text}"
    unreached = re.findall(r"\.(?:pml|inc):(\d+), state \d+, \"(.*)\"", out)
    unreached = [line for line in unreached if line[1] != "-end-"]
    if all_reached and unreached:
        return False, f"holds, but these are never reached: {unreached}"
    return True, f"holds in all {states[1]} states"


def run(model):
    text = (MODELS / f"{model}.pml").read_text()
    sources = text + "".join((MODELS / name).read_text()
                             for name in re.findall(r'^#include "(.*)"', text, re.M))
    head = text.split("*/\n#")[0]
    mutants = re.findall(r"MUTANT_\w+", head)
    variants = re.findall(r"Variants: (\w+)", head)
    if not mutants:
        print(f"{model}: FAILED: no mutants are named")
        return False
    good = True
    for define in [None, *variants, *mutants]:
        start = time.monotonic()
        try:
            asks = rf"^#(?:ifn?def {define}|(?:el)?if defined\({define}\))$"
            if define and not re.search(asks, sources, re.M):
                raise RuntimeError("no #ifdef asks for it")
            with tempfile.TemporaryDirectory() as folder:
                right, words = judge(verify(model, define, folder), define in mutants,
                                     "Every statement is reached." in head)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            right, words = False, str(error)
        good = good and right
        print(f"{model} {define or 'as it is'}: {'' if right else 'FAILED: '}{words}"
              f" ({time.monotonic() - start:.1f} s)", flush=True)
    return good


def main(models):
    for tool in ("spin", "gcc"):
        if not shutil.which(tool):
            print(f"skipped: models {' '.join(models)}: needs {tool} (Debian package {tool})")
            return SKIP
    if not models:
        print(__doc__)
        return 1
    return 0 if all([run(model) for model in models]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
