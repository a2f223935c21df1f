/* SPDX-License-Identifier: MIT */
/* What follows: each step starts when the one before it is done, and nobody waits in between. A
 * failure passes by the steps that it makes impossible, up to the one that deals with it.
 *
 * JavaScript:  read(row).then(half).then(half).catch(say)    Python has no such thing */
#include <thrum.h>

static void *read_row(void *row) { return row; }

static void *half(thrum_future *before, void *arg) {
    void *value;
    (void)arg;
    thrum_future_result(before, &value); /* there is one: else this is not called */
    intptr_t n = (intptr_t)value;
    if (n % 2 != 0)
        thrum_raise(-EDOM, "%d is odd", (int)n);
    return (void *)(n / 2);
}

static void *or_zero(thrum_future *before, void *row) {
    void *value = NULL;
    const thrum_failure *failure = thrum_future_error(before);
    if (failure)
        thrum_warning("row %d: %s", (int)(intptr_t)row, failure->message);
    thrum_future_result(before, &value);
    return value;
}

static int chain(thrum_executor *pool, intptr_t row, thrum_future **last) {
    thrum_future *read = NULL, *once = NULL, *twice = NULL;
    int rc = thrum_submit(pool, &read, read_row, (void *)row);
    if (rc == 0)
        rc = thrum_future_then(read, &once, pool, half, NULL);
    if (rc == 0)
        rc = thrum_future_then(once, &twice, pool, half, NULL);
    if (rc == 0)
        rc = thrum_future_then_always(twice, last, NULL, or_zero, (void *)row);
    thrum_future_free(read);
    thrum_future_free(once);
    thrum_future_free(twice);
    return rc;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    thrum_with_executor(pool, &(thrum_executor_opts){.max_workers = 2}) {
        for (intptr_t row = 12; row <= 15; row++) {
            thrum_future *last;
            void *quarter;
            if (chain(pool, row, &last) == 0 && thrum_future_result(last, &quarter) == 0) {
                thrum_info("row %d: a quarter is %d", (int)row, (int)(intptr_t)quarter);
                thrum_future_free(last);
            }
        }
    }
    return 0;
}
