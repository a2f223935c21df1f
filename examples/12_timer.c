/* SPDX-License-Identifier: MIT */
/* Timers: one that fires, one that is cancelled in time, one that repeats.
 *
 * Python:  t = threading.Timer(30.0, hello)
 *          t.start()
 *          t.cancel() */
#include <thrum.h>

static thrum_event enough;

static void hello(void *name) { thrum_info("Timer: hello, %s", (char *)name); }

static void tick(void *arg) {
    int *ticks = arg;
    *ticks += 1;
    thrum_info("Timer: tick %d", *ticks);
    if (*ticks == 3)
        thrum_event_set(&enough);
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_timer *late, *clock;
    static int ticks;
    thrum_info("Main : starting three timers");
    if (thrum_timer_start(NULL, 0.1, hello, "world", NULL) != 0 ||
        thrum_timer_start(&late, 30.0, hello, "nobody", NULL) != 0 ||
        thrum_timer_start(&clock, 0.3, tick, &ticks, &(thrum_timer_opts){.every = 0.2}) != 0)
        return 1;

    bool prevented = thrum_timer_cancel(late);
    thrum_info("Main : the second one %s", prevented ? "will not fire" : "has fired");
    thrum_event_wait(&enough);
    thrum_timer_cancel(clock);
    thrum_info("Main : three ticks are enough");
    thrum_timer_free(late);
    thrum_timer_free(clock);
    return 0;
}
