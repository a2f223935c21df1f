/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include "base/atomic.h"
#include "park/lot.h"
#include "park/strand.h"

void spec_yield(void) { thrum__strand_self()->ops->yield(); }

void spec_perhaps_yield(void) {
    if (spec_random(3) == 0)
        spec_yield();
}

int spec_waiting(const void *address) {
    thrum__bucket *bucket = thrum__lot_lock(address);
    thrum__waiter *first = thrum__lot_first(bucket, address);
    int n = first ? 1 : 0;
    if (first)
        THRUM__EACH(link, &first->queued) n += 1;
    thrum__lot_unlock(bucket);
    return n;
}

void spec_until_waiting(const void *address, int n) {
    while (spec_waiting(address) != n)
        spec_yield();
}

int spec_strands_waiting(void) {
    int n = 0;
    thrum__link *list = thrum__registry_lock();
    THRUM__EACH(link, list) {
        thrum__strand *strand = THRUM__MEMBER(thrum__strand, listed, link);
        n += thrum__load_relaxed(&strand->waiting_kind) != NULL;
    }
    thrum__registry_unlock();
    return n;
}

void spec_until_strands_waiting(int n) {
    while (spec_strands_waiting() < n)
        spec_yield();
}

void spec_until_strands_woken(int n) {
    while (spec_strands_waiting() > n)
        spec_yield();
}

thrum_thread *spec_start(void *(*fn)(void *), void *arg) {
    thrum_thread *thread = NULL;
    assert_int_equal(thrum_thread_start(&thread, fn, arg, NULL), 0);
    assert_non_null(thread);
    return thread;
}

void *spec_join(thrum_thread *thread) {
    void *result = NULL;
    assert_int_equal(thrum_thread_join(thread, &result), 0);
    thrum_thread_free(thread);
    return result;
}

void spec_team_start(spec_team *team, int n, void *(*fn)(void *), void *arg) {
    assert_true(team->n + n <= SPEC_TEAM_MAX);
    while (n-- > 0)
        team->threads[team->n++] = spec_start(fn, arg);
}

void spec_team_join(spec_team *team) {
    while (team->n > 0)
        spec_join(team->threads[--team->n]);
}
