/* SPDX-License-Identifier: MIT */
#include <thrum/time.h>

#include <errno.h>

#include "park/lot.h"

static const double NS_PER_S = 1e9;
static const double NS_MAX = 9.2e18; /* 292 years */

static const thrum__wait_kind sleep_kind = {"time", NULL};

thrum_deadline thrum_now(void) { return (thrum_deadline){thrum__strand_now()}; }

thrum_deadline thrum_in(double seconds) {
    int64_t now = thrum__strand_now();
    double ns = seconds * NS_PER_S;
    if (!(ns > 0))
        return (thrum_deadline){now};
    if (ns >= NS_MAX || (int64_t)ns > INT64_MAX - now)
        return THRUM_NEVER;
    return (thrum_deadline){now + (int64_t)ns};
}

int thrum_sleep(double seconds) {
    return seconds > 0 ? thrum_sleep_until(thrum_in(seconds)) : 0;
}

int thrum_sleep_until(thrum_deadline deadline) {
    thrum__waiter waiter;
    const void *own = thrum__strand_self(); /* nobody else waits or wakes there */
    thrum__bucket *bucket = thrum__lot_lock(own);
    thrum__lot_enqueue(bucket, &waiter, own, &sleep_kind);
    int rc = thrum__lot_park(bucket, &waiter, deadline.ns, THRUM__PARK_INTERRUPTIBLE);
    thrum__lot_done(&waiter);
    return rc == -ETIMEDOUT ? 0 : rc;
}

bool thrum_interruptible(bool on) {
    thrum__strand *self = thrum__strand_self();
    bool before = self->interruptible;
    self->interruptible = on;
    return before;
}
