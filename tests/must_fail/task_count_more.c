/* SPDX-License-Identifier: MIT */
/* expect: too (few|many) arguments */
/* flags: -std=c11 */
#include <thrum.h>

int start(thrum_thread **out);

THRUM_TASK(void, beat) {}

#ifdef GOOD
int start(thrum_thread **out) { return beat_start(out, NULL); }
#else
int start(thrum_thread **out) { return beat_start(out, 1, NULL); }
#endif
