/* SPDX-License-Identifier: MIT */
/* A deadlock: two locks taken in opposite order. A dump shows it, a time limit ends it.
 *
 * Python:  with first:
 *              if second.acquire(timeout=1.0):
 *                  ...
 *          faulthandler.dump_traceback() */
#include <thrum.h>

typedef struct plan {
    const char *name, *holds, *wants;
    thrum_lock *first, *second;
    double seconds;
} plan;

static thrum_lock fork_lock, knife_lock;

static void *eat(void *arg) {
    plan *p = arg;
    THRUM_GUARD(p->first);
    thrum_info("%s: has the %s, wants the %s", p->name, p->holds, p->wants);
    thrum_sleep(0.2);
    if (thrum_lock_acquire_until(p->second, thrum_in(p->seconds)) != 0) {
        thrum_info("%s: gives up on the %s, puts the %s back", p->name, p->wants, p->holds);
        return NULL;
    }
    thrum_info("%s: has both, eats", p->name);
    thrum_lock_release(p->second);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    static plan ada = {"Ada ", "fork", "knife", &fork_lock, &knife_lock, 1.0};
    static plan bob = {"Bob ", "knife", "fork", &knife_lock, &fork_lock, 30.0};
    thrum_info("Main: the fork is %p, the knife is %p", (void *)&fork_lock, (void *)&knife_lock);
    thrum_thread *a, *b;
    if (thrum_thread_start(&a, eat, &ada, &(thrum_thread_opts){.name = "Ada"}) != 0)
        return 1;
    if (thrum_thread_start(&b, eat, &bob, &(thrum_thread_opts){.name = "Bob"}) != 0)
        return 1;
    if (thrum_thread_join_until(a, thrum_in(0.6), NULL) == -ETIMEDOUT) {
        thrum_info("Main: nobody eats; who waits for whom?");
        thrum_dump(2);
    }
    thrum_thread_join(a, NULL);
    thrum_thread_join(b, NULL);
    thrum_info("Main: the time limit has ended the deadlock");
    thrum_thread_free(a);
    thrum_thread_free(b);
    return 0;
}
