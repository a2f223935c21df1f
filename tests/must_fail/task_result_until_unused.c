/* SPDX-License-Identifier: MIT */
/* expect: unused-result */
/* flags: -std=c11 -Werror=unused-result */
#include <thrum.h>

void take(thrum_future *future);

THRUM_TASK(double, half, (int, n)) { return n / 2.0; }

#ifdef GOOD
void take(thrum_future *future) { thrum_info("%d", half_result_until(future, thrum_in(1), NULL)); }
#else
void take(thrum_future *future) { half_result_until(future, thrum_in(1), NULL); }
#endif
