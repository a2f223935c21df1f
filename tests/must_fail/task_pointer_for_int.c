/* SPDX-License-Identifier: MIT */
/* expect: int-conversion */
/* flags: -std=c11 */
#include <thrum.h>

int submit(thrum_executor *executor, thrum_future **out, int *n);

THRUM_TASK(int, twice, (int, n)) { return 2 * n; }

#ifdef GOOD
int submit(thrum_executor *executor, thrum_future **out, int *n) {
    return twice_submit(executor, out, *n);
}
#else
int submit(thrum_executor *executor, thrum_future **out, int *n) {
    return twice_submit(executor, out, n);
}
#endif
