/* SPDX-License-Identifier: MIT */
#include "exec/deque.h"

#include <stddef.h>

static thrum_future **slot(thrum__deque *deque, intptr_t index) {
    return &deque->tasks[(size_t)index % THRUM__DEQUE_SIZE];
}

bool thrum__deque_write(thrum__deque *deque, intptr_t n, thrum_future *task) {
    intptr_t place = thrum__load_relaxed(&deque->bottom) + n;
    if (place - deque->top_seen >= THRUM__DEQUE_SIZE) {
        /* acquire: pairs with thrum__deque_steal(), which has read the place that is written
         * next */
        deque->top_seen = thrum__load_acquire(&deque->top);
        if (place - deque->top_seen >= THRUM__DEQUE_SIZE)
            return false;
    }
    thrum__store_relaxed(slot(deque, place), task);
    return true;
}

void thrum__deque_publish(thrum__deque *deque, intptr_t n) {
    intptr_t bottom = thrum__load_relaxed(&deque->bottom);
    /* seq_cst: pairs with thrum__deque_steal(); and thrum__deque_visible(), called by who has
     * announced its sleep: either it sees the task, or the pusher's load of the state sees the
     * sleeper: pairs with thrum__state_add(), thrum__deque_visible() */
    thrum__xchg_seq_cst(&deque->bottom, bottom + n);
}

bool thrum__deque_push(thrum__deque *deque, thrum_future *task) {
    if (!thrum__deque_write(deque, 0, task))
        return false;
    thrum__deque_publish(deque, 1);
    return true;
}

/* Takes the task at the bottom, NULL if it has been stolen. */
static thrum_future *pop(thrum__deque *deque) {
    intptr_t bottom = thrum__load_relaxed(&deque->bottom) - 1;
    /* seq_cst: pairs with thrum__deque_steal(): of owner and thief at least one sees the other */
    thrum__xchg_seq_cst(&deque->bottom, bottom);
    /* seq_cst: pairs with thrum__deque_steal() */
    intptr_t top = thrum__load_seq_cst(&deque->top);
    thrum_future *task = NULL;
    if (bottom - top > 0)
        return thrum__load_relaxed(slot(deque, bottom));
    if (bottom == top) {
        task = thrum__load_relaxed(slot(deque, bottom));
        /* seq_cst: pairs with thrum__deque_steal(), for the last task */
        if (!thrum__cas_seq_cst(&deque->top, &top, top + 1))
            task = NULL;
    }
    thrum__store_relaxed(&deque->bottom, bottom + 1);
    return task;
}

bool thrum__deque_pop_this(thrum__deque *deque, const thrum_future *task) {
    intptr_t bottom = thrum__load_relaxed(&deque->bottom) - 1;
    return thrum__load_relaxed(slot(deque, bottom)) == task && pop(deque) != NULL;
}

thrum_future *thrum__deque_steal(thrum__deque *deque) {
    for (;;) {
        /* seq_cst: pairs with pop(), thrum__deque_steal() */
        intptr_t top = thrum__load_seq_cst(&deque->top);
        /* seq_cst: pairs with thrum__deque_publish(), pop() */
        intptr_t bottom = thrum__load_seq_cst(&deque->bottom);
        if (bottom - top <= 0)
            return NULL;
        thrum_future *task = thrum__load_relaxed(slot(deque, top));
        /* seq_cst: pairs with pop(), thrum__deque_write(), thrum__deque_steal() */
        if (thrum__cas_seq_cst(&deque->top, &top, top + 1))
            return task;
    }
}

bool thrum__deque_visible(const thrum__deque *deque) {
    /* seq_cst: pairs with thrum__deque_publish() */
    intptr_t bottom = thrum__load_seq_cst(&deque->bottom);
    return bottom - thrum__load_relaxed(&deque->top) > 0;
}
