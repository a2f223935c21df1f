/* SPDX-License-Identifier: MIT */
/* Producer and consumer as in example 09, with a condition in place of the two locks.
 *
 * Python:  with condition:
 *              while full: condition.wait()
 *              message, full = new_message, True; condition.notify() */
#include <thrum.h>

#define SENTINEL (-1)
static thrum_lock lock;
static thrum_condition changed;
static int message, full; /* under lock */
static thrum_event stop;

static void set_message(int new_message) {
    THRUM_GUARD(&lock);
    while (full)
        thrum_condition_wait(&changed, &lock);
    message = new_message;
    full = true;
    thrum_condition_notify(&changed, 1);
}

static int get_message(void) {
    THRUM_GUARD(&lock);
    while (!full)
        thrum_condition_wait(&changed, &lock);
    full = false;
    thrum_condition_notify(&changed, 1);
    return message;
}

static void *producer(void *arg) {
    for (int n = 100; thrum_event_wait_until(&stop, thrum_in(0.05)) == -ETIMEDOUT; n++) {
        thrum_info("Producer got message: %d", n);
        set_message(n);
    }
    thrum_info("Producer received event. Exiting");
    set_message(SENTINEL);
    return arg;
}

static void *consumer(void *arg) {
    for (int got = get_message(); got != SENTINEL; got = get_message())
        thrum_info("Consumer storing message: %d", got);
    return arg;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});
    if (thrum_thread_start(NULL, producer, NULL, NULL) != 0 ||
        thrum_thread_start(NULL, consumer, NULL, NULL) != 0)
        return 1;
    thrum_sleep(0.3);
    thrum_info("Main: about to set event");
    thrum_event_set(&stop);
    return 0;
}
