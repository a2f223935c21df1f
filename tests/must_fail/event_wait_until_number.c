/* SPDX-License-Identifier: MIT */
/* expect: incompatible type */
#include <thrum.h>

int wait(thrum_event *event);

#ifdef GOOD
int wait(thrum_event *event) { return thrum_event_wait_until(event, thrum_in(2)); }
#else
int wait(thrum_event *event) { return thrum_event_wait_until(event, 2); }
#endif
