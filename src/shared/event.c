/* SPDX-License-Identifier: MIT */
#include <thrum/shared_event.h>

#include <limits.h>

#include "base/atomic.h"
#include "base/futex.h"
#include "shared/wait.h"

static const char NOUN[] = "shared event";
enum { SET = 1, WAITED_FOR = 2, ONE_SET = 4 };

void thrum_shared_event_set(thrum_shared_event *event) {
    uint32_t seen = thrum__load_relaxed(&event->thrum__word);
    uint32_t next;
    do /* one that is set is written again, so that what this thread did before is seen too */
        next = seen & SET ? seen : ((seen & ~(uint32_t)WAITED_FOR) + ONE_SET) | SET;
    /* release: pairs with thrum_shared_event_is_set(), has_ended() */
    while (!thrum__cas_release(&event->thrum__word, &seen, next));
    /* *event may be gone from here */
    if (seen & WAITED_FOR)
        thrum__futex_wake_shared(&event->thrum__word, INT_MAX);
}

void thrum_shared_event_clear(thrum_shared_event *event) {
    thrum__and_relaxed(&event->thrum__word, ~(uint32_t)SET);
}

bool thrum_shared_event_is_set(const thrum_shared_event *event) {
    /* acquire: pairs with thrum_shared_event_set() */
    return thrum__load_acquire(&event->thrum__word) & SET;
}

/* Whether the wait that began at `from` has ended. Tells what the word is now. */
static bool has_ended(const thrum_shared_event *event, uint32_t from, uint32_t *now) {
    /* acquire: pairs with thrum_shared_event_set() */
    *now = thrum__load_acquire(&event->thrum__word);
    return *now & SET || (*now ^ from) >= ONE_SET;
}

static int await(thrum_shared_event *event, thrum__shared_wait *wait) {
    uint32_t from = thrum__load_relaxed(&event->thrum__word);
    uint32_t now;
    int rc = 0;
    while (!has_ended(event, from, &now)) {
        if (rc < 0)
            return rc;
        if (!(now & WAITED_FOR) &&
            !thrum__cas_relaxed(&event->thrum__word, &now, now | WAITED_FOR))
            continue;
        rc = thrum__shared_sleep(&event->thrum__word, now | WAITED_FOR, wait);
    }
    return 0;
}

void thrum_shared_event_wait(thrum_shared_event *event) {
    thrum__shared_wait wait = thrum__shared_wait_for(NOUN, event);
    (void)await(event, &wait);
}

int thrum_shared_event_wait_until(thrum_shared_event *event, thrum_deadline deadline) {
    thrum__shared_wait wait = thrum__shared_wait_until(NOUN, event, deadline);
    return await(event, &wait);
}
