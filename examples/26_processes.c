/* SPDX-License-Identifier: MIT */
/* Work on processes: one option is another one. A worker is killed in the middle: nothing is lost.
 *
 * Python:  with concurrent.futures.ProcessPoolExecutor(max_workers=2) as executor:
 *              futures = [executor.submit(primes, i, i + 5000) for i in range(0, 200000, 5000)] */
#include <signal.h>
#include <stdbool.h>
#include <thrum.h>
#include <thrum/processes.h>
#include <unistd.h>

enum { PARTS = 40, EACH = 5000 };

THRUM_TASK(int, primes, (int, from), (int, to)) {
    int found = 0;
    for (int n = from < 2 ? 2 : from; n < to; n++) {
        bool prime = true;
        for (int d = 2; d * d <= n && prime; d++)
            prime = n % d != 0;
        found += prime;
    }
    return found;
}

THRUM_TASK(int, process) { return (int)getpid(); }

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    int sum = 0, done = 0;
    /* Counting does no harm when it is done twice: it is idempotent. */
    thrum_processes_opts more = {.retries = 3};
    thrum_with_executor(pool, &(thrum_executor_opts){.backend = thrum_processes,
                                                     .backend_opts = &more, .max_workers = 2}) {
        thrum_future *which, *parts[PARTS];
        int pid = 0;
        if (process_submit(pool, &which) != 0 || process_result(which, &pid) != 0)
            return 1;
        thrum_future_free(which);
        thrum_info("A worker is another process: %s", pid != (int)getpid() ? "yes" : "no");
        for (int i = 0; i < PARTS; i++)
            if (primes_submit(pool, &parts[i], i * EACH, (i + 1) * EACH) != 0)
                return 1;
        kill(pid, SIGKILL);
        for (int i = 0; i < PARTS; i++) {
            int found = 0;
            done += primes_result(parts[i], &found) == 0;
            sum += found;
            thrum_future_free(parts[i]);
        }
    }
    thrum_info("%d of %d parts, %d primes below %d", done, PARTS, sum, PARTS * EACH);
    return 0;
}
