/* SPDX-License-Identifier: MIT */
/* A pool that waits on itself finishes; tasks that wait for each other are told so.
 *
 * The documentation of concurrent.futures shows both as programs that never end.
 *
 * Python:  def wait_on_future():
 *              f = executor.submit(pow, 5, 2)
 *              print(f.result())       # never ends: the only worker is executing this function */
#include <thrum.h>

static thrum_executor *pool;
static thrum_future *a, *b;
static thrum_event both_submitted;

static void *square(void *arg) {
    static int result;
    result = *(int *)arg * *(int *)arg;
    return &result;
}

static void *wait_on_future(void *arg) {
    thrum_future *f;
    void *result = NULL;
    if (thrum_submit(pool, &f, square, arg) != 0)
        return NULL;
    if (thrum_future_result(f, &result) == 0)
        thrum_info("Task    : the only worker waited for its own pool: %d", *(int *)result);
    thrum_future_free(f);
    return NULL;
}

static void *wait_for_other(void *arg) {
    thrum_event_wait(&both_submitted);
    int rc = thrum_future_result(arg ? b : a, NULL);
    thrum_info("Task    : %s waits for %s: %s", arg ? "a" : "b", arg ? "b" : "a",
               thrum_strerror(rc));
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    int five = 5;
    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 1});
    if (!pool || thrum_submit(pool, NULL, wait_on_future, &five) != 0)
        return 1;
    thrum_executor_free(pool);

    pool = thrum_executor_new(&(thrum_executor_opts){.max_workers = 2});
    if (!pool || thrum_submit(pool, &a, wait_for_other, &five) != 0 ||
        thrum_submit(pool, &b, wait_for_other, NULL) != 0)
        return 1;
    thrum_event_set(&both_submitted);
    thrum_executor_free(pool);
    thrum_future_free(a);
    thrum_future_free(b);
    return 0;
}
