/* SPDX-License-Identifier: MIT */
#include "watch.h"

#ifdef Py_GIL_DISABLED
static thrum_lock collecting;
#define LOCK() thrum_lock_acquire(&collecting)
#define UNLOCK() thrum_lock_release(&collecting)
#else
#define LOCK() (void)0
#define UNLOCK() (void)0
#endif

static void hang(watch *self, watch **head) {
    self->next = *head;
    POKE(self->link, head);
    if (self->next != NULL)
        POKE(self->next->link, &self->next);
    *head = self;
}

static void unhang(watch *self) {
    *self->link = self->next;
    if (self->next != NULL)
        POKE(self->next->link, self->link);
    POKE(self->link, NULL);
}

/* There is one fewer to come. Under the lock. */
static void count_down(collector *self, bool enough) {
    POKE(self->pending, self->pending - 1);
    if (enough || self->pending == 0)
        thrum_event_set(&self->event);
}

/* Into the row. Under the future's guard. */
static void collect(watch *self) {
    collector *owner = self->collector;
    unhang(self);
    self->next = NULL;
    LOCK();
    *owner->end = self;
    owner->end = &self->next;
    count_down(owner, owner->first || (owner->failure && self->future->exception != NULL));
    UNLOCK();
}

void watches_tell(future *self) {
    while (self->watches != NULL)
        collect(self->watches);
}

collector *collector_new(Py_ssize_t room, bool first, bool failure) {
    size_t most = (PY_SSIZE_T_MAX - sizeof(collector)) / sizeof(watch);
    collector *self = NULL;
    if ((size_t)room <= most)
        self = PyMem_RawMalloc(sizeof(collector) + (size_t)room * sizeof(watch));
    if (self == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    *self = (collector){.first = first, .failure = failure, .pending = 1};
    self->end = &self->done;
    return self;
}

static void release(watch *self) {
    future *watched = self->future;
    if (watched == NULL)
        return;
    Py_BEGIN_CRITICAL_SECTION(watched);
    if (self->link != NULL)
        unhang(self);
    self->future = NULL;
    Py_END_CRITICAL_SECTION();
    Py_DECREF(watched);
}

void collector_free(collector *self) {
    for (Py_ssize_t i = 0; i < self->length; i++)
        release(&self->watches[i]);
    PyMem_RawFree(self);
}

static bool is_added(const collector *self, const future *item) {
    for (const watch *other = item->watches; other != NULL; other = other->next) {
        if (other->collector == self)
            return true;
    }
    return false;
}

void collector_add(collector *self, future *item) {
    Py_BEGIN_CRITICAL_SECTION(item);
    if (!is_added(self, item)) {
        watch *added = &self->watches[self->length++];
        added->collector = self;
        added->future = (future *)Py_NewRef((PyObject *)item);
        LOCK();
        POKE(self->pending, self->pending + 1);
        UNLOCK();
        hang(added, &item->watches);
    }
    Py_END_CRITICAL_SECTION();
}

void collector_sort_out(collector *self) {
    for (Py_ssize_t i = 0; i < self->length; i++) {
        watch *next = &self->watches[i];
        Py_BEGIN_CRITICAL_SECTION(next->future);
        if (next->link != NULL && future_is_over(next->future))
            collect(next);
        Py_END_CRITICAL_SECTION();
    }
    LOCK();
    count_down(self, false);
    UNLOCK();
}

future *collector_take(collector *self) {
    LOCK();
    watch *first = self->done;
    future *taken = NULL;
    if (first != NULL) {
        taken = first->future;
        first->future = NULL;
        if ((self->done = first->next) == NULL)
            self->end = &self->done;
    }
    UNLOCK();
    return taken;
}

/* The futures that hang, or one of them, in an array to be freed; NULL: MemoryError. */
static future **hanging(collector *self, Py_ssize_t *n) {
    bool all = thrum_py_future_hooks != NULL && thrum_py_future_hooks->is_curious();
    future **futures = PyMem_RawMalloc((all ? (size_t)self->length : 1) * sizeof *futures);
    *n = 0;
    if (futures == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; futures != NULL && i < self->length && (all || *n == 0); i++) {
        if (PEEK(self->watches[i].link) != NULL)
            futures[(*n)++] = self->watches[i].future;
    }
    return futures;
}

outcome collector_wait(collector *self, thrum_deadline deadline) {
    outcome result = WOKEN;
    for (int rc = 1; rc > 0 && !thrum_event_is_set(&self->event);) {
        Py_ssize_t n;
        future **futures = hanging(self, &n);
        if (futures == NULL)
            return FAILED;
        rc = future_wait_begins(futures, n, deadline, !self->first && !self->failure);
        if (rc == 0) {
            result = park_on(&self->event, deadline);
            future_wait_ends();
        }
        PyMem_RawFree(futures);
        if (rc < 0)
            return FAILED;
    }
    return result;
}
