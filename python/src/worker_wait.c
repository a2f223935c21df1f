/* SPDX-License-Identifier: MIT */
/* A task that waits for another one of its pool runs it, if it has not started, or lets another
 * worker take its place. A circle of tasks that wait for each other without a time limit is an
 * error for the one that closes it. */
#include "executor.h"

#include <thrum/lock.h>

/* How many tasks a worker has on its stack at most, each in the place of waiting for it. */
#define DEEPEST 16
/* How many tasks of a circle are named. */
#define LONGEST_TRAIL 16

/* Guards what workers wait for; whoever stands there waits in a task that does not end
 * meanwhile. */
static thrum_lock circles;
static unsigned long walks; /* under the lock */

static bool is_lost(const future *task) {
    const pool *owner = owner_of(task);
    if (state_of(task) == FUTURE_PENDING || state_of(task) == FUTURE_CANCELLED)
        return (const void *)owner == &thrum_py_lost ||
               (owner != NULL && owner->generation != process_generation());
    const struct worker *runner = runner_of(task);
    return runner != NULL && runner != thrum_py_worker &&
           runner->generation != process_generation();
}

/* Ends what a thread of the parent process would have done. */
static int give_up(future *task) {
    bool runs = state_of(task) == FUTURE_RUNNING;
    set_owner(task, NULL);
    if (!runs)
        return future_cancel(task) < 0 || future_start(task) < 0 ? -1 : 1;
    PyErr_SetString(PyExc_RuntimeError, "the thread that ran this task is not in this process");
    return future_set_raised(task) < 0 ? -1 : 1;
}

/* Runs `task` here, apart from the one that waits for it: in an empty context. */
static int help(struct worker *me, future *task) {
    PyObject *context = me->pool->context ? NULL : PyContext_New();
    if (!me->pool->context && (context == NULL || PyContext_Enter(context) < 0)) {
        Py_XDECREF(context);
        return -1;
    }
    if (future_try_start(task) > 0) {
        me->depth++;
        run_task(me->pool, me, task);
        me->depth--;
    }
    PyErr_Clear();
    if (context != NULL) {
        PyContext_Exit(context);
        Py_DECREF(context);
    }
    return 1;
}

/* Runs what has not started: all, or the first. 1: something was run. */
static int help_some(struct worker *me, future *const *tasks, Py_ssize_t n, bool all) {
    int helped = 0;
    for (Py_ssize_t i = 0; i < n && helped >= 0 && (all || !helped); i++) {
        if (state_of(tasks[i]) == FUTURE_PENDING && owner_of(tasks[i]) == me->pool)
            helped = help(me, tasks[i]);
    }
    return helped;
}

/* Those that were cancelled need no worker to say so. 1: there were some. */
static int notify_cancelled(struct worker *me, future *const *tasks, Py_ssize_t n) {
    int found = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (state_of(tasks[i]) != FUTURE_CANCELLED || owner_of(tasks[i]) != me->pool)
            continue;
        if (future_try_start(tasks[i]) < 0)
            PyErr_Clear();
        found = 1;
    }
    return found;
}

static bool of_pool(const pool *self, const future *task) {
    if (state_of(task) == FUTURE_PENDING)
        return owner_of(task) == self;
    const struct worker *runner = runner_of(task);
    return runner != NULL && runner->pool == self;
}

/* Lets another worker come for what is ready. 0, or NO_WORKER or RAISED with an exception. */
static int block(struct worker *me) {
    pool *self = me->pool;
    if (self->blocked >= MOST_BLOCKED) {
        PyErr_Format(PyExc_RuntimeError, "%zd tasks of this executor wait for others of its tasks",
                     self->blocked);
        return RAISED;
    }
    me->blocked = true;
    self->busy--;
    POKE(self->blocked, self->blocked + 1);
    pool_recount(self);
    int rc = pool_wake(self);
    if (rc == NO_WORKER && self->workers > self->blocked) {
        PyErr_Clear();
        rc = 0;
    }
    return rc;
}

static void unblock(struct worker *me) {
    if (!me->blocked)
        return;
    me->blocked = false;
    POKE(me->pool->blocked, me->pool->blocked - 1);
    me->pool->busy++;
    pool_recount(me->pool);
}

/* What the last walk went along, from its end; under the lock. */
static future *trail[LONGEST_TRAIL];
static int trail_length;

static bool leads_to(struct worker *from, const struct worker *me);

static void go_along(future *task) {
    if (trail_length < LONGEST_TRAIL)
        trail[trail_length++] = task;
}

/* From what `runner` runs at last to `task`, which it runs around that. */
static void go_along_stack(const struct worker *runner, future *task) {
    const struct frame *at = runner->running, *end = at;
    while (end != NULL && end->task != task)
        end = end->around;
    for (; end != NULL && at != end; at = at->around)
        go_along(at->task);
    go_along(task);
}

/* Whether the wait of `me` for these cannot end before `me` goes on. */
static bool stuck(future *const *tasks, Py_ssize_t n, bool all, const struct worker *me) {
    const struct worker *by = NULL;
    future *found = NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        struct worker *runner = runner_of(tasks[i]);
        bool here = runner != NULL && leads_to(runner, me);
        if (!here && !all)
            return false;
        if (here) {
            found = tasks[i];
            by = runner;
        }
        if (here && all)
            break;
    }
    if (found != NULL)
        go_along_stack(by, found);
    return found != NULL;
}

static bool leads_to(struct worker *from, const struct worker *me) {
    if (from == me)
        return true;
    if (from->n_awaited == 0 || from->seen == walks)
        return false;
    from->seen = walks;
    return stuck(from->awaited, from->n_awaited, from->all, me);
}

