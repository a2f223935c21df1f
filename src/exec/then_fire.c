/* SPDX-License-Identifier: MIT */
/* What becomes of a continuation when the future before it is done: where it runs, or why it does
 * not. */
#include "exec/then.h"

#include <errno.h>
#include <pthread.h>

#include <thrum/thread.h>

#include "base/fork.h"
#include "exec/options.h"
#include "exec/part.h"
#include "exec/pool.h"
#include "thread/thread.h"

/* Completes `out`, which the caller has claimed. */
static void finish(thrum_future *out, uint32_t state, thrum__link *more) {
    if (thrum__task_finish(out, state, 0) & THRUM__TASK_HOOKS)
        thrum__hooks_take(out, more);
}

void thrum__then_fail(thrum_future *out, const thrum_failure *failure, const char *thread,
                 thrum__link *more) {
    thrum__options_disarm(out);
    out->value = NULL;
    thrum__task_set_failure(out, failure, thread);
    finish(out, THRUM__TASK_FAILED, more);
}

/* What is to be let go of when one has been fired. */
typedef struct firing {
    thrum__then *it;
    uint32_t held;        /* references of `it` */
    thrum_future *source; /* a reference, NULL none; as the next */
    thrum_future *out;
    thrum_executor *pinned; /* NULL: none */
} firing;

static void drop_task(const firing *at) {
    if (at->held)
        thrum__then_drop(at->it, at->held);
    if (at->out)
        thrum__task_unref(at->out);
}

static void drop_source(void *arg) {
    const firing *at = arg;
    if (at->source)
        thrum__task_unref(at->source);
}

/* Each may call the excepthook, which may never come back. A shutdown waits for what is reported of
 * a task of its pool. */
static void fired(void *arg) {
    firing *at = arg;
    pthread_cleanup_push(drop_source, at);
    if (at->pinned) {
        thrum__pinned pinned; /* not filled: most of it is for failures */
        thrum__pinned_begin(&pinned, at->pinned);
        pthread_cleanup_push(thrum__pinned_let_go, &pinned);
        drop_task(at);
        pthread_cleanup_pop(1);
    } else {
        drop_task(at);
    }
    pthread_cleanup_pop(1);
}

/* A continuation that runs in the middle of something else: a part, so that exit() finds its
 * end. */
typedef struct here {
    thrum__part part;
    firing *firing;
    thrum__link *more;
    void *result;
    bool returned;
    bool alias;
} here;

/* `meant`: nobody has to read that it did not return. */
static void end_here(here *it, const char *why, bool meant) {
    thrum__frame *frame = &it->part.frame;
    thrum_future *out = frame->task;
    thrum__part_end(&it->part);
    thrum__add_relaxed(frame->tally, 1);
    if (it->returned && !frame->raised) {
        out->value = it->result;
        finish(out, THRUM__TASK_OK, it->more);
        return;
    }
    if (!frame->raised)
        frame->failure = (thrum_failure){.code = -ECANCELED, .message = why};
    const thrum_thread *thread = thrum_thread_current();
    out->value = NULL;
    thrum__task_set_failure(out, &frame->failure, thread ? thrum_thread_name(thread) : NULL);
    if (meant && !frame->raised)
        thrum__task_excuse(out);
    finish(out, THRUM__TASK_FAILED, it->more);
}

/* Its end, by pthread_exit() or a cancellation too. */
static void ended_here(void *arg) {
    here *it = arg;
    thrum_executor *slot = it->part.frame.slot;
    end_here(it, "its thread ended in the middle of it", false);
    if (it->alias)
        thrum__strand_alias_leave(thrum__strand_self());
    if (slot)
        thrum__pool_release_slot(slot);
}

/* The strand is inside exit(). The slot is given back by who calls this. */
static void desert(thrum__part *part) {
    here *it = THRUM__MEMBER(here, part, part);
    end_here(it, "exit() was called in the middle of it", true);
    fired(it->firing);
}

