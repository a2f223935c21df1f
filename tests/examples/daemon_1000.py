# SPDX-License-Identifier: MIT
"""daemon_1000.py COMMAND...: runs example 02 a thousand times, two at a time.

The exit code is always 0, `finishing` never appears, `starting` in at least 990 runs
(900 when COMMAND begins with an emulator).
ThreadSanitizer's pause of a second at the end of each run is left out.
"""
import concurrent.futures
import os
import subprocess
import sys

RUNS, AT_LEAST, AT_LEAST_EMULATED = 1000, 990, 900
ENVIRONMENT = dict(os.environ)
ENVIRONMENT["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + " atexit_sleep_ms=0"


def run(_):
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, env=ENVIRONMENT)
    ended = done.returncode == 0 and done.stdout.rstrip().count("Main    : all done") == 1
    return ended, "finishing" in done.stdout, "Thread 1: starting\n" in done.stdout, done


def main():
    least = AT_LEAST if len(sys.argv) == 2 else AT_LEAST_EMULATED
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(run, range(RUNS)))
    ended, finishing, starting = (sum(result[i] for result in results) for i in range(3))
    print(f"{RUNS} runs: {ended} ended well, starting in {starting}, finishing in {finishing}")
    for result in [result for result in results if not result[0]][:3]:
        print(f"exit code {result[3].returncode}:\n{result[3].stdout}")
    sys.exit(0 if ended == RUNS and finishing == 0 and starting >= least else 1)


if __name__ == "__main__":
    main()
