#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Usage: report.py ROWS OUT.json    Prints the lines of the benchmarks as one table; writes them.

Beside thrum's ratio stands the goal of the row and whether it was reached; below the row, when the
baseline is more than 15 % off its anchor (README.md says where the anchors come from)."""

import json
import sys

# row: (what is compared, "<=" or ">=", limit), for the subject "thrum"; what is "ratio" (to the
# baseline), "value", or a peer: thrum's value by its
GOALS = {
    "lock uncontended pair": ("ratio", "<=", 0.75),
    "lock size": ("value", "<=", 8),
    "lock 2 threads: throughput": ("ratio", ">=", 1.0),
    "lock 4 threads: throughput": ("ratio", ">=", 1.0),
    "lock 2 threads: fairness": ("value", ">=", 0.7),
    "lock 4 threads: fairness": ("value", ">=", 0.7),
    "lock 4 threads: longest wait": ("value", "<=", 1.0),
    "lock 2 threads, 0.2 us section: throughput": ("ratio", ">=", 0.95),
    "lock 4 threads, 0.2 us section: throughput": ("ratio", ">=", 0.95),
    "lock 2 threads, 1 us section: throughput": ("ratio", ">=", 0.95),
    "lock 4 threads, 1 us section: throughput": ("ratio", ">=", 0.95),
    "rlock nested pair": ("ratio", "<=", 0.6),
    "condition round trip, one core": ("ratio", "<=", 0.65),
    "condition round trip, two cores parked": ("ratio", "<=", 1.0),
    "condition round trip, two cores awake": ("value", "<=", 1.2),
    "notify without waiter": ("value", "<=", 1.0),
    "event set + clear": ("value", "<=", 12),
    "start + join, one core": ("ratio", "<=", 1.25),
    "start + join, two cores": ("ratio", "<=", 1.1),
    "start + join, 64 at once, one core": ("ratio", "<=", 1.1),
    "start + join, 64 at once, two cores": ("ratio", "<=", 1.1),
    "100 waiting threads: CPU": ("value", "<=", 1.0),
    "wake beside a hog: p90": ("ratio", "<=", 2.0),
    "semaphore uncontended pair": ("ratio", "<=", 0.75),
    "semaphore round trip, one core": ("ratio", "<=", 1.0),
    "barrier of 2: phase, one core": ("ratio", "<=", 1.05),
    "barrier of 2: phase, two cores awake": ("ratio", "<=", 0.05),
    "thread-local get": ("value", "<=", 1.5),
    "queue put + get": ("value", "<=", 15),
    "queue of 1024, 1 producer 1 consumer": ("crossbeam", ">=", 1.0),
    "queue of 1024, 2 producers 2 consumers": ("crossbeam", ">=", 1.0),
    "queue of 1024, 4 producers 4 consumers": ("crossbeam", ">=", 1.0),
    "queue request + reply, one core": ("ratio", "<=", 0.55),
    "queue request + reply, two cores parked": ("ratio", "<=", 1.0),
    "queue request + reply, two cores awake": ("value", "<=", 0.6),
    "log to a file, 8 threads": ("ratio", ">=", 2.0),
    "python Semaphore acquire + release": ("ratio", "<=", 1 / 12),
    "python BoundedSemaphore acquire + release": ("ratio", "<=", 1 / 12),
    "python Event set + clear": ("ratio", "<=", 1 / 12),
    "python Event wait, set": ("ratio", "<=", 1 / 7),
    "python Condition with + notify, no waiter": ("ratio", "<=", 1 / 2.5),
    "python create Condition": ("ratio", "<=", 1 / 5),
    "python create Event": ("ratio", "<=", 1 / 5),
    "python create Queue": ("ratio", "<=", 1 / 5),
    "python Queue put + get": ("ratio", "<=", 1 / 20),
    "python Queue(10) put + get": ("ratio", "<=", 1 / 20),
    "python Queue 1 producer 1 consumer, one core": ("ratio", "<=", 1 / 6),
    "python Queue 1 producer 1 consumer": ("ratio", "<=", 1 / 6),
    "python Queue round trip, one core": ("ratio", "<=", 1 / 1.6),
    "python Condition round trip, one core": ("ratio", "<=", 1 / 1.3),
    "python LifoQueue put + get": ("ratio", "<=", 1 / 0.95),
    "python PriorityQueue put + get": ("ratio", "<=", 1 / 0.95),
    "python Queue(100) 1 producer 1 consumer, one core": ("ratio", "<=", 1 / 0.95),
    "python Queue(100) 1 producer 1 consumer": ("ratio", "<=", 1 / 0.95),
    "python 4 threads on Semaphore(1)": ("ratio", "<=", 1 / 0.95),
    "python create Future": ("ratio", "<=", 1 / 5),
    "python Future life: make, start, set_result, result": ("ratio", "<=", 1 / 12),
    "python as_completed over 10k finished": ("ratio", "<=", 1 / 8),
    "python wait for 10k finished": ("ratio", "<=", 1 / 8),
    "python as_completed over 10k, one after the other": ("ratio", "<=", 1 / 0.95),
    "python Future round trip, one core": ("ratio", "<=", 1 / 0.95),
    "python submit 20k, then all results, 1 worker": ("ratio", "<=", 1 / 25),
    "python submit 20k, then all results, 4 workers": ("ratio", "<=", 1 / 25),
    "python Executor.map of 100k": ("ratio", "<=", 1 / 30),
    "python submit 10k + as_completed": ("ratio", "<=", 1 / 8),
    "python submit round trip, one core": ("ratio", "<=", 1 / 1.7),
    "python submit round trip": ("ratio", "<=", 1 / 0.95),
    "pool: bytes per outstanding task": ("value", "<=", 96),
    "pool: 1e6 empty tasks, all queued": ("ratio", ">=", 3.3),
    "pool: 1e6 empty tasks, caller runs": ("ratio", ">=", 6.6),
    "pool: submit + result, by a worker": ("value", "<=", 0.6),
    "pool: submit + result, by helping": ("value", "<=", 0.15),
    "pool: submit + result after 2 ms idle, by helping": ("value", "<=", 1.5),
    "pool: submit + result after 2 ms idle, by helping: p99": ("value", "<=", 25),
    "pool: submit + result after 2 ms idle, by helping: CPU": ("value", "<=", 0.03),
    "pool: tasks of 1 us, efficiency": ("value", ">=", 0.90),
    "pool: tasks of 10 us, efficiency": ("value", ">=", 0.98),
    "pool: tasks of 100 us, efficiency": ("value", ">=", 0.99),
    "pool: map of 1e6 items of 15 ns, efficiency": ("value", ">=", 0.99),
    "pool: map of 1000 items of 15 ns, speed-up": ("value", ">=", 1.7),
    "pool: submit from inside a task": ("value", "<=", 15),
    "fork-join fib(35), typed, 1 worker": ("value", "<=", 2.5),
    "fork-join fib(35), function + void *, 1 worker": ("value", "<=", 6),
    "fork-join fib(35), typed, speed-up 1 to 2": ("value", ">=", 1.85),
    "shared lock uncontended pair": ("ratio", "<=", 1.0),
    "shared queue of 1024 x 64 bytes, 1 producer 1 consumer": ("value", ">=", 3.0),
    "process pool: submit + result": ("value", "<=", 8),
    "process pool: submit + result after 2 ms idle": ("value", "<=", 80),
    "process pool: 1e5 empty tasks": ("value", ">=", 0.3),
    "fork-join: CPU used 0.1 to 20 ms afterwards": ("value", "<=", 100),
}

# row: (row and subject that the baseline is divided by, or None: its own value; what it was)
ANCHORS = {
    "lock uncontended pair": (("lock uncontended pair", "raw futex"), 1.43),
    "lock 2 threads: throughput": (None, 29.2),
    "lock 4 threads: throughput": (None, 40.2),
    "lock 2 threads: fairness": (None, 0.96),
    "lock 4 threads: fairness": (None, 0.73),
    "rlock outer pair": (("rlock outer pair", "raw futex"), 1.18),
    "rlock nested pair": (("rlock outer pair", "pthread"), 0.33),
    "condition round trip, one core": (("event round trip, one core", "raw futex"), 1.97),
    "condition round trip, two cores parked": (
        ("event round trip, two cores parked", "raw futex"), 1.0),
    "notify without waiter": (("notify without waiter", "nsync"), 2.16),
    "start + join, one core": (("start + join, one core", "raw futex"), 1.19),
    "start + join, two cores": (("start + join, two cores", "raw futex"), 1.12),
    "semaphore uncontended pair": (("lock uncontended pair", "raw futex"), 1.69),
    "semaphore round trip, one core": (("event round trip, one core", "raw futex"), 0.9),
    "barrier of 2: phase, one core": (("event round trip, one core", "raw futex"), 0.79),
    "queue put + get": (("lock uncontended pair", "raw futex"), 3.27),
    "queue request + reply, one core": (("event round trip, one core", "raw futex"), 2.21),
    "queue request + reply, two cores parked": (
        ("event round trip, two cores parked", "raw futex"), 0.9),
    "pool: 1e6 empty tasks, all queued": (None, 3.03),
}

HEADING = ("row", "subject", "value", "unit", "ratio", "goal")


def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def goal_text(entry, entries):
    goal = GOALS.get(entry["row"])
    if goal is None or entry["subject"] != "thrum":
        return ""
    what, sign, limit = goal
    if what in ("ratio", "value"):
        got, text = entry[what], f"{what} {sign} {limit:.3g}"
    else:
        peer = [e["value"] for e in entries if (e["row"], e["subject"]) == (entry["row"], what)]
        got = entry["value"] / peer[0] if peer else None
        text = f"{sign} {limit:g} x {what}" + ("" if got is None else f" ({number(got)})")
    if got is None:
        return f"{text}: not measured beside it"
    reached = got <= limit if sign == "<=" else got >= limit
    return f"{text}: {'reached' if reached else 'NOT REACHED'}"


def anchor_text(row, entries):
    """Says how far the baseline of `row` is off its anchor, or returns None."""
    if row not in ANCHORS:
        return None
    values = {(e["row"], e["subject"]): e["value"] for e in entries}
    name = next((e["baseline"] for e in entries if e["row"] == row), None)
    base = values.get((row, name))
    by, anchor = ANCHORS[row]
    divisor = values.get(by) if by else 1.0
    if not base or not divisor:
        return None
    now = base / divisor
    off = now / anchor - 1
    if abs(off) <= 0.15:
        return None
    unit = f" x {by[1]} ({by[0]})" if by and by[0] != row else f" x {by[1]}" if by else ""
    return (f"the baseline is {off:+.0%} off: {name} {number(now)}{unit}, anchor {number(anchor)}")


def others_text(row, entries):
    """Says what other processes used while `row` was measured, or returns None."""
    share = max(e.get("others", 0) for e in entries if e["row"] == row)
    return f"other processes used {share:.0%} of the CPUs" if share > 0.05 else None


def subject_text(entry):
    """The subject, and of a pool which share of the tasks its workers ran."""
    share = entry.get("workers")
    return entry["subject"] + ("" if share is None else f" ({share:.0%} by workers)")


def print_table(entries):
    lines = [HEADING]
    rows = list(dict.fromkeys(e["row"] for e in entries))
    for row in rows:
        first = True
        for e in sorted((e for e in entries if e["row"] == row), key=rank):
            baseline = e["baseline"]
            ratio = "" if e["ratio"] is None else (
                "baseline" if e["subject"] == baseline else number(e["ratio"]) + "x")
            lines.append((row if first else "", subject_text(e), number(e["value"]), e["unit"],
                          ratio, goal_text(e, entries)))
            first = False
        for note in (anchor_text(row, entries), others_text(row, entries)):
            if note:
                lines.append(("", "note: " + note))
    widths = [max(len(line[i]) for line in lines if len(line) == len(HEADING))
              for i in range(len(HEADING))]
    for line in lines:
        if len(line) == 2:
            print(" " * widths[0] + "  " + line[1])
            continue
        cells = [cell.rjust(width) if i in (2, 4) else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def rank(entry):
    """thrum's own first, then the order in which they were measured."""
    own = ("thrum", "thrum, static", "thrum, exported symbol")
    return own.index(entry["subject"]) if entry["subject"] in own else len(own)


def machine():
    """Returns the model of the CPU, for the reader of the table."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    except OSError:
        models = []
    return f"{len(models)} x {models[0]}" if models else "this machine"


def main(rows, out):
    with open(rows, encoding="utf-8") as f:
        entries = [json.loads(line) for line in f]
    if not entries:
        sys.exit("report.py: no row was measured")
    print_table(entries)
    judged = [text for text in (goal_text(e, entries) for e in entries) if text]
    reached = sum(text.endswith(": reached") for text in judged)
    print(f"\n{reached} of {len(judged)} goals reached on {machine()}; written to {out}")
    for entry in entries:
        entry.pop("others", None)
    with open(out, "w", encoding="utf-8") as f:
        json.dump(entries, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
