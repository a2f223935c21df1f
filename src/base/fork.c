/* SPDX-License-Identifier: MIT */
#include "base/fork.h"

#include <pthread.h>
#include <stddef.h>

#include "base/atomic.h"

static const thrum__fork_hooks *places[THRUM__FORK_PLACES];
unsigned thrum__fork_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const thrum__fork_hooks *at(int place) {
    /* acquire: pairs with thrum__fork_register() */
    return thrum__load_acquire(&places[place]);
}

static void prepare(void) {
    for (int i = THRUM__FORK_PLACES; i-- > 0;) {
        const thrum__fork_hooks *hooks = at(i);
        if (hooks && hooks->prepare)
            hooks->prepare();
    }
}

static void parent(void) {
    for (int i = 0; i < THRUM__FORK_PLACES; i++) {
        const thrum__fork_hooks *hooks = at(i);
        if (hooks && hooks->parent)
            hooks->parent();
    }
}

static void child(void) {
    thrum__fork_count++;
    for (int i = 0; i < THRUM__FORK_PLACES; i++) {
        const thrum__fork_hooks *hooks = at(i);
        if (hooks && hooks->child)
            hooks->child();
    }
}

static void register_once(void) { pthread_atfork(prepare, parent, child); }

void thrum__fork_register(int place, const thrum__fork_hooks *hooks) {
    /* release: pairs with at() */
    thrum__store_release(&places[place], hooks);
    pthread_once(&once, register_once);
}
