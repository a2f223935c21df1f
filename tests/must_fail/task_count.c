/* SPDX-License-Identifier: MIT */
/* expect: too (few|many) arguments */
/* flags: -std=c11 */
#include <thrum.h>

int submit(thrum_executor *executor, thrum_future **out);

THRUM_TASK(double, area, (double, w), (double, h)) { return w * h; }

#ifdef GOOD
int submit(thrum_executor *executor, thrum_future **out) {
    return area_submit(executor, out, 1, 2);
}
#else
int submit(thrum_executor *executor, thrum_future **out) { return area_submit(executor, out, 1); }
#endif
