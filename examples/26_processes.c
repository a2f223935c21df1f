/* SPDX-License-Identifier: MIT */
/* Work on processes: one option is another one. A worker is killed in the middle: nothing is lost.
 *
 * Python:  with concurrent.futures.ProcessPoolExecutor(max_workers=2) as executor:
 *              futures = [executor.submit(primes, i, i + 25000) for i in range(0, 1000000, 25000)]
 * There a killed worker breaks the pool, and all that was submitted fails; here its own task. */
#include <errno.h>
#include <signal.h>
#include <thrum.h>
#include <thrum/processes.h>
#include <unistd.h>

enum { PARTS = 40, EACH = 25000 };

THRUM_TASK(int, primes, (int, from), (int, to)) {
    int found = 0;
    for (int n = from < 2 ? 2 : from, d; n < to; n++) {
        for (d = 2; d * d <= n && n % d != 0; d++)
            continue;
        found += d * d > n;
    }
    return found;
}

THRUM_TASK(int, process) { return (int)getpid(); }

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    thrum_deadline begin = thrum_now();
    int sum = primes(0, PARTS * EACH), found = 0, pid = 0;
    double alone = (double)(thrum_now().ns - begin.ns) / 1e9;
    thrum_info("One process: %d primes below %d in %.2f s", sum, PARTS * EACH, alone);
    thrum_executor_opts opts = {.backend = thrum_processes, .max_workers = 2};
    thrum_with_executor(pool, &opts) {
        thrum_future *which, *parts[PARTS];
        if (process_submit(pool, &which) != 0 || process_result(which, &pid) != 0)
            return 1;
        thrum_future_free(which);
        begin = thrum_now();
        for (int i = 0; i < PARTS; i++)
            if (primes_submit(pool, &parts[i], i * EACH, (i + 1) * EACH) != 0)
                return 1;
        for (int i = sum = 0; i < PARTS; sum += found, thrum_future_free(parts[i++])) {
            if (i == PARTS / 2 && thrum_sleep(0.002) == 0 && kill(pid, SIGKILL) == 0)
                thrum_info("Half of it is done: process %d gets a SIGKILL", pid);
            while (primes_result(parts[i], &found) == -EPIPE) { /* .retries = 1 does the same */
                thrum_info("Part %d: %s. Once more", i, thrum_future_error(parts[i])->message);
                thrum_future_free(parts[i]);
                if (primes_submit(pool, &parts[i], i * EACH, (i + 1) * EACH) != 0)
                    return 1;
            }
        }
        alone /= (double)(thrum_now().ns - begin.ns) / 1e9;
    }
    thrum_info("Two processes: %d primes, nothing is lost, %.1f times as fast", sum, alone);
    return 0;
}
