/* SPDX-License-Identifier: MIT */
#include "toolbox.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

/* How many forks lie behind this process. Written in a child while it has one thread. */
static unsigned generation;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static void forked(void) { generation++; }

static void watch(void) { pthread_atfork(NULL, NULL, forked); }

struct waiter *waiter_new(void) {
    struct waiter *waiter = PyMem_RawCalloc(1, sizeof *waiter);
    if (waiter == NULL)
        PyErr_NoMemory();
    pthread_once(&watched, watch);
    return waiter;
}

unsigned process_generation(void) { return generation; }

void waiter_free(struct waiter *waiter) { PyMem_RawFree(waiter); }

void waitlist_clear(waitlist *list) {
    *list = (waitlist){.generation = generation};
}

Py_ssize_t waitlist_length(waitlist *list) {
    if (list->generation != generation) {
        bool over = list->over;
        waitlist_clear(list);
        list->over = over;
    }
    return list->length;
}

void enqueue(waitlist *list, struct waiter *waiter, bool in_front) {
    waitlist_length(list);
    waiter->list = list;
    waiter->generation = generation;
    waiter->woken = false;
    waiter->previous = in_front ? NULL : list->last;
    waiter->next = in_front ? list->first : NULL;
    *(waiter->previous ? &waiter->previous->next : &list->first) = waiter;
    *(waiter->next ? &waiter->next->previous : &list->last) = waiter;
    list->length++;
}

static void dequeue(struct waiter *waiter) {
    waitlist *list = waiter->list;
    waiter->list = NULL;
    if (waiter->generation != generation)
        return;
    *(waiter->previous ? &waiter->previous->next : &list->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &list->last) = waiter->previous;
    list->length--;
}

struct waiter *dequeue_first(waitlist *list) {
    if (waitlist_length(list) == 0)
        return NULL;
    struct waiter *first = list->first;
    dequeue(first);
    return first;
}

bool wake_first(waitlist *list) {
    struct waiter *first = dequeue_first(list);
    if (first == NULL)
        return false;
    first->woken = true;
    thrum_event_set(&first->event);
    return true;
}

void wake_for(waitlist *list, Py_ssize_t tokens) {
    while (list->first != NULL && waitlist_length(list) > 0 && tokens > list->pending) {
        list->pending++;
        wake_first(list);
    }
}

void end_waits(waitlist *list) {
    list->over = true;
    while (waitlist_length(list) > 0) {
        list->pending++;
        wake_first(list);
    }
}

/* Runs the signal handlers: whether the wait is over. Who looks for a token leaves its place first:
 * woken while a handler runs, it could not come for the token, and the handler may wait for who
 * comes next. A handler may have forked, and then this is the child, where nobody knows the waiter:
 * it has to look again. */
static bool interrupted(struct waiter *waiter, outcome *result) {
    if (waiter->looks || waiter->moved)
        dequeue(waiter);
    bool raised = PyErr_CheckSignals() < 0;
    bool forked_here = waiter->generation != generation;
    if (waiter->list != NULL && (raised || forked_here))
        dequeue(waiter);
    *result = raised ? FAILED : WOKEN;
    return waiter->list == NULL;
}

outcome park(struct waiter *waiter, thrum_deadline deadline, bool signals) {
    for (;;) {
        int rc;
        outcome result;
        Py_BEGIN_ALLOW_THREADS
        bool before = thrum_interruptible(signals);
        rc = thrum_event_wait_until(&waiter->event, deadline);
        thrum_interruptible(before);
        Py_END_ALLOW_THREADS
        if (waiter->list == NULL)
            return WOKEN;
        if (rc == -EINTR) {
            if (interrupted(waiter, &result))
                return result;
        } else if (waiter->moved) {
            deadline = THRUM_NEVER;
        } else {
            dequeue(waiter);
            return TIMED_OUT;
        }
    }
}

outcome park_on(thrum_event *event, thrum_deadline deadline) {
    int rc;
    do {
        Py_BEGIN_ALLOW_THREADS
        bool before = thrum_interruptible(true);
        rc = thrum_event_wait_until(event, deadline);
        thrum_interruptible(before);
        Py_END_ALLOW_THREADS
        if (rc == -EINTR && PyErr_CheckSignals() < 0)
            return FAILED;
    } while (rc == -EINTR);
    return rc == 0 ? WOKEN : TIMED_OUT;
}

void leave(struct waiter *waiter) {
    if (waiter->list != NULL)
        dequeue(waiter);
}

outcome wait_again(struct waiter *waiter, waitlist *list, const Py_ssize_t *tokens,
                   thrum_deadline deadline, bool signals, bool in_front) {
    outcome result = WOKEN;
    while (result == WOKEN && *tokens <= 0 && !list->over) {
        waiter->event = (thrum_event)THRUM_EVENT_INIT;
        waiter->looks = true;
        enqueue(list, waiter, in_front);
        result = park(waiter, deadline, signals);
        if (waiter->woken && waiter->generation == list->generation)
            list->pending--;
        in_front = true;
    }
    if (result == FAILED)
        wake_for(list, *tokens);
    return *tokens > 0 && result == TIMED_OUT ? WOKEN : result;
}

outcome wait_for_token(waitlist *list, const Py_ssize_t *tokens, thrum_deadline deadline,
                       bool signals) {
    struct waiter *waiter = waiter_new();
    if (waiter == NULL)
        return FAILED;
    outcome result = wait_again(waiter, list, tokens, deadline, signals, false);
    waiter_free(waiter);
    return result;
}

int deadline_of(PyObject *timeout, thrum_deadline *deadline) {
    double limit = 9223372036.0; /* threading.TIMEOUT_MAX */
    *deadline = THRUM_NEVER;
    if (timeout == NULL || timeout == Py_None)
        return 0;
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
        return -1;
    }
    if (seconds > limit) {
        PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
        return -1;
    }
    *deadline = thrum_in(seconds);
    return 0;
}

int deadline_if_positive(PyObject *timeout, thrum_deadline *deadline) {
    int overflow = 0;
    bool passed = PyFloat_Check(timeout) && isnan(PyFloat_AS_DOUBLE(timeout));
    if (PyLong_Check(timeout))
        passed = PyLong_AsLongAndOverflow(timeout, &overflow) < 0 && overflow < 0;
    *deadline = thrum_in(0);
    return passed ? 0 : deadline_of(timeout, deadline);
}

PyObject *seconds_until(thrum_deadline deadline) {
    if (deadline.ns == THRUM_NEVER.ns)
        return Py_NewRef(Py_None);
    int64_t left = deadline.ns - thrum_now().ns;
    return PyFloat_FromDouble(left > 0 ? (double)left * 1e-9 : 0);
}
