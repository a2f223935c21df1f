/* SPDX-License-Identifier: MIT */
/* expect: format */
/* flags: -Wformat -Werror=format */
#include <thrum.h>

void fail(void);

#ifdef GOOD
void fail(void) { thrum_raise(-EINVAL, "no row %d", 7); }
#else
void fail(void) { thrum_raise(-EINVAL, "no row %d", "seven"); }
#endif