static void *call(const thrum__then *it, thrum_future *source) {
    if (it->always)
        thrum__task_mark_read(source);
    return it->fn(source, it->arg);
}

/* Runs it in the current strand, with a slot of `slot` that is taken (NULL: none). */
static void run_here(firing *from, thrum_future *source, thrum_executor *slot, uint64_t *tally,
                     thrum__link *more) {
    thrum__then *it = from->it;
    thrum__strand *self = thrum__strand_self();
    thrum__whole whole; /* not filled: only what a part reads at its beginning */
    here at;
    thrum__options_disarm(it->out);
    whole.task = it->out;
    whole.name = NULL;
    thrum__part_begin(&at.part, &whole);
    at.part.desert = desert;
    at.part.frame.slot = slot;
    at.part.frame.tally = tally;
    at.firing = from;
    at.more = more;
    at.returned = false;
    at.alias = slot && thrum__strand_alias_enter(self);
    thrum__store_relaxed(&it->out->runner, self->id);
    pthread_cleanup_push(ended_here, &at);
    at.result = call(it, source);
    at.returned = true;
    pthread_cleanup_pop(1);
}

/* The pool has no room or no worker for it. It is run in a slot, and stays PINNED as well until it
 * has been let go of. */
static void run_for_pool(firing *at, thrum_future *source, uint64_t *tally, thrum__link *more) {
    thrum_executor *slot = at->pinned;
    if (slot)
        thrum__state_add(slot, THRUM__POOL_BUSY);
    run_here(at, source, slot, tally, more);
}

const thrum_failure thrum__then_shut_down = {
    .code = -ESHUTDOWN, .message = "its pool was shut down before it could start"};

static const thrum_failure *refusal(const thrum__then *it, int code) {
    static const thrum_failure gone = {.code = -EPIPE,
                                       .message = "its pool was made before the fork"};
    static const thrum_failure broken = {.code = -EPIPE, .message = "its pool is broken"};
    if (code == -ESHUTDOWN)
        return &thrum__then_shut_down;
    if (it->fork_generation != thrum__fork_generation())
        return &gone;
    return it->pool->broken ? thrum__cold_failure(it->pool->broken) : &broken;
}

static bool ran(const thrum_future *task) {
    return (thrum__load_relaxed(&task->word) & THRUM__TASK_STATE) != THRUM__TASK_CANCELLED;
}

static bool late(const thrum_future *out) {
    bool with = (thrum__load_relaxed(&out->word) & THRUM__TASK_OPTIONS) != 0;
    return with && thrum__options_late(out->options);
}

/* The pool has got it. Returns whether it is claimed to be run here, since no worker can be had
 * (`alone`). If its deadline has come, its timer may have passed it by while it was handed over;
 * who hears of that may never come back. */
static bool claim_again(const firing *at, bool alone) {
    thrum__pinned pinned; /* not filled: most of it is for failures */
    bool claimed;
    if (!alone && !late(at->out))
        return false;
    if (!at->pinned)
        return thrum__pool_claim(at->out);
    thrum__pinned_begin(&pinned, at->pinned);
    pthread_cleanup_push(thrum__pinned_end, &pinned);
    claimed = thrum__pool_claim(at->out);
    pthread_cleanup_pop(1);
    return claimed;
}

/* Hands it to its pool, which stays for that long. */
static void submit_late(firing *at, thrum_future *source, thrum__link *more) {
    thrum__then *it = at->it;
    thrum_future *out = it->out;
    thrum_executor *pool = it->pool;
    uint32_t held = it->held = at->held;
    it->source = thrum_future_ref(source);
    it->owns = false;
    at->held = 0;
    bool continues = source->pool == pool && ran(source);
    int rc = thrum__submit_late(pool, out, continues); /* 0: *it may be gone */
    bool queued = rc == 0 || rc == -EAGAIN;
    if (queued)
        at->out = out;
    if (queued && !claim_again(at, rc != 0))
        return;
    it->owns = !queued;
    at->held = held;
    at->source = it->source;
    if (rc == -EAGAIN) {
        /* release: pairs with thrum__pool_queued() */
        thrum__add_release(&pool->helped, 1);
        run_for_pool(at, source, &pool->completed, more);
    } else if (rc > 0) {
        run_for_pool(at, source, &pool->caller_ran, more);
    } else {
        thrum__then_fail(out, refusal(it, rc), NULL, more);
    }
}