static PyObject *name_of(future *task) {
    PyObject *fn;
    if (task == NULL)
        return PyUnicode_FromString("a task");
    Py_BEGIN_CRITICAL_SECTION(task);
    fn = Py_XNewRef(task->fn);
    Py_END_CRITICAL_SECTION();
    if (fn == NULL)
        return PyUnicode_FromString("a task");
    PyObject *name = PyObject_GetAttrString(fn, "__qualname__");
    if (name == NULL) {
        PyErr_Clear();
        name = PyObject_Repr(fn);
    }
    Py_DECREF(fn);
    return name;
}

/* RuntimeError for the circle of `names`, which are the names of functions. */
static void raise_circle(PyObject *names) {
    PyObject *arrow = PyUnicode_FromString(" -> ");
    PyObject *text = arrow == NULL ? NULL : PyUnicode_Join(arrow, names);
    if (text != NULL)
        PyErr_Format(PyExc_RuntimeError, "deadlock: tasks wait for each other: %U", text);
    Py_XDECREF(text);
    Py_XDECREF(arrow);
}

static int report_circle(const struct worker *me, future *const *around, int n) {
    future *innermost = me->running == NULL ? NULL : me->running->task;
    PyObject *names = PyList_New(n + 1);
    for (int i = 0; names != NULL && i <= n; i++) {
        PyObject *name = name_of(i == 0 ? innermost : around[n - i]);
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyList_SET_ITEM(names, i, name);
    }
    if (names != NULL)
        raise_circle(names);
    Py_XDECREF(names);
    return -1;
}

/* Says what `me` waits for; -1 with RuntimeError when that closes a circle. */
static int await(struct worker *me, future *const *tasks, Py_ssize_t n, bool all) {
    future *around[LONGEST_TRAIL];
    int length = 0;
    thrum_lock_acquire(&circles);
    walks++;
    trail_length = 0;
    if (stuck(tasks, n, all, me)) {
        for (; length < trail_length; length++)
            around[length] = (future *)Py_NewRef((PyObject *)trail[length]);
    } else {
        me->awaited = tasks;
        me->n_awaited = n;
        me->all = all;
    }
    thrum_lock_release(&circles);
    if (length == 0)
        return 0;
    report_circle(me, around, length);
    while (length > 0)
        Py_DECREF((PyObject *)around[--length]);
    return -1;
}

static void await_no_more(struct worker *me) {
    if (me->n_awaited == 0)
        return;
    thrum_lock_acquire(&circles);
    me->n_awaited = 0;
    thrum_lock_release(&circles);
}

/* No thread can be started to come for what `me` waits for, as in the end of the interpreter: it
 * is run here in any case. Keeps the exception if there is nothing to run. */
static int help_anyway(struct worker *me, future *const *tasks, Py_ssize_t n) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int helped = help_some(me, tasks, n, false);
    if (helped == 0) {
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return helped;
}

/* In a worker: what before_wait() does. */
static int worker_waits(struct worker *me, future *const *tasks, Py_ssize_t n, bool forever,
                        bool all) {
    pool *self = me->pool;
    int rc = 0;
    bool own = false;
    if (notify_cancelled(me, tasks, n))
        return 1;
    /* one that is not needed may itself wait for what `me` does next */
    bool needed = all || n == 1 || PEEK(self->blocked) >= MOST_BLOCKED;
    if (forever && needed && me->depth < DEEPEST && (rc = help_some(me, tasks, n, all)) != 0)
        return rc;
    for (Py_ssize_t i = 0; i < n && !own; i++)
        own = of_pool(self, tasks[i]);
    if (own) {
        Py_BEGIN_CRITICAL_SECTION(self);
        rc = block(me);
        Py_END_CRITICAL_SECTION();
    }
    if (rc == 0 && forever && await(me, tasks, n, all) < 0)
        rc = RAISED;
    if (rc == 0)
        return 0;
    Py_BEGIN_CRITICAL_SECTION(self);
    unblock(me);
    Py_END_CRITICAL_SECTION();
    return rc == NO_WORKER ? help_anyway(me, tasks, n) : -1;
}

static int before_wait(future *const *tasks, Py_ssize_t n, bool forever, bool all) {
    struct worker *me = thrum_py_worker;
    for (Py_ssize_t i = 0; process_generation() > 0 && i < n; i++) {
        if (is_lost(tasks[i]))
            return give_up(tasks[i]);
    }
    if (me == NULL || me->generation != process_generation())
        return 0;
    return worker_waits(me, tasks, n, forever, all);
}

static void after_wait(void) {
    struct worker *me = thrum_py_worker;
    if (me == NULL || me->generation != process_generation())
        return;
    await_no_more(me);
    Py_BEGIN_CRITICAL_SECTION(me->pool);
    unblock(me);
    Py_END_CRITICAL_SECTION();
}

/* These under the lock of the circles. */
static int workers;            /* in this process */
static unsigned counted_after; /* the generation of that count */
static bool orphans;           /* a parent process had workers when it forked */

void workers_counted(int more) {
    thrum_lock_acquire(&circles);
    if (counted_after != process_generation()) {
        counted_after = process_generation();
        orphans = orphans || workers > 0;
        workers = 0;
    }
    workers += more;
    thrum_lock_release(&circles);
}

/* A worker may run any of them, and in a child process any may be lost. */
static bool is_curious(void) {
    if (thrum_py_worker != NULL || process_generation() == 0)
        return thrum_py_worker != NULL;
    workers_counted(0);
    return orphans;
}

void worker_hooks(void) {
    static const struct future_hooks hooks = {before_wait, after_wait, is_curious};
    thrum_py_future_hooks = &hooks;
}
