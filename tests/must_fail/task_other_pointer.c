/* SPDX-License-Identifier: MIT */
/* expect: incompatible.pointer.types */
/* flags: -std=c11 */
#include <thrum.h>

int submit(thrum_executor *executor, thrum_future **out, double *values);

THRUM_TASK(long, sum, (const long *, values), (int, n)) { return n ? values[0] : 0; }

#ifdef GOOD
int submit(thrum_executor *executor, thrum_future **out, double *values) {
    return sum_submit(executor, out, (const long *)(void *)values, 1);
}
#else
int submit(thrum_executor *executor, thrum_future **out, double *values) {
    return sum_submit(executor, out, values, 1);
}
#endif
