/* SPDX-License-Identifier: MIT */
/* An rlock: a function that holds it calls another one that takes it too.
 *
 * Python:  def deposit(self, amount):            def deposit_twice(self, amount):
 *              with self._rlock:                     with self._rlock:
 *                  self.balance += amount                self.deposit(amount)
 *                                                        self.deposit(amount)
 *
 * With a plain lock, the inner function would wait for its own caller, for ever. */
#include <thrum.h>

static thrum_rlock rlock;
static int balance; /* under rlock */

static void deposit(int amount) {
    THRUM_GUARD(&rlock);
    balance += amount;
}

static void deposit_twice(const char *name, int amount) {
    THRUM_GUARD(&rlock);
    thrum_info("Thread %s: first deposit, balance was %d", name, balance);
    deposit(amount);
    thrum_info("Thread %s: second deposit, balance was %d", name, balance);
    deposit(amount);
}

static void *saver(void *name) {
    thrum_info("Thread %s: starting", (char *)name);
    deposit_twice(name, 10);
    thrum_info("Thread %s: finishing", (char *)name);
    return NULL;
}

int main(void) {
    thrum_log_config(&(thrum_log_opts){
        .format = "%(asctime)s: %(message)s", .level = THRUM_INFO, .datefmt = "%H:%M:%S"});

    thrum_thread *a, *b;
    if (thrum_thread_start(&a, saver, "1", NULL) != 0)
        return 1;
    if (thrum_thread_start(&b, saver, "2", NULL) != 0)
        return 1;
    thrum_thread_join(a, NULL);
    thrum_thread_join(b, NULL);
    thrum_info("Main    : balance is %d, rlock is %s", balance,
               thrum_rlock_locked(&rlock) ? "held" : "free");
    thrum_thread_free(a);
    thrum_thread_free(b);
    return 0;
}
