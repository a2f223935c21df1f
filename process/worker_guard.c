/* SPDX-License-Identifier: MIT */
/* glibc has no place yet, in constructors, at which the unwinding of pthread_exit() in the main
 * thread ends: it crashes. The pthread_cleanup_push() of programs without exceptions makes such a
 * place. */
#undef __EXCEPTIONS
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "worker.h"

static void deserted(void *arg) {
    (void)arg;
    fflush(NULL);
    _exit(0);
}

void thrum__worker_guard(void (*fn)(void *), void *arg) {
    pthread_cleanup_push(deserted, NULL);
    fn(arg);
    pthread_cleanup_pop(0);
}
