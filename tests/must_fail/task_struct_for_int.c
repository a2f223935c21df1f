/* SPDX-License-Identifier: MIT */
/* expect: incompatible type */
/* flags: -std=c11 */
#include <thrum.h>

typedef struct pair {
    int a, b;
} pair;

int submit(thrum_executor *executor, thrum_future **out, pair p);

THRUM_TASK(int, twice, (int, n)) { return 2 * n; }

#ifdef GOOD
int submit(thrum_executor *executor, thrum_future **out, pair p) {
    return twice_submit(executor, out, p.a);
}
#else
int submit(thrum_executor *executor, thrum_future **out, pair p) {
    return twice_submit(executor, out, p);
}
#endif
