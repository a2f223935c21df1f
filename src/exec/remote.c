/* SPDX-License-Identifier: MIT */
/* Executors with a backend. A canceller may come late with a future in hand: under
 * thrum__remote_lock a task that is not done keeps the pool, since that is freed under this lock
 * when all its tasks are done. */
#include "exec/remote.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "base/raw_lock.h"
#include "exec/hook.h"
#include "exec/options.h"
#include "exec/pool.h"
#include "thread/thread.h"

thrum__raw_lock thrum__remote_lock;

static __thread thrum_executor *served; /* NULL: none */
static __thread thrum__link later;      /* callbacks; a list while one is served */
static __thread thrum_future *owed;     /* failures of which a reference is to be dropped */

int thrum__remote_open(thrum_executor *pool, const thrum_executor_opts *opts) {
    int rc = opts->backend->open(pool, opts, &pool->remote);
    if (rc != 0)
        return rc;
    pool->backend = opts->backend;
    thrum__state_add(pool, THRUM__POOL_REMOTE | THRUM__POOL_PINNED);
    return 0;
}

void thrum__remote_close(thrum_executor *pool) {
    const thrum_backend *backend = pool->backend;
    thrum__raw_lock_acquire(&thrum__remote_lock);
    pool->backend = NULL;
    thrum__raw_lock_release(&thrum__remote_lock);
    backend->free(pool->remote);
}

int thrum__remote_refusal(const thrum_executor *pool) {
    int rc = thrum__pool_refusal(pool);
    if (rc != -ENOTSUP)
        return rc;
    return thrum__state_load(pool) & THRUM__POOL_CLOSED ? -ESHUTDOWN : 0;
}

int thrum__pool_not_taken(const char *call) {
    thrum__complain(
        "%s: not for a pool with a backend, which takes typed tasks (thrum/task.h), bytes "
        "(thrum/bytes.h), maps and streams",
        call);
    return -ENOTSUP;
}

void *thrum__remote_reserve(const thrum_executor *pool, thrum__remote_block *block, size_t size) {
    if (!pool->backend->reserve)
        return NULL;
    void *memory = pool->backend->reserve(pool->remote, size, &block->handle);
    block->release = memory ? pool->backend->release : NULL;
    return memory;
}

void thrum__remote_block_free(void *arg) {
    thrum__remote_block *block = arg;
    if (block->release)
        block->release(block->handle);
    free(block);
}

int thrum__remote_submit(thrum_executor *pool, thrum_future **out, void *(*fn)(void *),
                         thrum__remote_block *block, thrum__remote_task task) {
    return thrum__remote_submit_with(pool, out, fn, block, task, NULL);
}

/* RUNNING -> PENDING. */
static bool requeue(thrum_future *future) {
    uint32_t word = thrum__load_relaxed(&future->word);
    while ((word & THRUM__TASK_STATE) == THRUM__TASK_RUNNING)
        if (thrum__cas_relaxed(&future->word, &word, word - THRUM__TASK_RUNNING))
            return true;
    return false;
}

/* Under the lock. The pool of a task that is not done stays until that is unpinned; NULL: it is
 * done, or not of this process. */
static thrum_executor *pin(thrum_future *future) {
    if (thrum__task_done(future) || thrum__pool_gone(future->pool))
        return NULL;
    thrum__state_add(future->pool, THRUM__POOL_PINNED);
    return future->pool;
}

/* RUNNING -> PENDING on the way to CANCELLED, so that whoever claims is one. */
static bool cancel(thrum_future *future, bool running) {
    thrum__raw_lock_acquire(&thrum__remote_lock);
    thrum_executor *pool = pin(future);
    bool started = running && requeue(future);
    uint32_t word = thrum__task_finish(future, THRUM__TASK_CANCELLED, 0);
    if (word && started)
        future->pool->backend->cancelled(future->pool->remote);
    thrum__raw_lock_release(&thrum__remote_lock);
    if (pool && word && !started && pool->backend->withdrawn)
        pool->backend->withdrawn(pool->remote);
    thrum__pool_unpin(pool);
    if (!word)
        return (thrum__task_word(future) & THRUM__TASK_STATE) == THRUM__TASK_CANCELLED;
    thrum__options_disarm(future);
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_run(future); /* *future may be gone: a callback may free the caller's handle */
    return true;
}

bool thrum__remote_cancel_any(thrum_future *future) { return cancel(future, true); }

bool thrum__remote_cancel_waiting(thrum_future *future) { return cancel(future, false); }

const thrum_backend *thrum__remote_pin(thrum_future *future) {
    const thrum_backend *backend = NULL;
    thrum__raw_lock_acquire(&thrum__remote_lock);
    if (!thrum__task_done(future)) {
        backend = future->pool->backend;
        thrum__state_add(future->pool, THRUM__POOL_PINNED);
    }
    thrum__raw_lock_release(&thrum__remote_lock);
    return backend;
}

void thrum__remote_child_after_fork(void) {
    thrum__remote_lock = (thrum__raw_lock){0};
    served = NULL;
    thrum__remote_text_child_after_fork();
}

static bool is_timed(const thrum_future *future) {
    return (thrum__load_relaxed(&future->word) & THRUM__TASK_OPTIONS) &&
           future->options->deadline != INT64_MAX;
}

bool thrum__remote_start(thrum_future *future) {
    return !(is_timed(future) && thrum__options_late(future->options)) &&
           thrum__task_claim(future, THRUM__TASK_RUNNING);
}

