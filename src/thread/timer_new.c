/* SPDX-License-Identifier: MIT */
/* From arguments to a timer. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/panic.h"
#include "thread/timer.h"

static const double NS_PER_S = 1e9;
static const double NS_MAX = 9.2e18;

static uint32_t last_number; /* relaxed */

int thrum__timer_check(double seconds, void (*fn)(void *), const thrum_timer_opts *opts) {
    const char *bad = !fn ? "fn is NULL" : isnan(seconds) ? "seconds is NaN" : NULL;
    for (size_t i = 0; opts && i < sizeof opts->reserved / sizeof opts->reserved[0]; i++)
        if (opts->reserved[i])
            bad = "a reserved option is not zero";
    if (opts && !(opts->every >= 0))
        bad = "every is negative or NaN";
    if (opts && opts->executor && !thrum__timer_pools())
        bad = "executor is not a pool of this program";
    if (bad)
        thrum__complain("thrum_timer_start: %s", bad);
    return bad ? -EINVAL : 0;
}

static int64_t every_ns(double seconds) {
    double ns = seconds * NS_PER_S;
    if (ns >= NS_MAX)
        return INT64_MAX;
    return ns > 0 && ns < 1 ? 1 : (int64_t)ns;
}

thrum_timer *thrum__timer_new(void (*fn)(void *), void *arg, const thrum_timer_opts *opts) {
    const char *name = opts && opts->name ? opts->name : "";
    size_t size = strlen(name) + 1;
    thrum_timer *timer = malloc(sizeof *timer + size);
    if (!timer)
        return NULL;
    *timer = (thrum_timer){.fn = fn,
                           .arg = arg,
                           .every = opts ? every_ns(opts->every) : 0,
                           .daemon = opts && opts->daemon,
                           .executor = opts ? opts->executor : NULL};
    thrum__list_init(&timer->away);
    if (timer->executor)
        timer->generation = thrum__timer_pools()->generation(timer->executor);
    if (!opts || !opts->name)
        timer->number = thrum__add_relaxed(&last_number, 1) + 1;
    memcpy(timer->name, name, size);
    return timer;
}

const char *thrum__timer_name(const thrum_timer *timer, char *text, size_t size) {
    if (timer->number == 0)
        return timer->name;
    snprintf(text, size, "Timer-%u", (unsigned)timer->number);
    return text;
}

int64_t thrum__timer_next_due(const thrum_timer *timer, int64_t now) {
    int64_t late = now > timer->due ? now - timer->due : 0;
    int64_t due;
    if (__builtin_add_overflow(timer->due, late - late % timer->every, &due) ||
        __builtin_add_overflow(due, timer->every, &due))
        return INT64_MAX;
    return due;
}
