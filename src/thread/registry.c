/* SPDX-License-Identifier: MIT */
/* Who there is: records of threads, their names, current, main, enumerate; and what a fork
 * leaves. */
#include <thrum/thread.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "park/lot.h"
#include "sync/holder.h"
#include "sync/local.h"
#include "thread/thread.h"

static thrum_thread *main_record; /* under the registry lock */
static uint32_t dummy_counter; /* relaxed: for the names "Dummy-N" */

static thrum__name *new_name(const char *text) {
    size_t size = strlen(text) + 1;
    thrum__name *name = malloc(sizeof *name + size);
    if (name) {
        name->older = NULL;
        memcpy(name->text, text, size);
    }
    return name;
}

thrum_thread *thrum__thread_new(const char *name, const char *kind, uint32_t *counter) {
    char text[32];
    if (!name) {
        snprintf(text, sizeof text, "%s-%u", kind,
                 (unsigned)(thrum__add_relaxed(counter, 1) + 1));
        name = text;
    }
    thrum_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->names = new_name(name);
    if (!thread->names) {
        free(thread);
        return NULL;
    }
    thread->refs = 1;
    return thread;
}

static thrum_thread *bind(thrum_thread *thread, thrum__strand *strand) {
    thread->strand = strand;
    thread->ident = strand->id;
    thread->native_id = strand->native_id;
    thread->daemon = strand != thrum__strand_main;
    if (strand == thrum__strand_main) {
        main_record = thread;
        thread->refs++; /* for ever: thrum_thread_main() lends it */
    }
    /* release: pairs with thrum__thread_of() */
    thrum__store_release(&strand->thread, thread);
    return thread;
}

thrum_thread *thrum__thread_record(thrum__strand *strand) {
    if (strand->thread)
        return strand->thread;
    const char *name = strand == thrum__strand_main ? "MainThread" : NULL;
    thrum_thread *thread = thrum__thread_new(name, "Dummy", &dummy_counter);
    return thread ? bind(thread, strand) : NULL;
}

/* An adopted thread, or main, ends. */
static void on_end(thrum__strand *strand) {
    thrum__local_end(strand);
    thrum__local_free(strand);
    thrum__registry_lock();
    bool is_main = strand == thrum__strand_main;
    thrum_thread *thread = is_main ? thrum__thread_record(strand) : strand->thread;
    if (thread) {
        thread->strand = NULL;
        if (is_main)
            thrum__thread_cancelled(thread);
    }
    strand->thread = NULL;
    thrum__list_remove(&strand->listed);
    if (is_main)
        thrum__store_relaxed(&thrum__strand_main, NULL);
    thrum__registry_unlock();
    if (thread) {
        thrum__thread_ended(thread);
        thrum__thread_unref(thread);
    }
    if (is_main)
        thrum__exit_if_last();
}

/* In the child of a fork: `strand` belonged to a thread that is not there. */
static void on_fork(thrum__strand *strand) {
    thrum_thread *thread = strand->thread;
    thrum__local_forget(strand);
    if (!thread)
        return;
    thread->strand = NULL;
    thread->reaped = true;
    thread->reaping = (thrum_lock)THRUM_LOCK_INIT;
    thread->raised = false; /* it never came to be reported */
    thrum__thread_cancelled(thread);
    thrum__store_relaxed(&thread->ended, 1);
    thrum__thread_unref(thread);
}

static void child_after_fork(void) {
    thrum__strand *self = thrum__strand_peek();
    thrum_thread *thread = self ? self->thread : NULL;
    main_record = thread;
    if (thread) {
        thread->native_id = self->native_id;
        thread->refs++; /* it is main now */
    }
    thrum__failure_child_after_fork();
    thrum__exit_child_after_fork();
}

static const thrum__fork_hooks fork_hooks = {.child = child_after_fork};

static _Bool name_of(uint32_t id, char *text, size_t size) {
    thrum__registry_lock();
    thrum__strand *strand = thrum__registry_find(id);
    if (strand && strand->thread)
        snprintf(text, size, "%s", thrum_thread_name(strand->thread));
    else if (strand)
        snprintf(text, size, "foreign thread %lld", (long long)strand->native_id);
    thrum__registry_unlock();
    return strand != NULL;
}

__attribute__((constructor)) static void set_hooks(void) {
    thrum__strand_on_end = on_end;
    thrum__strand_on_fork = on_fork;
    thrum__holder_name = name_of;
    thrum__fork_register(THRUM__FORK_THREAD, &fork_hooks);
}

const char *thrum_thread_name(const thrum_thread *thread) {
    /* acquire: pairs with thrum_thread_set_name() */
    return thrum__load_acquire(&thread->names)->text;
}

int thrum_thread_set_name(thrum_thread *thread, const char *text) {
    if (!text)
        return -EINVAL;
    thrum__name *name = new_name(text);
    if (!name)
        return -ENOMEM;
    thrum__registry_lock();
    name->older = thread->names;
    /* release: pairs with thrum_thread_name() */
    thrum__store_release(&thread->names, name);
    if (thread->strand && thread->strand != thrum__strand_main)
        thread->strand->ops->set_name(thread->strand, text);
    thrum__registry_unlock();
    return 0;
}

uint32_t thrum_thread_ident(const thrum_thread *thread) { return thread->ident; }

int64_t thrum_thread_native_id(const thrum_thread *thread) { return thread->native_id; }

bool thrum_thread_is_daemon(const thrum_thread *thread) { return thread->daemon; }

static thrum_thread *record_or_enomem(thrum__strand *strand) {
    thrum_thread *thread = strand ? thrum__thread_record(strand) : main_record;
    thrum__registry_unlock();
    if (!thread)
        errno = ENOMEM;
    return thread;
}

thrum_thread *thrum_thread_current(void) {
    thrum__strand *self = thrum__strand_self();
    thrum_thread *thread = thrum__thread_of(self);
    if (thread)
        return thread;
    thrum__registry_lock();
    return record_or_enomem(self);
}

thrum_thread *thrum__thread_ref_current(void) {
    thrum_thread *thread = thrum__thread_of(thrum__strand_self());
    thrum__registry_lock();
    thread->handles++;
    thrum__add_relaxed(&thread->refs, 1);
    thrum__registry_unlock();
    return thread;
}

thrum_thread *thrum_thread_main(void) {
    thrum__strand_self();
    thrum__registry_lock();
    return record_or_enomem(thrum__strand_main);
}

int thrum_thread_active_count(void) { return thrum_thread_enumerate(NULL, 0); }

int thrum_thread_enumerate(thrum_thread **out, int n) {
    int count = 0;
    thrum__strand_self();
    thrum__link *registry = thrum__registry_lock();
    THRUM__EACH(link, registry) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        thrum_thread *thread = count < n ? thrum__thread_record(strand) : NULL;
        if (count < n && !thread)
            continue; /* no memory for its record */
        if (thread) {
            thread->handles++;
            thrum__add_relaxed(&thread->refs, 1);
            out[count] = thread;
        }
        count++;
    }
    thrum__registry_unlock();
    return count;
}
