/* SPDX-License-Identifier: MIT */
/* expect: incompatible.pointer.types */
/* flags: -std=c11 */
#include <thrum.h>

int take(thrum_future *future);

THRUM_TASK(double, half, (int, n)) { return n / 2.0; }

#ifdef GOOD
int take(thrum_future *future) {
    double value;
    return half_result(future, &value);
}
#else
int take(thrum_future *future) {
    int value;
    return half_result(future, &value);
}
#endif
