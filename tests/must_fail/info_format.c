/* SPDX-License-Identifier: MIT */
/* expect: format */
/* flags: -Wformat -Werror=format */
#include <thrum.h>

void say(void);

#ifdef GOOD
void say(void) { thrum_info("%s is ready", "worker"); }
#else
void say(void) { thrum_info("%s is ready", 7); }
#endif
