/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <thrum.h>

static thrum_lock lock;
static int counter = 41;

static void *work(void *arg) {
    (void)arg;
    thrum_lock_acquire(&lock);
    counter += 1;
    thrum_lock_release(&lock);
    return &counter;
}

int main(void) {
    thrum_thread *thread;
    void *result = NULL;
    if (thrum_thread_start(&thread, work, NULL, NULL) != 0 || thrum_version() != THRUM_VERSION ||
        thrum_thread_join(thread, &result) != 0 || result != &counter)
        return 1;
    printf("%s: 41 + 1 = %d\n", thrum_thread_name(thread), counter);
    thrum_thread_free(thread);
    return 0;
}