/* If the timer has come while the task was RUNNING, nobody else ends it. */
bool thrum__remote_requeue(thrum_future *future) {
    if (!is_timed(future))
        return requeue(future);
    thrum__raw_lock_acquire(&thrum__remote_lock);
    bool done = !future->options->came && requeue(future);
    thrum__raw_lock_release(&thrum__remote_lock);
    return done;
}

bool thrum__remote_ended(const thrum_future *future) {
    uint32_t state = thrum__load_relaxed(&future->word) & THRUM__TASK_STATE;
    return state != THRUM__TASK_PENDING && state != THRUM__TASK_RUNNING;
}

static bool claim(thrum_future *future) {
    uint32_t word = thrum__load_relaxed(&future->word), now;
    while ((now = word & THRUM__TASK_STATE) == THRUM__TASK_RUNNING || now == THRUM__TASK_PENDING)
        if (thrum__cas_relaxed(&future->word, &word, word - now + THRUM__TASK_SETTING))
            return true;
    return false;
}

bool thrum__remote_take(thrum_future *future) {
    if (!claim(future))
        return false;
    thrum__options_disarm(future);
    return true;
}

void thrum__backend_serves(thrum_executor *executor) {
    served = executor;
    thrum__list_init(&later);
}

void thrum__backend_callbacks(void) {
    thrum__hooks_call(&later);
    for (thrum_future *future; (future = owed) != NULL;) {
        owed = future->next;
        thrum__task_unref(future); /* the excepthook may be called */
    }
}

bool thrum__remote_inside(const thrum_executor *pool) { return served && served == pool; }

void thrum__remote_desert(void) {
    thrum_executor *pool = served;
    served = NULL;
    if (!pool)
        return;
    thrum__backend_callbacks();
    pool->backend->desert(pool->remote);
}

static void call_hooks(thrum_future *future) {
    if (served)
        thrum__hooks_take(future, &later);
    else
        thrum__hooks_run(future);
}

static void complete(thrum_future *future, uint32_t state, uint32_t drop) {
    if (thrum__task_finish(future, state, drop) & THRUM__TASK_HOOKS)
        call_hooks(future);
}

void thrum__remote_succeed(thrum_future *future) {
    complete(future, THRUM__TASK_OK, THRUM__TASK_REF);
}

bool thrum__remote_succeed_quietly(thrum_future *future) {
    return thrum__task_finish_unhooked(future, THRUM__TASK_OK, THRUM__TASK_REF);
}

/* Drops the backend's reference of a failure. */
static void owe(thrum_future *future) {
    future->next = owed;
    owed = future;
}

void thrum__remote_fail(thrum_future *future, const thrum_failure *failure) {
    thrum__task_set_failure(future, failure, NULL);
    complete(future, THRUM__TASK_FAILED, served ? 0 : THRUM__TASK_REF);
    if (served)
        owe(future);
}

/* The backend has done with a task that has ended. */
static void let_go(thrum_future *future) {
    if (served && (thrum__load_relaxed(&future->word) & THRUM__TASK_STATE) == THRUM__TASK_FAILED)
        owe(future);
    else
        thrum__task_unref(future);
}

bool thrum__remote_cancel(thrum_future *future) {
    uint32_t word = thrum__task_finish(future, THRUM__TASK_CANCELLED, 0);
    if (word)
        thrum__options_disarm(future);
    if (word & THRUM__TASK_HOOKS)
        call_hooks(future);
    let_go(future);
    return word != 0;
}

bool thrum__remote_drop(thrum_future *future) {
    bool ends = false;
    if (is_timed(future) && !thrum__task_done(future)) {
        thrum__raw_lock_acquire(&thrum__remote_lock);
        ends = (future->options->came || thrum__options_late(future->options)) && claim(future);
        thrum__raw_lock_release(&thrum__remote_lock);
    }
    if (ends) {
        thrum__options_disarm(future);
        thrum__task_set_failure(future, &thrum__options_expired, future->pool->name_prefix);
        complete(future, THRUM__TASK_FAILED, 0);
    }
    let_go(future);
    return ends;
}

typedef struct here {
    thrum__named named;
    void (*run)(void *);
    void *arg;
} here;

static void *run_here(void *arg) {
    here *it = arg;
    it->run(it->arg);
    return NULL;
}

int thrum__remote_run(const char *name, const char *given, void (*run)(void *), void *arg,
                      thrum_failure *failure, char *text, size_t size) {
    here it = {{name}, run, arg};
    uint64_t tally = 0;
    thrum__options *options =
        given ? thrum__options_new(&(thrum_task_opts){.name = given}) : NULL;
    thrum_future *task = thrum__task_new(THRUM__TASK_REF | THRUM__TASK_RUNNING | THRUM__TASK_NAMED);
    name = given ? given : name;
    *failure = (thrum_failure){.code = -ENOMEM, .message = "no memory to run it", .task = name};
    if (!task) {
        free(options);
        return -ENOMEM;
    }
    if (options)
        thrum__options_add(task, options);
    task->fn = run_here;
    task->value = &it;
    thrum__task_run(task, NULL, &tally, 0);
    const thrum_failure *found = thrum__task_failure(task);
    if (found) {
        snprintf(text, size, "%s", found->message);
        *failure = *found;
        failure->message = text;
        failure->thread = NULL;
        failure->task = name; /* that one's goes with the record */
        thrum__task_mark_read(task);
    }
    thrum__task_unref(task);
    return found ? failure->code : 0;
}

void thrum__remote_report(const thrum_failure *failure) { thrum__failure_report(failure); }

void thrum__remote_be(const char *name) { thrum__failure_process = name; }

void thrum__remote_complain(const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    thrum__complain("%s", line);
}

void thrum__backend_rested(thrum_executor *executor) { thrum__pool_unpin(executor); }
