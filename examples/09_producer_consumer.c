/* SPDX-License-Identifier: MIT */
/* Producer and consumer: a pipeline of one message, with two locks; an event says stop.
 *
 * Python:  class Pipeline:  message, producer_lock, consumer_lock (held at first)
 *          while not event.wait(0.05): pipeline.set_message(...) */
#include <thrum.h>

#define SENTINEL (-1)

static int message;
static thrum_lock producer_lock; /* free: a message may be set */
static thrum_lock consumer_lock; /* free: a message may be got */
static thrum_event stop;

static void set_message(int new_message) {
    thrum_lock_acquire(&producer_lock);
    message = new_message;
    thrum_lock_release(&consumer_lock);
}

static int get_message(void) {
    thrum_lock_acquire(&consumer_lock);
    int got = message;
    thrum_lock_release(&producer_lock);
    return got;
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

    thrum_lock_acquire(&consumer_lock);
    if (thrum_thread_start(NULL, producer, NULL, NULL) != 0 ||
        thrum_thread_start(NULL, consumer, NULL, NULL) != 0)
        return 1;
    thrum_sleep(0.3);
    thrum_info("Main: about to set event");
    thrum_event_set(&stop);
    return 0;
}