static bool passes(thrum_future *source, thrum__hook *hook) {
    return !THRUM__MEMBER(thrum__then, call.hook, hook)->always && thrum__task_failure(source);
}

/* Ends the waiting of what the caller has claimed. */
static void start(firing *at, thrum_future *source, bool listed, thrum__link *more) {
    thrum__then *it = at->it;
    uint64_t tally = 0;
    if (thrum__task_failure(source) && !it->always) {
        thrum__options_disarm(it->out);
        it->out->value = NULL;
        thrum__task_pass_failure(source, it->out);
        finish(it->out, THRUM__TASK_FAILED, more);
    } else if (late(it->out)) {
        thrum__then_fail(it->out, &thrum__options_expired, NULL, more);
    } else if (!it->pool) {
        run_here(at, source, NULL, &tally, more);
    } else if (listed) {
        submit_late(at, source, more);
    } else {
        bool ours = it->fork_generation == thrum__fork_generation();
        thrum__then_fail(it->out, refusal(it, ours ? -ESHUTDOWN : -EPIPE), NULL, more);
    }
}

/* It is cancelled as the future before it was. Returns whether the caller did that. */
static bool pass_cancel(thrum_future *out, thrum__link *more) {
    uint32_t word = thrum__task_finish(out, THRUM__TASK_CANCELLED, 0);
    if (word) {
        thrum__options_disarm(out);
        out->value = NULL;
    }
    if (word & THRUM__TASK_HOOKS)
        thrum__hooks_take(out, more);
    return word != 0;
}

static void fire(thrum_future *source, thrum__hook *hook, thrum__link *more) {
    thrum__then *it = THRUM__MEMBER(thrum__then, call.hook, hook);
    uint32_t state = thrum__load_relaxed(&source->word) & THRUM__TASK_STATE;
    bool pin = it->pool && !thrum__pool_inside(it->pool);
    bool listed = thrum__then_unlist(it, pin);
    firing at = {.it = it, .held = 1 + listed, .pinned = pin && listed ? it->pool : NULL};
    pthread_cleanup_push(fired, &at);
    if (state == THRUM__TASK_CANCELLED && !it->always) {
        at.held += pass_cancel(it->out, more);
    } else if (thrum__task_claim(it->out, it->pool ? THRUM__TASK_SETTING : THRUM__TASK_RUNNING)) {
        at.held++;
        start(&at, source, listed, more);
    }
    pthread_cleanup_pop(1);
}

/* The promise before it was given up. */
static void given_up(thrum__hook *hook, thrum__link *more) {
    static const thrum_failure failure = {.code = -EPIPE,
                                          .message = "the promise before it was given up"};
    thrum__then *it = THRUM__MEMBER(thrum__then, call.hook, hook);
    uint32_t held = 1 + thrum__then_unlist(it, false);
    if (thrum__task_claim(it->out, THRUM__TASK_SETTING)) {
        thrum__then_fail(it->out, &failure, NULL, more);
        held++;
    }
    thrum__then_drop(it, held);
}

const thrum__hook_ops thrum__then_hook_ops = {
    .call = fire, .passes = passes, .drop = given_up};

/* The end of its function, by pthread_exit() or a cancellation too. */
static void ended(void *arg) {
    thrum__then *it = arg;
    it->out->value = NULL; /* the result, if there is one, comes afterwards */
    thrum__task_unref(it->source);
    thrum__then_drop(it, it->held);
}

void *thrum__then_run(void *arg) {
    thrum__then *it = arg;
    void *result;
    pthread_cleanup_push(ended, it);
    result = call(it, it->source);
    pthread_cleanup_pop(1);
    return result;
}
