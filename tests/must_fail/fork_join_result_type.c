/* SPDX-License-Identifier: MIT */
/* expect: incompatible.pointer.types */
/* flags: -std=c11 */
#include <thrum.h>

#ifdef GOOD
typedef long number;
#else
typedef short number;
#endif

int run(thrum_executor *executor);

THRUM_FORK_JOIN(long, twice, w, (long, n)) {
    (void)w;
    return 2 * n;
}

int run(thrum_executor *executor) {
    number value;
    return twice_run(executor, &value, 5);
}
