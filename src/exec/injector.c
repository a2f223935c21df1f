/* SPDX-License-Identifier: MIT */
#include "exec/injector.h"

#include <stddef.h>

void thrum__injector_init(thrum__injector *injector) {
    injector->stub = (thrum_future){.word = 0};
    injector->tail = injector->head = &injector->stub;
    injector->taking = 0;
}

void thrum__injector_put(thrum__injector *injector, thrum_future *task) {
    thrum__store_relaxed(&task->next, NULL);
    /* seq_cst: pairs with thrum__injector_visible(), called by who has announced its sleep: either
     * that sees the task, or the producer's load of the state sees the sleeper: pairs with
     * thrum__state_add(); and it pairs with thrum__injector_put(): `next` of the one before is NULL
     * by then */
    thrum_future *before = thrum__xchg_seq_cst(&injector->tail, task);
    /* release: pairs with thrum__injector_take(), thrum__injector_first() */
    thrum__store_release(&before->next, task);
}

bool thrum__injector_try_lock(thrum__injector *injector) {
    uint32_t free = 0;
    /* acquire: pairs with thrum__injector_unlock() */
    return thrum__load_relaxed(&injector->taking) == 0 &&
           thrum__cas_acquire(&injector->taking, &free, 1);
}

void thrum__injector_unlock(thrum__injector *injector) {
    /* release: pairs with thrum__injector_try_lock() */
    thrum__store_release(&injector->taking, 0);
}

thrum_future *thrum__injector_first(thrum__injector *injector) {
    thrum_future *head = injector->head;
    /* acquire: pairs with thrum__injector_put() */
    return head == &injector->stub ? thrum__load_acquire(&head->next) : head;
}

thrum_future *thrum__injector_take(thrum__injector *injector) {
    thrum_future *head = thrum__injector_first(injector);
    if (!head)
        return NULL;
    thrum__store_relaxed(&injector->head, head);
    /* acquire: pairs with thrum__injector_put() */
    thrum_future *next = thrum__load_acquire(&head->next);
    if (!next) {
        if (thrum__load_relaxed(&injector->tail) != head)
            return NULL; /* the next one is being linked */
        thrum__injector_put(injector, &injector->stub);
        /* acquire: pairs with thrum__injector_put() */
        next = thrum__load_acquire(&head->next);
        if (!next)
            return NULL;
    }
    thrum__store_relaxed(&injector->head, next);
    return head;
}

bool thrum__injector_visible(const thrum__injector *injector) {
    /* seq_cst: pairs with thrum__injector_put() */
    return thrum__load_seq_cst(&injector->tail) != &injector->stub ||
           thrum__load_relaxed(&injector->head) != &injector->stub;
}
